//! The store on this machine's disk: one redb file, one committer thread, group commit.
//!
//! Everything an append writes (records, key, effects, timers, indexes) goes into one transaction with the appends that
//! waited beside it, and is answered after that transaction is on the disk. There is no timer: while one group is being written the next
//! one gathers.
//!
//! | thread | does | bounded by |
//! |---|---|---|
//! | a core | hands a call over, awaits the reply | the committer's and the readers' queues: full is `Unavailable` |
//! | committer | the only writer: takes a group, commits it, publishes, replies | 256 appends or 256 KiB a group |
//! | readers | one read transaction a call | their queues |
//!
//! **In memory only**: liveness deadlines (which logs have one is on disk; since nobody could renew while the store was down, each is
//! given its whole term again at opening), announced nodes, assignment samples. The matching tables are answered from memory and written
//! behind, always before the completion of the effect that caused the write.
//!
//! **Must never happen**: an answer before its commit; a group half applied; two processes on one directory; an erased body in
//! a page that is still part of the database (pages set free are overwritten only when they are used again).

mod codec;
mod committer;
mod database;
mod dead;
mod fault;
mod group;
mod handle;
mod head;
mod keys;
mod lanes;
mod mirrors;
mod open;
mod options;
mod outbound;
mod pages;
mod places;
mod reader;
mod references;
mod requests;
mod schema;
mod sweep;
mod writes;

pub use database::OpenDatabase;
pub use open::EmbeddedStore;
pub use options::EmbeddedOptions;
