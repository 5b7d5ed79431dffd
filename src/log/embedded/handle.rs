//! The handle that cores are given.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use redb::ReadTransaction;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::log::append::{Answer, Append, PeerKey};
use crate::log::bounds::check_batch;
use crate::log::effects::{EffectId, Leased};
use crate::log::error::LogError;
use crate::log::local::{Fanout, Subscriptions, canary};
use crate::log::matching::{MatchAnswer, QueueRank};
use crate::log::store::{DueTimer, Log, LogFuture, NodeId, Page, StoreInfo, Tail};
use crate::log::watch::Watch;
use crate::model::{LogId, MatchOp, Millis, Position, TenantId};
use crate::runtime::Clock;

use super::fault::Fault;
use super::mirrors::Mirrors;
use super::pages;
use super::reader::Readers;
use super::requests::{Reply, Request};

/// What the handles of a store share.
pub(super) struct Shared {
    pub(super) info: StoreInfo,
    pub(super) clock: Clock,
    pub(super) call_timeout: Duration,
    pub(super) queue: mpsc::Sender<Request>,
    pub(super) readers: Readers,
    pub(super) mirrors: Arc<Mirrors>,
    pub(super) fanout: Fanout,
}

/// One core's side of an embedded store.
pub(super) struct EmbeddedCore {
    pub(super) shared: Arc<Shared>,
    subscriptions: RefCell<Subscriptions>,
}

impl Shared {
    pub(super) fn now(&self) -> Millis {
        Millis(self.clock.wall_ms())
    }

    /// Hands a write to the committer and waits for its commit.
    pub(super) async fn write<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, LogError> {
        let (reply, answer) = Reply::new();
        self.queue
            .try_send(request(reply))
            .map_err(|error| refused(&error))?;
        match tokio::time::timeout(self.call_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(oneshot::error::RecvError { .. })) => Err(LogError::Unknown {
                reason: "the committer ended".to_owned(),
            }),
            Err(_) => Err(LogError::Unknown {
                reason: format!("the disk took longer than {:?}", self.call_timeout),
            }),
        }
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LogError> {
        let (reply, answer) = Reply::new();
        self.readers.read(reply, read)?;
        match tokio::time::timeout(self.call_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(LogError::unavailable("the disk did not answer a read")),
        }
    }

    /// A place in the committer's queue, taken before anything is changed in memory.
    fn place(&self) -> Result<mpsc::Permit<'_, Request>, LogError> {
        self.queue.try_reserve().map_err(|error| refused(&error))
    }
}

fn refused<T>(error: &TrySendError<T>) -> LogError {
    LogError::unavailable(match error {
        TrySendError::Full(_) => "too many writes wait for the disk",
        TrySendError::Closed(_) => "the log store is closed",
    })
}

impl EmbeddedCore {
    pub(super) fn new(shared: Arc<Shared>, subscriptions: Subscriptions) -> Self {
        Self {
            shared,
            subscriptions: RefCell::new(subscriptions),
        }
    }
}

impl Log for EmbeddedCore {
    fn info(&self) -> &StoreInfo {
        &self.shared.info
    }

    fn append(&self, append: Append) -> LogFuture<'_, Answer> {
        async move {
            append.check()?;
            let append = Box::new(append);
            self.shared.write(|reply| Request::Append(append, reply)).await
        }
        .boxed_local()
    }

    fn tail(&self, log: LogId) -> LogFuture<'_, Option<Tail>> {
        let now = self.shared.now();
        self.shared
            .read(move |at| pages::tail(at, log, now))
            .boxed_local()
    }

    fn read_forward(&self, log: LogId, from: u64, limit: usize) -> LogFuture<'_, Option<Page>> {
        let now = self.shared.now();
        self.shared
            .read(move |at| pages::forward(at, log, from, limit, now))
            .boxed_local()
    }

    fn read_backward(&self, log: LogId, to: u64, limit: usize) -> LogFuture<'_, Option<Page>> {
        let now = self.shared.now();
        self.shared
            .read(move |at| pages::backward(at, log, to, limit, now))
            .boxed_local()
    }

    fn tops(&self, partition: u16, logs: Vec<LogId>) -> LogFuture<'_, Vec<Option<Position>>> {
        let (now, count) = (self.shared.now(), self.shared.info.partitions);
        async move {
            check_batch(logs.len())?;
            let is_here = move |log: LogId| log.spread().partition(count) == partition;
            self.shared
                .read(move |at| pages::tops(at, &logs, is_here, now))
                .await
        }
        .boxed_local()
    }

    fn erase(&self, log: LogId, numbers: Vec<u64>) -> LogFuture<'_, ()> {
        async move {
            check_batch(numbers.len())?;
            self.shared
                .write(|reply| Request::Erase(log, numbers, reply))
                .await
        }
        .boxed_local()
    }

    fn trim(&self, log: LogId, below: u64) -> LogFuture<'_, ()> {
        self.shared
            .write(move |reply| Request::Trim(log, below, reply))
            .boxed_local()
    }

    fn peer(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, Option<LogId>> {
        let now = self.shared.now();
        self.shared
            .read(move |at| pages::open_session(at, partition, &peer, now))
            .boxed_local()
    }

    fn open_sessions(&self, tenant: TenantId) -> LogFuture<'_, u64> {
        let now = self.shared.now();
        self.shared
            .read(move |at| pages::open_sessions(at, tenant, now))
            .boxed_local()
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
        self.shared.fanout.signal(log, &payload);
    }

    fn lease_effects(&self, partition: u16, limit: usize, lease_ms: u64) -> LogFuture<'_, Vec<Leased>> {
        let now = self.shared.now();
        async move {
            // Mostly nothing is due: a look that waits for no commit.
            let is_due = move |at: &ReadTransaction| pages::is_lane_due(at, partition, now);
            if !self.shared.read(is_due).await? {
                return Ok(Vec::new());
            }
            let lease = |reply| Request::Lease {
                partition,
                limit,
                lease_ms,
                reply,
            };
            self.shared.write(lease).await
        }
        .boxed_local()
    }

    fn complete_effect(&self, id: EffectId, lane: String) -> LogFuture<'_, ()> {
        self.shared
            .write(move |reply| Request::Complete(id, lane, reply))
            .boxed_local()
    }

    fn claim_effect(&self, id: EffectId, lane: String, lease_ms: u64) -> LogFuture<'_, bool> {
        self.shared
            .write(move |reply| Request::Claim(id, lane, lease_ms, reply))
            .boxed_local()
    }

    fn retry_effect(&self, id: EffectId, lane: String, after_ms: u64) -> LogFuture<'_, ()> {
        self.shared
            .write(move |reply| Request::Retry(id, lane, after_ms, reply))
            .boxed_local()
    }

    fn due_timers(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<DueTimer>> {
        let now = self.shared.now();
        self.shared
            .read(move |at| pages::due_timers(at, partition, limit, now))
            .boxed_local()
    }

    fn renew(&self, partition: u16, logs: Vec<LogId>, ttl_ms: u64) -> LogFuture<'_, ()> {
        async move {
            let place = self.shared.place()?;
            let until = self.shared.now().plus(ttl_ms);
            let mut alive = self.shared.mirrors.alive(partition);
            let new: Vec<LogId> = logs.into_iter().filter(|log| alive.set(*log, until)).collect();
            if !new.is_empty() {
                place.send(Request::Revive(new, ttl_ms));
            }
            Ok(())
        }
        .boxed_local()
    }

    fn lapsed(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<LogId>> {
        async move {
            let due = self.shared.mirrors.alive(partition).due(self.shared.now(), limit);
            Ok(due.into_iter().map(|(_, log)| log).collect())
        }
        .boxed_local()
    }

    fn matching(&self, tenant: TenantId, op: MatchOp) -> LogFuture<'_, MatchAnswer> {
        async move {
            // Whoever completes the effect behind this write asks the committer after it: the write is on the disk first.
            let place = self.shared.place()?;
            let now = self.shared.now();
            let mut tables = self.shared.mirrors.tables();
            let (wrote, answer) = tables.write_and_pair(tenant, &op, now);
            if wrote {
                place.send(Request::Match(tenant, op, now));
            }
            Ok(answer)
        }
        .boxed_local()
    }

    fn hold_best_pair(&self, tenant: TenantId) -> LogFuture<'_, MatchAnswer> {
        async move {
            let now = self.shared.now();
            Ok(self.shared.mirrors.tables().hold_best(tenant, now))
        }
        .boxed_local()
    }

    fn queue_rank(
        &self,
        tenant: TenantId,
        queue: String,
        session: LogId,
    ) -> LogFuture<'_, Option<QueueRank>> {
        async move {
            let now = self.shared.now();
            Ok(self.shared.mirrors.tables().rank(tenant, &queue, session, now))
        }
        .boxed_local()
    }

    fn announce(&self, node: NodeId, level: u32, ttl_ms: u64) -> LogFuture<'_, Vec<(NodeId, u32)>> {
        async move {
            let now = self.shared.now();
            Ok(self.shared.mirrors.announce(node, level, now.plus(ttl_ms), now))
        }
        .boxed_local()
    }

    fn spend(&self, token: [u8; 16], ttl_ms: u64) -> LogFuture<'_, bool> {
        self.shared
            .write(move |reply| Request::Spend(token, ttl_ms, reply))
            .boxed_local()
    }

    fn canary(&self) -> LogFuture<'_, ()> {
        canary(self).boxed_local()
    }
}
