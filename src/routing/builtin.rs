//! The built-in router: the matching tables of the log, and a sweep that repairs what they missed.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::log::{LogError, Pair, SharedLog};
use crate::model::{MatchOp, TenantId};
use crate::provisioning::Snapshots;
use crate::shard::{Router, Shards};

/// Routes by the matching tables: each write returns the best pair in the same step, so that a session and an agent
/// arriving at once on two nodes always meet.
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
            match shards.log().best_pair(tenant).await {
                Ok(answer) => answer
                    .pair
                    .into_iter()
                    .for_each(|pair| shards.offer(tenant, pair)),
                Err(error) => tracing::debug!(%error, "the matching sweep was interrupted"),
            }
        }
    }
}
