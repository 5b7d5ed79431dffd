//! Liveness: a deadline that is renewed while somebody is heard from.

use nexus::log::{Index, Log};
use nexus::model::LogId;

use super::Harness;
use super::given::*;

const SHORT: u64 = 300;

async fn lapsed(log: &dyn Log, id: LogId) -> Vec<LogId> {
    log.lapsed(partition(log, id), 100).await.unwrap()
}

async fn indexed(log: &dyn Log, id: LogId, index: Index) {
    let mut append = admitted(id, "liveness");
    append.indexes = vec![index];
    written(log, append).await;
}

pub(crate) async fn a_log_lapses_unless_renewed(h: &impl Harness) {
    let (log, quiet) = (h.core(), session(h));
    let heard = beside(h, quiet);
    for id in [quiet, heard] {
        opened(&*log, id, 1).await;
        indexed(&*log, id, Index::Alive { ttl_ms: SHORT }).await;
    }
    assert_eq!(lapsed(&*log, quiet).await, []);
    let partition = partition(&*log, quiet);
    h.other_node().renew(partition, vec![heard], HOUR).await.unwrap();
    h.pass(SHORT).await;
    assert_eq!(lapsed(&*log, quiet).await, [quiet]);
    assert_eq!(
        lapsed(&*log, quiet).await,
        [quiet],
        "it stays until an append says otherwise"
    );
    log.renew(partition, vec![quiet], HOUR).await.unwrap();
    assert_eq!(lapsed(&*log, quiet).await, []);
}

pub(crate) async fn a_renewal_gives_a_deadline_to_a_log_without_one(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    log.renew(partition(&*log, id), vec![id], SHORT).await.unwrap();
    assert_eq!(lapsed(&*log, id).await, []);
    h.pass(SHORT).await;
    assert_eq!(lapsed(&*log, id).await, [id]);
}

pub(crate) async fn an_append_ends_liveness(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    indexed(&*log, id, Index::Alive { ttl_ms: SHORT }).await;
    h.pass(SHORT).await;
    assert_eq!(lapsed(&*log, id).await, [id]);
    indexed(&*log, id, Index::NotAlive).await;
    assert_eq!(lapsed(&*log, id).await, []);
    indexed(&*log, id, Index::Alive { ttl_ms: HOUR }).await;
    assert_eq!(lapsed(&*log, id).await, []);
}
