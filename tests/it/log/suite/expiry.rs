//! Logs that have outlived their time.

use nexus::log::Answer;
use nexus::model::Position;

use super::Harness;
use super::given::*;

const SHORT: u64 = 300;

pub(crate) async fn an_expired_log_is_gone(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut short = opening(id);
    short.expire_ms = SHORT;
    let (_, top) = written(&*log, short).await;
    assert_eq!(texts(&*log, id).await, ["opening"]);
    h.pass(SHORT).await;
    assert_eq!(log.tail(id).await.unwrap(), None);
    assert_eq!(log.read_forward(id, 1, 9).await.unwrap(), None);
    assert_eq!(log.read_backward(id, 9, 9).await.unwrap(), None);
    assert_eq!(log.tops(partition(&*log, id), vec![id]).await.unwrap(), [None]);
    assert_eq!(log.append(admitted(id, "x")).await.unwrap(), Answer::Closed);
    let refused = Answer::Refused {
        top: Position::default(),
    };
    assert_eq!(log.append(decided(id, top, "x")).await.unwrap(), refused);
    assert_eq!(written(&*log, opening(id)).await.0, 1);
    assert_eq!(texts(&*log, id).await, ["opening"]);
}

pub(crate) async fn a_later_append_sets_another_expiry(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut short = opening(id);
    short.expire_ms = SHORT;
    written(&*log, short).await;
    written(&*log, admitted(id, "still here")).await;
    h.pass(SHORT).await;
    assert_eq!(texts(&*log, id).await, ["opening", "still here"]);
}

pub(crate) async fn a_peer_whose_session_expired_gets_another(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    let mut short = to_peer(id, &peer, "hello");
    short.expire_ms = SHORT;
    written(&*log, short).await;
    h.pass(SHORT).await;
    assert_eq!(log.peer(partition(&*log, id), peer.clone()).await.unwrap(), None);
    let next = beside(h, id);
    let answer = log.append(to_peer(next, &peer, "back")).await.unwrap();
    assert!(
        matches!(answer, Answer::Appended { log, opened: true, .. } if log == next),
        "{answer:?}"
    );
}
