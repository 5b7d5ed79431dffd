//! What is answered from memory, from every core.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::log::local::{Deadlines, MatchTables};
use crate::log::store::NodeId;
use crate::model::{LogId, Millis};

/// Shared by cores and committer; every lock is held for moments and never across a wait.
#[derive(Debug)]
pub(super) struct Mirrors {
    alive: Vec<Mutex<Deadlines<LogId>>>,
    tables: Mutex<MatchTables>,
    nodes: Mutex<HashMap<NodeId, (u32, Millis)>>,
}

impl Mirrors {
    pub(super) fn new(partitions: u16) -> Self {
        Self {
            alive: (0..partitions).map(|_| Mutex::default()).collect(),
            tables: Mutex::default(),
            nodes: Mutex::default(),
        }
    }

    /// A partition the caller names is his to get right; modulo keeps a wrong one from ending the process.
    pub(super) fn alive(&self, partition: u16) -> MutexGuard<'_, Deadlines<LogId>> {
        lock(&self.alive[usize::from(partition) % self.alive.len()])
    }

    pub(super) fn alive_of(&self, log: LogId) -> MutexGuard<'_, Deadlines<LogId>> {
        let partitions = u16::try_from(self.alive.len()).unwrap_or(u16::MAX);
        self.alive(log.spread().partition(partitions))
    }

    pub(super) fn tables(&self) -> MutexGuard<'_, MatchTables> {
        lock(&self.tables)
    }

    pub(super) fn announce(
        &self,
        node: NodeId,
        level: u32,
        until: Millis,
        now: Millis,
    ) -> Vec<(NodeId, u32)> {
        let mut nodes = lock(&self.nodes);
        nodes.retain(|_, (_, until)| *until > now);
        nodes.insert(node, (level, until));
        nodes.iter().map(|(node, (level, _))| (*node, *level)).collect()
    }
}

/// Every critical section leaves its state whole, so one that panicked has not broken it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
