//! The built-in router: the matching tables of the log, and a sweep that repairs what they missed.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::log::{LogError, MatchAnswer, Pair, SharedLog};
use crate::model::{MatchOp, TenantId};
use crate::provisioning::Snapshots;
use crate::shard::{Router, Shards};

/// Pairs brought together in one round of a sweep.
const AT_ONCE: usize = 256;

/// Routes by the matching tables: each write names a pair in the same step, so that a session and an agent arriving at once
/// on two nodes always meet.
pub struct BuiltinRouter {
    log: SharedLog,
}

impl BuiltinRouter {
    /// A router over this core's log.
    #[must_use]
    pub fn new(log: SharedLog) -> Self {
        Self { log }
    }
}

impl Router for BuiltinRouter {
    fn changed(&self, tenant: TenantId, op: MatchOp) -> LocalBoxFuture<'_, Result<Option<Pair>, LogError>> {
        Box::pin(async move { Ok(self.log.matching(tenant, op).await?.pair) })
    }
}

/// Looks for pairs that nobody was told of, as long as the core runs, in the tenants for which the tables decide. One core of a node
/// is enough.
pub async fn sweep(
    shards: Shards,
    snapshots: Snapshots,
    every: Duration,
    decides: impl Fn(TenantId) -> bool,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let tenants: Vec<TenantId> = snapshots.load().tenants().map(|tenant| tenant.tenant).collect();
        for tenant in tenants.into_iter().filter(|tenant| decides(*tenant)) {
            offer_all(&shards, tenant).await;
        }
    }
}

/// Brings together whoever the tables have left over.
pub(super) async fn offer_all(shards: &Shards, tenant: TenantId) {
    for _ in 0..AT_ONCE {
        match shards.log().hold_best_pair(tenant).await {
            Ok(MatchAnswer { pair: Some(pair) }) => shards.offer(tenant, pair),
            Ok(MatchAnswer { pair: None }) => return,
            Err(error) => return tracing::debug!(%error, "the matching sweep was interrupted"),
        }
    }
}
