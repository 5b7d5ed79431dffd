//! Learning of what others append: subscribe, then read.

use std::time::Duration;

use bytes::Bytes;
use nexus::log::{Log, StoredRecord, Watch, WatchEvent};
use nexus::model::LogId;
use tokio::time::timeout;

use super::Harness;
use super::given::*;

/// Far beyond what any store takes to tell.
const PATIENCE: Duration = Duration::from_secs(10);

async fn next(watch: &mut Watch) -> WatchEvent {
    timeout(PATIENCE, watch.events.recv())
        .await
        .expect("a watcher is told")
        .expect("the watch is open")
}

async fn next_record(watch: &mut Watch, id: LogId) -> StoredRecord {
    match next(watch).await {
        WatchEvent::Record { log, record } if log == id => record,
        other => panic!("{other:?}"),
    }
}

/// Whatever was told of `quiet` before this is in the channel now, ahead of a record of `marker`.
async fn nothing_before(watch: &mut Watch, log: &dyn Log, marker: LogId) {
    written(log, admitted(marker, "marker")).await;
    next_record(watch, marker).await;
}

pub(crate) async fn a_watcher_hears_of_every_record_in_order(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut watch = log.take_watch().unwrap();
    let top = opened(&*log, id, 1).await;
    log.watch(id).await.unwrap();
    let records = vec![with_body("2", "b"), snapshot("3")];
    let append = append(id, nexus::log::Basis::Decided(top), records);
    written(&*log, append).await;
    written(&*log, admitted(id, "4")).await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(next_record(&mut watch, id).await);
    }
    assert_eq!(numbers(&heard), [2, 3, 4]);
    verified(top, &heard);
    assert_eq!(heard, tail_from(&*log, id, 2).await);
}

async fn tail_from(log: &dyn Log, id: LogId, from: u64) -> Vec<StoredRecord> {
    log.read_forward(id, from, 100).await.unwrap().unwrap().records
}

pub(crate) async fn a_watcher_hears_what_another_node_appends(h: &impl Harness) {
    let (log, other, id) = (h.core(), h.other_node(), session(h));
    let mut watch = log.take_watch().unwrap();
    log.watch(id).await.unwrap();
    written(&*other, opening(id)).await;
    assert_eq!(next_record(&mut watch, id).await.n, 1);
}

pub(crate) async fn nothing_comes_after_unwatch(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let marker = beside(h, id);
    let mut watch = log.take_watch().unwrap();
    opened(&*log, id, 1).await;
    opened(&*log, marker, 1).await;
    log.watch(id).await.unwrap();
    log.watch(marker).await.unwrap();
    log.unwatch(id);
    // A store may take a moment to let go; a subscription confirmed after it shows that it has.
    log.watch(beside(h, id)).await.unwrap();
    written(&*log, admitted(id, "unheard")).await;
    nothing_before(&mut watch, &*log, marker).await;
}

pub(crate) async fn watching_twice_is_watching_once(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut watch = log.take_watch().unwrap();
    log.watch(id).await.unwrap();
    log.watch(id).await.unwrap();
    opened(&*log, id, 2).await;
    assert_eq!(next_record(&mut watch, id).await.n, 1);
    assert_eq!(next_record(&mut watch, id).await.n, 2);
}

pub(crate) async fn the_watch_is_taken_once(h: &impl Harness) {
    let log = h.core();
    assert!(log.take_watch().is_some());
    assert!(log.take_watch().is_none());
}

pub(crate) async fn a_watcher_that_does_not_keep_up_is_told_so(h: &impl Harness) {
    let (slow, writer, id) = (h.narrow_core(), h.core(), session(h));
    let mut watch = slow.take_watch().unwrap();
    slow.watch(id).await.unwrap();
    let top = opened(&*writer, id, 600).await;
    let mut heard = 0;
    loop {
        match next(&mut watch).await {
            WatchEvent::Record { record, .. } => {
                assert_eq!(record.n, heard + 1, "no gap before the loss is told");
                heard = record.n;
            }
            WatchEvent::Lost { partition: lost } => {
                assert_eq!(lost, partition(&*slow, id));
                break;
            }
            WatchEvent::Signal { .. } => panic!("nobody signalled"),
            WatchEvent::Stranded { .. } => panic!("nothing was lost"),
        }
    }
    assert!(heard < top.n);
    written(&*writer, admitted(id, "after")).await;
    // What was on its way when the loss was told may still arrive before it.
    let mut last = heard;
    while last < 601 {
        let n = next_record(&mut watch, id).await.n;
        assert!(n > last, "heard {n} after {last}");
        last = n;
    }
    assert_eq!(last, 601, "what comes after the loss is heard");
}

pub(crate) async fn signals_reach_watchers_and_are_not_stored(h: &impl Harness) {
    let (log, other, id) = (h.core(), h.other_node(), session(h));
    let mut watch = log.take_watch().unwrap();
    opened(&*log, id, 1).await;
    log.watch(id).await.unwrap();
    let payload = Bytes::from_static(b"typing");
    other.signal(id, payload.clone());
    assert_eq!(next(&mut watch).await, WatchEvent::Signal { log: id, payload });
    assert_eq!(tail(&*log, id).await.records.len(), 1);
}
