//! A request that waits for its answer.

use crate::model::Millis;

/// Names one request for as long as its answer may come. Never used twice by a [`super::Client`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Exchange(pub(super) u64);

/// A request on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) exchange: Exchange,
    /// The `id` of its message; the first, where there are several.
    pub(super) id: u64,
    pub(super) sent: Millis,
    /// When nobody answers any more: a half-open connection.
    pub(super) deadline: Millis,
}

/// Hands out what must be unique.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    exchange: u64,
    id: u64,
}

impl Numbers {
    /// A request with one message, to be answered within `within` milliseconds.
    pub(super) fn open(&mut self, now: Millis, within: u64) -> Open {
        self.exchange += 1;
        Open {
            exchange: Exchange(self.exchange),
            id: self.id(),
            sent: now,
            deadline: now.plus(within),
        }
    }

    /// The id of one more message.
    pub(super) fn id(&mut self) -> u64 {
        self.id += 1;
        self.id
    }
}
