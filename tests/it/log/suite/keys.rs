//! Idempotency keys.

use bytes::Bytes;
use futures_util::future::join_all;
use nexus::log::bounds::KEY_HORIZON_MS;
use nexus::log::{Answer, Append, Log};
use nexus::model::{LogId, Position};

use super::Harness;
use super::given::*;

fn keyed(append: Append, text: &str, body: u8, answer: &str) -> Append {
    Append {
        key: Some(key(text, body, answer)),
        ..append
    }
}

fn repeat(log: LogId, first: u64, answer: &'static str) -> Answer {
    Answer::Repeat {
        log,
        first,
        answer: Bytes::from_static(answer.as_bytes()),
    }
}

async fn asked(log: &dyn Log, append: Append) -> Answer {
    log.append(append).await.unwrap()
}

pub(crate) async fn a_repeat_gets_the_first_answer(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    written(&*log, keyed(admitted(id, "said"), "k1", 1, "first")).await;
    written(&*log, admitted(id, "more")).await;
    for handle in [log.clone(), h.other_node()] {
        let again = keyed(admitted(id, "said"), "k1", 1, "second");
        assert_eq!(asked(&*handle, again).await, repeat(id, 2, "first"));
    }
    assert_eq!(texts(&*log, id).await, ["1", "said", "more"]);
}

pub(crate) async fn a_repeat_is_recognised_before_anything_else(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut closing = keyed(opening(id), "k1", 1, "told");
    closing.closes = true;
    written(&*log, closing).await;
    let stale = keyed(opening(id), "k1", 1, "");
    assert_eq!(asked(&*log, stale).await, repeat(id, 1, "told"));
    let closed = keyed(admitted(id, "x"), "k1", 1, "");
    assert_eq!(asked(&*log, closed).await, repeat(id, 1, "told"));
    let another_log = keyed(opening(beside(h, id)), "k1", 1, "");
    assert_eq!(asked(&*log, another_log).await, repeat(id, 1, "told"));
}

pub(crate) async fn the_same_key_with_another_body_is_refused(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    written(&*log, keyed(opening(id), "k1", 1, "")).await;
    let other = keyed(admitted(id, "other"), "k1", 2, "");
    assert_eq!(asked(&*log, other).await, Answer::KeyReused);
    assert_eq!(texts(&*log, id).await, ["opening"]);
}

pub(crate) async fn a_refused_append_leaves_no_key(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let closed = asked(&*log, keyed(admitted(id, "x"), "k1", 1, "")).await;
    assert_eq!(closed, Answer::Closed);
    let top = opened(&*log, id, 1).await;
    let refused = asked(&*log, keyed(opening(id), "k1", 1, "")).await;
    assert_eq!(refused, Answer::Refused { top });
    assert_eq!(written(&*log, keyed(admitted(id, "x"), "k1", 1, "")).await.0, 2);
}

pub(crate) async fn of_two_appends_with_one_key_at_once_one_is_written(h: &impl Harness) {
    let (one, other, id) = (h.core(), h.other_node(), session(h));
    opened(&*one, id, 1).await;
    let append = || keyed(admitted(id, "said"), "k1", 1, "told");
    let mut answers: Vec<Answer> = join_all([one.append(append()), other.append(append())])
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    answers.sort_by_key(|answer| matches!(answer, Answer::Repeat { .. }));
    assert!(
        matches!(answers[0], Answer::Appended { first: 2, .. }),
        "{answers:?}"
    );
    assert_eq!(answers[1], repeat(id, 2, "told"));
}

pub(crate) async fn a_repeat_of_an_opening_names_the_session_it_opened(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    written(&*log, keyed(to_peer(id, &peer, "hello"), "k1", 1, "told")).await;
    let again = keyed(to_peer(beside(h, id), &peer, "hello"), "k1", 1, "");
    assert_eq!(asked(&*log, again).await, repeat(id, 2, "told"));
}

pub(crate) async fn a_key_is_forgotten_after_its_horizon(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut first = keyed(opening(id), "k1", 1, "told");
    first.expire_ms = 2 * KEY_HORIZON_MS;
    let (_, top) = written(&*log, first).await;
    h.pass(KEY_HORIZON_MS - 1).await;
    let within = keyed(admitted(id, "x"), "k1", 1, "");
    assert_eq!(asked(&*log, within.clone()).await, repeat(id, 1, "told"));
    h.pass(1).await;
    assert_eq!(written(&*log, within).await.0, 2);
    let stale = asked(&*log, keyed(opening(id), "k2", 1, "")).await;
    assert!(matches!(stale, Answer::Refused { top: now } if now != top && now != Position::default()));
}
