//! Timers: deadlines by the store's clock, written with an append.

use nexus::log::{DueTimer, Log, TimerChange};
use nexus::model::{LogId, Millis};

use super::Harness;
use super::given::*;

const SHORT: u64 = 300;

async fn due(log: &dyn Log, id: LogId) -> Vec<(LogId, u16)> {
    let due: Vec<DueTimer> = log.due_timers(partition(log, id), 100).await.unwrap();
    due.into_iter().map(|timer| (timer.log, timer.name)).collect()
}

async fn set(log: &dyn Log, id: LogId, timers: Vec<TimerChange>) {
    let mut append = admitted(id, "timer");
    append.timers = timers;
    written(log, append).await;
}

const fn at(name: u16, due: Millis) -> TimerChange {
    TimerChange::Set { name, due }
}

pub(crate) async fn a_timer_is_due_when_its_time_has_come(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    let when = h.now().plus(SHORT);
    set(&*log, id, vec![at(7, when), at(8, h.now().plus(HOUR))]).await;
    assert_eq!(due(&*log, id).await, []);
    h.pass(SHORT).await;
    let all = log.due_timers(partition(&*log, id), 100).await.unwrap();
    let expected = DueTimer {
        log: id,
        name: 7,
        due: when,
    };
    assert_eq!(all, [expected]);
    assert_eq!(
        due(&*h.other_node(), id).await,
        [(id, 7)],
        "it stays until an append says otherwise"
    );
}

pub(crate) async fn a_timer_moves_and_clears(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    let past = Millis(h.now().0 - 1_000);
    set(&*log, id, vec![at(1, past), at(2, past), at(3, past)]).await;
    assert_eq!(due(&*log, id).await, [(id, 1), (id, 2), (id, 3)]);
    let later = h.now().plus(HOUR);
    set(&*log, id, vec![at(1, later), TimerChange::Clear { name: 2 }]).await;
    assert_eq!(due(&*log, id).await, [(id, 3)]);
    set(&*log, id, vec![at(1, past), TimerChange::Clear { name: 9 }]).await;
    assert_eq!(due(&*log, id).await, [(id, 1), (id, 3)]);
}

pub(crate) async fn the_most_overdue_comes_first(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let other = beside(h, id);
    opened(&*log, id, 1).await;
    opened(&*log, other, 1).await;
    let now = h.now().0;
    set(&*log, id, vec![at(1, Millis(now - 10)), at(2, Millis(now - 30))]).await;
    set(&*log, other, vec![at(1, Millis(now - 20))]).await;
    assert_eq!(due(&*log, id).await, [(id, 2), (other, 1), (id, 1)]);
    let first = log.due_timers(partition(&*log, id), 2).await.unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!((first[0].log, first[1].log), (id, other));
}

pub(crate) async fn timers_are_found_in_the_partition_of_their_log(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    set(&*log, id, vec![at(1, Millis(1))]).await;
    let next = (partition(&*log, id) + 1) % log.info().partitions;
    assert_eq!(log.due_timers(next, 9).await.unwrap(), []);
}
