//! What nodes share beside the logs.

use futures_util::future::join_all;
use nexus::log::{Index, Log, NodeId};
use nexus::model::LogId;
use uuid::Uuid;

use super::Harness;
use super::given::*;

const SHORT: u64 = 300;

async fn indexed(log: &dyn Log, id: LogId, indexes: Vec<Index>) {
    let mut append = admitted(id, "index");
    append.indexes = indexes;
    written(log, append).await;
}

pub(crate) async fn open_sessions_are_counted_per_tenant(h: &impl Harness) {
    let (log, tenant, other) = (h.core(), tenant(), tenant());
    let ids: Vec<LogId> = (0..5).map(|_| session(h)).collect();
    for id in &ids {
        opened(&*log, *id, 1).await;
        indexed(&*log, *id, vec![Index::Open(tenant)]).await;
    }
    indexed(&*log, ids[0], vec![Index::Open(tenant)]).await;
    let node = h.other_node();
    assert_eq!(node.open_sessions(tenant).await.unwrap(), 5);
    assert_eq!(node.open_sessions(other).await.unwrap(), 0);
    indexed(&*log, ids[1], vec![Index::Shut(tenant)]).await;
    indexed(&*log, ids[1], vec![Index::Shut(tenant)]).await;
    assert_eq!(node.open_sessions(tenant).await.unwrap(), 4);
}

pub(crate) async fn announced_nodes_are_seen_until_they_lapse(h: &impl Harness) {
    let (log, other) = (h.core(), h.other_node());
    let (old, young) = (NodeId(Uuid::new_v4()), NodeId(Uuid::new_v4()));
    assert_eq!(log.announce(old, 3, SHORT).await.unwrap(), [(old, 3)]);
    let mut both = other.announce(young, 4, HOUR).await.unwrap();
    both.sort_unstable();
    let mut expected = [(old, 3), (young, 4)];
    expected.sort_unstable();
    assert_eq!(both, expected);
    h.pass(SHORT).await;
    assert_eq!(other.announce(young, 5, HOUR).await.unwrap(), [(young, 5)]);
}

pub(crate) async fn a_token_is_spent_once(h: &impl Harness) {
    let handles = [h.core(), h.other_node(), h.core()];
    let token = *Uuid::new_v4().as_bytes();
    let spent = join_all((0..12).map(|i| handles[i % 3].spend(token, HOUR))).await;
    assert_eq!(
        spent
            .into_iter()
            .map(Result::unwrap)
            .filter(|first| *first)
            .count(),
        1
    );
    let another = *Uuid::new_v4().as_bytes();
    assert!(handles[0].spend(another, HOUR).await.unwrap());
}

pub(crate) async fn a_spent_token_may_be_forgotten_after_its_time(h: &impl Harness) {
    let log = h.core();
    let token = *Uuid::new_v4().as_bytes();
    assert!(log.spend(token, SHORT).await.unwrap());
    h.pass(SHORT).await;
    assert!(log.spend(token, SHORT).await.unwrap());
}

pub(crate) async fn a_canary_comes_back(h: &impl Harness) {
    let (one, other) = (h.core(), h.other_node());
    for _ in 0..3 {
        let canaries = join_all([one.canary(), other.canary()]).await;
        assert!(canaries.iter().all(Result::is_ok), "{canaries:?}");
    }
}

pub(crate) async fn handles_agree_on_what_the_store_is(h: &impl Harness) {
    let (one, other) = (h.core(), h.other_node());
    assert_eq!(one.info(), other.info());
    assert!(one.info().partitions.is_power_of_two());
}
