//! Callbacks of providers that hardly send again, kept on this node's disk while the log is away, and fed to it in order afterwards.
//!
//! **Owns** the files, their bound, who has something in them, and the feeding. **Leaves** to the handler what may be kept: a STOP
//! never is, for it must hold at every node once it is answered.
//!
//! **Must never happen**: a callback answered before it is on the disk; one dropped because a file ends in the middle of another, or
//! because nobody can read it; two nodes with one directory.

mod disk;
mod entry;
mod feeder;
mod shared;

pub(super) use entry::Entry;
pub use feeder::Feeder;
pub use shared::Spool;
