//! What nobody did in time: overdue timers, lapsed liveness, effects whose node is gone, sessions and desks that the
//! matching tables should have brought together.
//!
//! Living nodes share the partitions by rendezvous hashing; a node that is wrong about who lives does work twice, never wrongly.

use std::rc::Rc;
use std::time::Duration;

use crate::log::{LogError, NodeId};
use crate::model::{Digest, LogKind};
use crate::protocol::entry::{SCHEMA_LEVEL, decode_effect};
use crate::session::{Desk, Session};

use super::machine::Machine;
use super::table::CoreTable;

/// Taken from one partition in one round.
const AT_A_TIME: usize = 64;
/// A node that has not announced itself for this long is taken for dead.
const NODE_TTL_MS: u64 = 15_000;

impl CoreTable {
    /// Sweeps the partitions of this core as long as it runs.
    pub(super) async fn run_sweeps(self: Rc<Self>, node: NodeId) {
        let mut every = tokio::time::interval(self.options.sweep_every);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let Ok(nodes) = self.log.announce(node, SCHEMA_LEVEL, NODE_TTL_MS).await else {
                continue;
            };
            for partition in self.partitions() {
                if node == chosen(partition, &nodes).unwrap_or(node)
                    && let Err(error) = self.sweep(partition).await
                {
                    tracing::debug!(%error, partition, "sweep interrupted");
                    break;
                }
            }
        }
    }

    async fn sweep(self: &Rc<Self>, partition: u16) -> Result<(), LogError> {
        for timer in self.log.due_timers(partition, AT_A_TIME).await? {
            self.fire(timer.log, timer.name, timer.due);
        }
        for log in self.log.lapsed(partition, AT_A_TIME).await? {
            match log.kind() {
                LogKind::Session => self.tell::<Session>(log, Session::lapsed()),
                LogKind::Desk => self.tell::<Desk>(log, Desk::lapsed()),
                LogKind::Feed => {}
            }
        }
        let lease_ms = u64::try_from(self.options.lease.as_millis()).unwrap_or(u64::MAX);
        for leased in self.log.lease_effects(partition, AT_A_TIME, lease_ms).await? {
            match decode_effect(&leased.payload) {
                Ok(effect) => {
                    let core = Rc::clone(self);
                    tokio::task::spawn_local(async move {
                        let (id, lane) = (leased.id, leased.lane.clone());
                        if let Err(error) = core.carry_out_effect(id, leased.lane, effect).await {
                            tracing::warn!(%error, effect = %id, attempt = leased.attempt, "effect failed");
                            let after = Duration::from_millis(500 << leased.attempt.min(7));
                            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                            // If this is lost the lease runs out instead.
                            let _ = core.log.retry_effect(id, lane, after_ms).await;
                        }
                    });
                }
                Err(error) => {
                    tracing::error!(%error, effect = %leased.id, "effect of another release; left to a node that knows it")
                }
            }
        }
        Ok(())
    }

    /// Drops replicas and views that nobody uses.
    pub(super) async fn run_evictions(self: Rc<Self>) {
        let mut every = tokio::time::interval(self.options.idle / 4);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let Some(before) = self.clock.now().checked_sub(self.options.idle) else {
                continue;
            };
            let views = self
                .session_cells
                .drop_idle(before)
                .into_iter()
                .chain(self.desk_cells.drop_idle(before));
            for log in views {
                self.release(log);
            }
            for log in self
                .sessions
                .drop_idle(before)
                .into_iter()
                .chain(self.desks.drop_idle(before))
            {
                self.log.unwatch(log);
            }
            metrics::gauge!("nexus_shard_replicas", "core" => self.core.to_string()).set(f64::from(
                u32::try_from(self.sessions.len() + self.desks.len()).unwrap_or(u32::MAX),
            ));
        }
    }
}

/// The node whose hash with the partition is highest.
fn chosen(partition: u16, nodes: &[(NodeId, u32)]) -> Option<NodeId> {
    nodes
        .iter()
        .map(|(node, _)| *node)
        .max_by_key(|node| Digest::of(&[&partition.to_be_bytes(), node.0.as_bytes()]).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn living_nodes_share_the_partitions_and_one_that_dies_hands_over_only_its_own() {
        let nodes: Vec<(NodeId, u32)> = (1..=3).map(|n| (NodeId(uuid::Uuid::from_u128(n)), 1)).collect();
        let before: Vec<_> = (0..256).map(|p| chosen(p, &nodes)).collect();
        let after: Vec<_> = (0..256).map(|p| chosen(p, &nodes[..2])).collect();
        for node in &nodes {
            assert!(before.iter().filter(|chosen| **chosen == Some(node.0)).count() > 40);
        }
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == Some(nodes[2].0));
        }
    }
}
