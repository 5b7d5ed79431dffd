//! What a reader sees of a log: one immutable picture, replaced as a whole.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{LogId, Millis, ParticipantId, Position, Visibility};
use crate::session::{Desk, Session};

use super::entry::Entry;
use super::machine::Machine;

/// The picture of a log at a position.
#[derive(Debug)]
pub struct View<M: Machine> {
    /// Of which log.
    pub log: LogId,
    /// Up to where.
    pub top: Position,
    /// The state there.
    pub state: Arc<M>,
    /// The newest records, oldest first, without a hole up to `top`; at most 256.
    pub tail: Box<[Arc<Entry<M::Event>>]>,
    /// Who is typing: the latest signal of each participant.
    pub signals: Box<[Typing]>,
}

/// The picture of a session.
pub type SessionView = View<Session>;
/// The picture of a desk.
pub type DeskView = View<Desk>;

impl<M: Machine> View<M> {
    /// The number of the oldest record in the tail; one above the top when the tail is empty.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.tail.first().map_or(self.top.n + 1, |entry| entry.n)
    }

    /// The records above `n`; `None` when some of them are older than the tail and must come from the store.
    #[must_use]
    pub fn after(&self, n: u64) -> Option<&[Arc<Entry<M::Event>>]> {
        let skipped = (n + 1).checked_sub(self.oldest())?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Some(self.tail.get(skipped..).unwrap_or(&[]))
    }
}

/// A typing signal. Never stored; its place in the order was fixed by the node where it arose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// Who types.
    pub from: ParticipantId,
    /// Started or stopped.
    pub started: bool,
    /// The text so far, where the other side may see it.
    pub preview: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// The record it follows.
    pub n: u64,
    /// Quarter seconds since that record, 1 to 9999.
    pub quarter: u16,
    /// When it arose.
    pub at: Millis,
}

impl Typing {
    /// Quarter seconds from `earlier` to `later`, kept within what a v3 index has room for.
    #[must_use]
    pub fn quarters(earlier: Millis, later: Millis) -> u16 {
        u16::try_from((later.since(earlier) / 250).clamp(1, 9_999)).unwrap_or(9_999)
    }

    /// Puts a newer signal in the place of the participant's last one; an older one is ignored.
    pub fn merge(signals: &mut Vec<Self>, newer: Self) -> bool {
        match signals.iter_mut().find(|known| known.from == newer.from) {
            Some(known) if (known.n, known.quarter, known.at) > (newer.n, newer.quarter, newer.at) => false,
            Some(known) => {
                *known = newer;
                true
            }
            None => {
                signals.push(newer);
                true
            }
        }
    }
}
