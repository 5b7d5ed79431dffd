//! Decided and admitted appends.

use futures_util::future::join_all;
use nexus::log::{Answer, Basis, StoredBody};
use nexus::model::{ChainHash, Position};

use super::Harness;
use super::given::*;

pub(crate) async fn the_first_record_is_decided_on_nothing(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let answer = log.append(opening(id)).await.unwrap();
    let top = Position::default().then(&record("opening").digest);
    let expected = Answer::Appended {
        log: id,
        first: 1,
        top,
        opened: false,
    };
    assert_eq!(answer, expected);
    assert_eq!(texts(&*log, id).await, ["opening"]);
}

pub(crate) async fn a_decided_append_continues_the_chain(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 5).await;
    let tail = tail(&*log, id).await;
    assert_eq!(tail.base, Position::default());
    assert_eq!(numbers(&tail.records), [1, 2, 3, 4, 5]);
    assert_eq!(tail.records[4].position(), top);
}

pub(crate) async fn a_decision_on_another_top_is_refused_and_writes_nothing(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 2).await;
    let on_nothing = log.append(opening(id)).await.unwrap();
    assert_eq!(on_nothing, Answer::Refused { top });
    let ahead = Position { n: 3, hash: top.hash };
    let on_more = log.append(decided(id, ahead, "x")).await.unwrap();
    assert_eq!(on_more, Answer::Refused { top });
    let elsewhere = log.append(decided(session(h), top, "x")).await.unwrap();
    assert_eq!(
        elsewhere,
        Answer::Refused {
            top: Position::default()
        }
    );
    assert_eq!(texts(&*log, id).await, ["1", "2"]);
}

pub(crate) async fn an_equal_number_with_another_hash_is_refused(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 2).await;
    let other_history = Position {
        n: 2,
        hash: ChainHash([7; 8]),
    };
    let answer = log.append(decided(id, other_history, "x")).await.unwrap();
    assert_eq!(answer, Answer::Refused { top });
}

pub(crate) async fn of_two_decisions_on_one_top_one_wins_and_the_loser_decides_again(h: &impl Harness) {
    let (one, other, id) = (h.core(), h.other_node(), session(h));
    let top = opened(&*one, id, 1).await;
    let answers = [
        one.append(decided(id, top, "a")),
        other.append(decided(id, top, "b")),
    ];
    let answers: Vec<Answer> = join_all(answers).await.into_iter().map(Result::unwrap).collect();
    let wins = |answer: &&Answer| matches!(answer, Answer::Appended { first: 2, .. });
    assert_eq!(answers.iter().filter(wins).count(), 1);
    let Some(Answer::Refused { top }) = answers.iter().find(|answer| !wins(answer)) else {
        panic!("the loser is told the top: {answers:?}");
    };
    assert_eq!(written(&*other, decided(id, *top, "again")).await.0, 3);
}

pub(crate) async fn an_admitted_append_is_numbered_by_the_store(h: &impl Harness) {
    let (log, other, id) = (h.core(), h.other_node(), session(h));
    opened(&*log, id, 3).await;
    let (first, top) = written(&*other, admitted(id, "said")).await;
    assert_eq!((first, top.n), (4, 4));
    assert_eq!(texts(&*log, id).await, ["1", "2", "3", "said"]);
}

pub(crate) async fn admitted_appends_at_once_leave_no_gap(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    let cores = [h.core(), h.other_node(), h.core()];
    let appends = (0..60).map(|i| cores[i % 3].append(admitted(id, &i.to_string())));
    let mut firsts: Vec<u64> = join_all(appends)
        .await
        .into_iter()
        .map(|answer| match answer.unwrap() {
            Answer::Appended { first, .. } => first,
            other => panic!("{other:?}"),
        })
        .collect();
    firsts.sort_unstable();
    assert_eq!(firsts, (2..=61).collect::<Vec<u64>>());
    assert_eq!(tail(&*log, id).await.records.len(), 61);
}

pub(crate) async fn an_admitted_append_to_a_log_that_is_not_there_is_closed(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    assert_eq!(log.append(admitted(id, "x")).await.unwrap(), Answer::Closed);
    assert_eq!(log.tail(id).await.unwrap(), None);
}

pub(crate) async fn a_closed_log_takes_only_what_was_decided(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 1).await;
    let mut closing = decided(id, top, "closing");
    closing.closes = true;
    let (_, top) = written(&*log, closing).await;
    assert_eq!(log.append(admitted(id, "late")).await.unwrap(), Answer::Closed);
    assert_eq!(written(&*log, decided(id, top, "archived")).await.0, 3);
    assert_eq!(log.append(admitted(id, "later")).await.unwrap(), Answer::Closed);
    assert_eq!(texts(&*log, id).await, ["1", "closing", "archived"]);
}

pub(crate) async fn several_records_are_written_in_one_step(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 1).await;
    let records = vec![record("a"), record("b"), record("c")];
    let (first, top) = written(&*log, append(id, Basis::Decided(top), records)).await;
    assert_eq!((first, top.n), (2, 4));
    assert_eq!(texts(&*log, id).await, ["1", "a", "b", "c"]);
}

pub(crate) async fn bodies_come_back_as_given(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let records = vec![
        with_body("full", "\0\u{fffd}\r\n words"),
        with_body("empty", ""),
        record("none"),
    ];
    let append = append(id, Basis::Decided(Position::default()), records.clone());
    written(&*log, append).await;
    let stored = tail(&*h.other_node(), id).await.records;
    for (stored, given) in stored.iter().zip(&records) {
        assert_eq!((&stored.envelope, stored.digest), (&given.envelope, given.digest));
        let body = given.body.clone().map_or(StoredBody::None, StoredBody::Present);
        assert_eq!(stored.body, body);
    }
}
