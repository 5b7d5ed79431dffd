//! The session log: compare-and-append over numbered, chained records (DESIGN section 3).
//!
//! **Owns** the trait [`Log`] and its answers, the stores behind it, the matching tables, timers, effects and
//! liveness deadlines that are written with the records. **Leaves** to [`crate::session`] what a record means and to
//! `shard` when to append.
//!
//! **Must never happen**: an `Appended` answer for records that the store could lose in a failure its durability
//! covers; two records under one number of one history; an effect or timer without its record or the other way round; a guess
//! about an append whose outcome is unknown; an effect in two places (its lane, the dead letters, done) or in none.

mod append;
pub mod archive;
pub mod bounds;
mod effects;
pub mod embedded;
mod error;
pub mod local;
mod mailbox;
mod matching;
pub mod media;
pub mod memory;
mod outbound;
pub mod redis;
mod store;
mod watch;

pub use append::{
    Answer, Append, Basis, Index, Key, NewEffect, NewRecord, PeerKey, StoredBody, StoredRecord, TimerChange,
};
pub use effects::{EffectId, Leased};
pub use error::LogError;
pub use mailbox::{MailPage, Mailbox};
pub use matching::{HOLD_MS, MatchAnswer, Pair, QueueRank, admits, best_pair, own_skill};
pub use outbound::{DeadEffect, Outbound, Referred};
pub use store::{
    DueTimer, Durability, Log, LogFuture, NodeId, Page, SharedLog, StoreInfo, Tail, UnknownDurability,
};
pub use watch::{Watch, WatchEvent};
