//! What the two stores that live inside this process share: the fan-out to the cores, deadlines, the
//! matching tables.
//!
//! **Leaves** records and what is atomic with them to the stores. **Must never happen**: a core that is told neither of a
//! record it watches nor that it was lost.

mod canary;
mod candidates;
mod deadlines;
mod dropped;
mod fanout;
mod partitions;
mod tables;

pub use canary::canary;
pub(crate) use deadlines::Deadlines;
pub(crate) use dropped::dropped;
pub(crate) use fanout::{Fanout, Subscriptions};
pub use partitions::check_partitions;
pub(crate) use tables::{DEPARTED_MS, MatchTables};
