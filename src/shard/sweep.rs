//! What nobody did in time: overdue timers, lapsed liveness, effects whose node is gone, sessions and desks that the
//! matching tables should have brought together.
//!
//! Living nodes share the partitions by rendezvous hashing; a node that is wrong about who lives does work twice, never wrongly.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::log::{Leased, LogError, NodeId};
use crate::model::{Digest, Effect, LogKind};
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
        self.lease(partition).await
    }

    /// Takes on the effects of a partition whose node is gone or whose time has come again.
    async fn lease(self: &Rc<Self>, partition: u16) -> Result<(), LogError> {
        for leased in self
            .log
            .lease_effects(partition, AT_A_TIME, self.options.lease_ms())
            .await?
        {
            match decode_effect(&leased.payload) {
                Ok(effect) => {
                    let core = Rc::clone(self);
                    tokio::task::spawn_local(async move { core.work_off(partition, leased, effect).await });
                }
                Err(error) => {
                    tracing::error!(%error, effect = %leased.id, "effect of another release; left to a node that knows it")
                }
            }
        }
        Ok(())
    }

    async fn work_off(self: Rc<Self>, partition: u16, leased: Leased, effect: Effect) {
        let (id, lane) = (leased.id, leased.lane.clone());
        match self.attempt(id, leased.attempt, leased.lane, effect).await {
            Ok(true) => {
                // What stood behind it in its lane is due now.
                self.lease_soon(partition);
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, effect = %id, attempt = leased.attempt, "effect failed");
                let after = Duration::from_millis(500 << leased.attempt.min(7));
                let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                // If this is lost the lease runs out instead.
                let _ = self.log.retry_effect(id, lane, after_ms).await;
            }
        }
    }

    /// Something of this partition is due.
    pub(super) fn lease_soon(&self, partition: u16) {
        self.due.borrow_mut().insert(partition);
        self.due_wake.notify_one();
    }

    /// Leases where a lane went on or something new was written, without waiting for the next sweep.
    pub(super) async fn run_due(self: Rc<Self>) {
        loop {
            self.due_wake.notified().await;
            loop {
                let next = self.due.borrow_mut().pop_first();
                let Some(partition) = next else { break };
                if let Err(error) = self.lease(partition).await {
                    tracing::debug!(%error, partition, "left to the next sweep");
                }
            }
        }
    }

    /// Makes replicas small that nobody asks anything of.
    pub(super) async fn run_rests(self: Rc<Self>) {
        let mut every = tokio::time::interval(self.options.rest);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let now = self.clock.now();
            let (rest, fold) = (self.options.rest, self.options.fold);
            if let (Some(rest), Some(fold)) = (now.checked_sub(rest), now.checked_sub(fold)) {
                self.rest::<Session>(rest, fold).await;
                self.rest::<Desk>(rest, fold).await;
            }
        }
    }

    async fn rest<M: Machine>(self: &Rc<Self>, rest: Instant, fold: Instant) {
        for (slot, folds) in M::table(self).resting(rest, fold) {
            if folds {
                // It takes tens of microseconds, and thousands may be due at once: everybody else gets a turn in between.
                tokio::task::yield_now().await;
            }
            let mut inner = slot.inner.borrow_mut();
            if inner.pumping || inner.used > if folds { fold } else { rest } {
                // Somebody came meanwhile.
                continue;
            }
            if folds {
                let folded = inner.fold(&mut self.packer.borrow_mut());
                drop(inner);
                if let Some(folded) = folded {
                    self.publish_folded(&slot, &folded);
                }
                continue;
            }
            let fewer = inner.replica.rest();
            drop(inner);
            if fewer {
                self.publish(&slot);
            }
        }
        for log in M::cells(self).fold(fold) {
            self.release(log);
        }
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
            let open = self.sessions.all().into_iter().filter(|slot| {
                let inner = slot.inner.borrow();
                inner.replica.standing().is_some_and(|standing| standing.open)
            });
            self.measures
                .holds(self.sessions.len() + self.desks.len(), open.count());
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
