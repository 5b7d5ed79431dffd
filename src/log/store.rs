//! The trait of a session log, as one core sees it.

use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use crate::model::{LogId, MatchOp, Millis, Position, TenantId};

use super::append::{Answer, Append, PeerKey, StoredRecord};
use super::effects::{EffectId, Leased};
use super::error::LogError;
use super::matching::{MatchAnswer, QueueRank};
use super::outbound::Outbound;
use super::watch::Watch;

/// What every call returns: a local future, since a core's handle never leaves its core.
pub type LogFuture<'a, T> = LocalBoxFuture<'a, Result<T, LogError>>;

/// Which failures an acknowledged append survives (DESIGN section 4), as `X-Durability` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// None.
    None,
    /// `kill -9` of any process.
    Process,
    /// Also loss of power.
    Machine,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Process => "process",
            Self::Machine => "machine",
        })
    }
}

/// The text names no durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected none, process or machine")]
pub struct UnknownDurability;

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::None, Self::Process, Self::Machine]
            .into_iter()
            .find(|durability| durability.to_string() == text)
            .ok_or(UnknownDurability)
    }
}

/// What a store is, checked once at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// `embedded`, `redis` or `memory`.
    pub name: &'static str,
    /// What a 2xx means here.
    pub durability: Durability,
    /// A power of two of at most 4096, fixed when the store was first used.
    pub partitions: u16,
    /// Fixed when the store was first used.
    pub store_id: Uuid,
    /// Whether another process may append too. Where not, a replica is never stale and needs no watch.
    pub shared: bool,
}

/// One running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub Uuid);

/// The part of a log that a replica is rebuilt from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Where the log stood just before the first of the records.
    pub base: Position,
    /// From the last snapshot (or the first record kept) to the top, in order.
    pub records: Vec<StoredRecord>,
}

/// A stretch of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In order of number.
    pub records: Vec<StoredRecord>,
    /// The first number the store still has; 1 unless the log was trimmed.
    pub oldest: u64,
    /// Where the log stands.
    pub top: Position,
}

/// A deadline that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueTimer {
    /// Whose.
    pub log: LogId,
    /// Which of its timers.
    pub name: u16,
    /// When it was due.
    pub due: Millis,
}

/// A session log. All times are the store's; every call has a deadline of its own and ends in [`LogError`] when it passes.
pub trait Log: Outbound {
    /// What this store is.
    fn info(&self) -> &StoreInfo;

    /// Appends, or says why not. On [`LogError::Unknown`] the caller reads back.
    fn append(&self, append: Append) -> LogFuture<'_, Answer>;

    /// From the last snapshot to the top. `None`: there is no such log, or it has expired.
    fn tail(&self, log: LogId) -> LogFuture<'_, Option<Tail>>;

    /// Up to `limit` (at most 1,000) records with numbers from `from` on. `None` as in [`Self::tail`].
    fn read_forward(&self, log: LogId, from: u64, limit: usize) -> LogFuture<'_, Option<Page>>;

    /// The `limit` (at most 1,000) records up to and including number `to`, in order of number. `None` as in [`Self::tail`].
    fn read_backward(&self, log: LogId, to: u64, limit: usize) -> LogFuture<'_, Option<Page>>;

    /// Where logs of one partition stand, in the order asked (at most 1,000); `None` for those that are not there.
    fn tops(&self, partition: u16, logs: Vec<LogId>) -> LogFuture<'_, Vec<Option<Position>>>;

    /// Erases the bodies of these records; the chain stays whole. Numbers without a body are passed over.
    fn erase(&self, log: LogId, numbers: Vec<u64>) -> LogFuture<'_, ()>;

    /// Forgets records below `below`, never the last snapshot or what follows it.
    fn trim(&self, log: LogId, below: u64) -> LogFuture<'_, ()>;

    /// The open session of a peer whose logs live in `partition`.
    fn peer(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, Option<LogId>>;

    /// How many sessions of a tenant are open, over all partitions.
    fn open_sessions(&self, tenant: TenantId) -> LogFuture<'_, u64>;

    /// The core's subscriptions; taken once.
    fn take_watch(&self) -> Option<Watch>;

    /// Ready when the subscription is confirmed: then read. Watching twice is one subscription.
    fn watch(&self, log: LogId) -> LogFuture<'_, ()>;

    /// Ends a subscription.
    fn unwatch(&self, log: LogId);

    /// Tells the watchers of a log something that is not worth keeping. Best effort.
    fn signal(&self, log: LogId, payload: Bytes);

    /// Leases the first effect of up to `limit` due lanes of a partition for `lease_ms`.
    fn lease_effects(&self, partition: u16, limit: usize, lease_ms: u64) -> LogFuture<'_, Vec<Leased>>;

    /// The effect is done; the next in its lane is due at once. Done twice is done.
    fn complete_effect(&self, id: EffectId, lane: String) -> LogFuture<'_, ()>;

    /// Leases one effect to the node that wrote it, before anybody else has: `true` if it is the first of its lane and was
    /// never leased. What stands behind another waits for it.
    fn claim_effect(&self, id: EffectId, lane: String, lease_ms: u64) -> LogFuture<'_, bool>;

    /// The effect failed: its lane waits this long. Its log, where there still is one, is kept for at least
    /// [`super::bounds::RETRY_KEEP_MS`] after that: an effect is rendered from records.
    fn retry_effect(&self, id: EffectId, lane: String, after_ms: u64) -> LogFuture<'_, ()>;

    /// Timers of a partition whose time has come. They stay until an append moves or clears them.
    fn due_timers(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<DueTimer>>;

    /// Moves the liveness deadlines of logs of one partition to now + `ttl_ms`. Logs that have none get one.
    fn renew(&self, partition: u16, logs: Vec<LogId>, ttl_ms: u64) -> LogFuture<'_, ()>;

    /// Logs of a partition whose liveness deadline has passed. They stay until an append says otherwise.
    fn lapsed(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<LogId>>;

    /// Writes a tenant's matching tables and holds a pair that this made possible, in the same step, for
    /// [`HOLD_MS`](super::HOLD_MS) at most. A write that is older than what is known changes nothing and names nobody.
    fn matching(&self, tenant: TenantId, op: MatchOp) -> LogFuture<'_, MatchAnswer>;

    /// Holds the best pair of the whole tenant: the sweep.
    fn hold_best_pair(&self, tenant: TenantId) -> LogFuture<'_, MatchAnswer>;

    /// Where a waiting session stands; `None` when it does not wait.
    fn queue_rank(&self, tenant: TenantId, queue: String, session: LogId)
    -> LogFuture<'_, Option<QueueRank>>;

    /// Announces a living node and the highest schema level it understands for `ttl_ms`; returns all that live.
    fn announce(&self, node: NodeId, level: u32, ttl_ms: u64) -> LogFuture<'_, Vec<(NodeId, u32)>>;

    /// Spends a single-use token (an agent ticket) for `ttl_ms`: `true` for exactly one caller in the whole cluster.
    fn spend(&self, token: [u8; 16], ttl_ms: u64) -> LogFuture<'_, bool>;

    /// Writes and reads a canary through the path of a real append.
    fn canary(&self) -> LogFuture<'_, ()>;
}

/// A core's handle on the log.
pub type SharedLog = Rc<dyn Log>;
