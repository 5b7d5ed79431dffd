//! Effects as a dispatcher sees them.
//!
//! The unit of leasing is the *lane* of a log: its first pending effect is leased, the rest wait behind it. That keeps order per
//! log and target, and lets a failing target hold up nobody else.

use std::fmt;

use bytes::Bytes;

use crate::model::LogId;

/// One id over all attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectId {
    /// The log whose record caused it.
    pub log: LogId,
    /// Number of the first record of that append.
    pub n: u64,
    /// Position among the effects of that append.
    pub place: u16,
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.log.uuid().simple(), self.n, self.place)
    }
}

/// An effect leased to this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Its id.
    pub id: EffectId,
    /// Its lane.
    pub lane: String,
    /// How many leases it has had, this one included.
    pub attempt: u32,
    /// The encoded [`crate::model::Effect`].
    pub payload: Bytes,
}
