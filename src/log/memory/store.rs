//! The handle that cores are given.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt as _;
use uuid::Uuid;

use crate::log::append::{Answer, Append, PeerKey};
use crate::log::bounds::{RETRY_KEEP_MS, check_batch};
use crate::log::effects::{EffectId, Leased};
use crate::log::error::LogError;
use crate::log::local::{Fanout, Subscriptions, canary, check_partitions};
use crate::log::matching::{MatchAnswer, QueueRank};
use crate::log::store::{DueTimer, Durability, Log, LogFuture, NodeId, Page, SharedLog, StoreInfo, Tail};
use crate::log::watch::Watch;
use crate::model::{LogId, MatchOp, Millis, Position, TenantId};
use crate::runtime::Clock;

use super::state::State;

/// How many events a core may be behind before it is told that it lost some.
const WATCH_CAPACITY: usize = 4_096;

/// A store that lives as long as its handles. Cheap to clone; every core takes its own handle with [`Self::core`].
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    fanout: Fanout,
    pub(super) info: StoreInfo,
    clock: Clock,
    watch_capacity: usize,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`]: not a count of partitions a store may have.
    pub fn new(partitions: u16, clock: Clock) -> Result<Self, LogError> {
        check_partitions(partitions)?;
        Ok(Self {
            state: Arc::new(Mutex::new(State::new(partitions))),
            fanout: Fanout::new(partitions),
            info: StoreInfo {
                name: "memory",
                durability: Durability::None,
                partitions,
                store_id: Uuid::new_v4(),
                shared: false,
            },
            clock,
            watch_capacity: WATCH_CAPACITY,
        })
    }

    /// The same store, whose cores may be this many watch events behind.
    #[must_use]
    pub fn with_watch_capacity(mut self, events: usize) -> Self {
        self.watch_capacity = events.max(1);
        self
    }

    /// One core's handle.
    #[must_use]
    pub fn core(&self) -> SharedLog {
        Rc::new(MemoryCore {
            subscriptions: RefCell::new(self.fanout.join(self.watch_capacity)),
            store: self.clone(),
        })
    }

    /// Every call is one critical section that leaves the state whole.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, Millis) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Millis(self.clock.wall_ms());
        act(&mut state, now)
    }
}

pub(super) struct MemoryCore {
    pub(super) store: MemoryStore,
    subscriptions: RefCell<Subscriptions>,
}

impl MemoryCore {
    pub(super) fn call<T: 'static>(
        &self,
        act: impl FnOnce(&mut State, Millis) -> T + 'static,
    ) -> LogFuture<'_, T> {
        async move { Ok(self.store.with(act)) }.boxed_local()
    }
}

impl Log for MemoryCore {
    fn info(&self) -> &StoreInfo {
        &self.store.info
    }

    fn append(&self, append: Append) -> LogFuture<'_, Answer> {
        async move {
            append.check()?;
            Ok(self.store.with(|state, now| {
                let (answer, log, records) = state.append(&append, now);
                // Inside the critical section: watchers hear in the order of the numbers.
                self.store.fanout.records(log, &records);
                answer
            }))
        }
        .boxed_local()
    }

    fn tail(&self, log: LogId) -> LogFuture<'_, Option<Tail>> {
        self.call(move |state, now| state.logs.get(log, now).map(|entry| entry.tail()))
    }

    fn read_forward(&self, log: LogId, from: u64, limit: usize) -> LogFuture<'_, Option<Page>> {
        self.call(move |state, now| state.logs.get(log, now).map(|entry| entry.forward(from, limit)))
    }

    fn read_backward(&self, log: LogId, to: u64, limit: usize) -> LogFuture<'_, Option<Page>> {
        self.call(move |state, now| state.logs.get(log, now).map(|entry| entry.backward(to, limit)))
    }

    fn tops(&self, partition: u16, logs: Vec<LogId>) -> LogFuture<'_, Vec<Option<Position>>> {
        async move {
            check_batch(logs.len())?;
            let count = self.store.info.partitions;
            Ok(self.store.with(|state, now| {
                logs.into_iter()
                    .map(|log| {
                        let entry = state.logs.get(log, now)?;
                        (log.spread().partition(count) == partition).then(|| entry.top())
                    })
                    .collect()
            }))
        }
        .boxed_local()
    }

    fn erase(&self, log: LogId, numbers: Vec<u64>) -> LogFuture<'_, ()> {
        async move {
            check_batch(numbers.len())?;
            self.store.with(|state, now| {
                if let Some(entry) = state.logs.get_mut(log, now) {
                    numbers.into_iter().for_each(|n| entry.erase(n));
                }
            });
            Ok(())
        }
        .boxed_local()
    }

    fn trim(&self, log: LogId, below: u64) -> LogFuture<'_, ()> {
        self.call(move |state, now| {
            if let Some(entry) = state.logs.get_mut(log, now) {
                entry.trim(below);
            }
        })
    }

    fn peer(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, Option<LogId>> {
        self.call(move |state, now| {
            let log = state.partition(partition).peers.get(&peer).copied()?;
            state.is_open(log, now).then_some(log)
        })
    }

    fn open_sessions(&self, tenant: TenantId) -> LogFuture<'_, u64> {
        self.call(move |state, now| {
            state.open.get_mut(&tenant).map_or(0, |open| {
                open.retain(|_, expires| *expires > now);
                open.len() as u64
            })
        })
    }

    fn take_watch(&self) -> Option<Watch> {
        self.subscriptions.borrow_mut().take()
    }

    fn watch(&self, log: LogId) -> LogFuture<'_, ()> {
        async move {
            self.subscriptions.borrow().watch(log);
            Ok(())
        }
        .boxed_local()
    }

    fn unwatch(&self, log: LogId) {
        self.subscriptions.borrow().unwatch(log);
    }

    fn signal(&self, log: LogId, payload: Bytes) {
        self.store.fanout.signal(log, &payload);
    }

    fn lease_effects(&self, partition: u16, limit: usize, lease_ms: u64) -> LogFuture<'_, Vec<Leased>> {
        self.call(move |state, now| state.partition(partition).lanes.lease(limit, lease_ms, now))
    }

    fn complete_effect(&self, id: EffectId, lane: String) -> LogFuture<'_, ()> {
        self.call(move |state, now| drop(state.of(id.log).lanes.take(id, lane, now)))
    }

    fn claim_effect(&self, id: EffectId, lane: String, lease_ms: u64) -> LogFuture<'_, bool> {
        self.call(move |state, now| state.of(id.log).lanes.claim(id, lane, now.plus(lease_ms)))
    }

    fn retry_effect(&self, id: EffectId, lane: String, after_ms: u64) -> LogFuture<'_, ()> {
        self.call(move |state, now| {
            let at = now.plus(after_ms);
            if state.of(id.log).lanes.retry(id, lane, at) {
                let (least, keep) = (at.plus(RETRY_KEEP_MS), at.plus(2 * RETRY_KEEP_MS));
                state.logs.keep(id.log, least, keep, now);
            }
        })
    }

    fn due_timers(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<DueTimer>> {
        self.call(move |state, now| {
            let due = state.partition(partition).timers.due(now, limit);
            due.into_iter()
                .map(|(due, (log, name))| DueTimer { log, name, due })
                .collect()
        })
    }

    fn renew(&self, partition: u16, logs: Vec<LogId>, ttl_ms: u64) -> LogFuture<'_, ()> {
        self.call(move |state, now| {
            let alive = &mut state.partition(partition).alive;
            for log in logs {
                alive.set(log, now.plus(ttl_ms));
            }
        })
    }

    fn lapsed(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<LogId>> {
        self.call(move |state, now| {
            let due = state.partition(partition).alive.due(now, limit);
            due.into_iter().map(|(_, log)| log).collect()
        })
    }

    fn matching(&self, tenant: TenantId, op: MatchOp) -> LogFuture<'_, MatchAnswer> {
        self.call(move |state, now| state.tables.write_and_pair(tenant, &op, now).1)
    }

    fn hold_best_pair(&self, tenant: TenantId) -> LogFuture<'_, MatchAnswer> {
        self.call(move |state, now| state.tables.hold_best(tenant, now))
    }

    fn queue_rank(
        &self,
        tenant: TenantId,
        queue: String,
        session: LogId,
    ) -> LogFuture<'_, Option<QueueRank>> {
        self.call(move |state, now| state.tables.rank(tenant, &queue, session, now))
    }

    fn announce(&self, node: NodeId, level: u32, ttl_ms: u64) -> LogFuture<'_, Vec<(NodeId, u32)>> {
        self.call(move |state, now| {
            state.nodes.retain(|_, (_, until)| *until > now);
            state.nodes.insert(node, (level, now.plus(ttl_ms)));
            state
                .nodes
                .iter()
                .map(|(node, (level, _))| (*node, *level))
                .collect()
        })
    }

    fn spend(&self, token: [u8; 16], ttl_ms: u64) -> LogFuture<'_, bool> {
        self.call(move |state, now| {
            for (_, spent) in state.spent.due(now, usize::MAX) {
                state.spent.clear(&spent);
            }
            let fresh = !state.spent.contains(&token);
            if fresh {
                state.spent.set(token, now.plus(ttl_ms));
            }
            fresh
        })
    }

    fn canary(&self) -> LogFuture<'_, ()> {
        canary(self).boxed_local()
    }
}
