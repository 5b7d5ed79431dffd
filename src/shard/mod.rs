//! The per-core table of log replicas (DESIGN 3.7).
//!
//! **Owns** the replicas of sessions and desks, the one append in flight per log, what readers of this core see of them
//! ([`View`]), the timers that this node set, and the fast path of cross-log effects. A log's replica lives on
//! `partition % cores` and only that core touches it. One of which nobody wants anything for a while is folded into a block of bytes,
//! which its readers share, and opened again for the first who does.
//!
//! **Leaves** to [`crate::session`] what is decided, to the log's store which append wins, to [`Router`] who gets a waiting
//! session, and to its callers HTTP and WebSocket.
//!
//! **Must never happen**: an answer before its append is known to be safe; a state that is not a function of the records
//! up to its position; a payload queued for a reader (readers hold positions, wakes are coalesced).

mod admission;
mod ask;
mod campaigns;
mod cells;
mod decide;
mod deliverer;
mod effects;
mod entry;
mod error;
mod folded;
mod follower;
mod handle;
mod held;
mod link;
mod liveness;
mod machine;
mod machines;
mod mails;
mod measures;
mod options;
mod pump;
mod replica;
mod replies;
mod router;
mod slot;
mod stranded;
mod sweep;
mod table;
mod timers;
mod view;
mod watching;

pub use admission::{Admission, Admitted};
pub use campaigns::{Campaigns, KnownBatch, Statuses, Told};
pub use deliverer::{Deliverer, Delivery, Verdict};
pub use entry::{Entry, Wire};
pub use error::{Asked, ShardError};
pub use follower::Follower;
pub use handle::{Keyed, KeyedCause, Neighbours, Records, Shards};
pub use link::{Links, Mailroom};
pub use machine::{Context, Machine, Step, ViewReply};
pub use mails::FoundMail;
pub use options::{Liveness, ShardOptions};
pub use router::Router;
pub use view::{DeskView, SessionView, Typing, View};
