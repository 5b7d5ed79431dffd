//! Counters of one core: written by that core alone, without a locked instruction, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::names;

/// What a core counts on its hot paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// A request was answered.
    Request,
    /// A WebSocket was opened.
    SocketOpened,
    /// A WebSocket was closed.
    SocketClosed,
    /// A WebSocket ended by a fault.
    SocketFailed,
    /// An event was written to a WebSocket.
    EventSent,
    /// Bytes were written to a WebSocket.
    BytesSent,
    /// A socket was closed because its peer did not read.
    SocketSlow,
    /// A chat session was asked for.
    ChatAsked,
}

impl Count {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Request, names::REQUESTS),
        (Self::SocketOpened, names::SOCKET_CONNECTS),
        (Self::SocketClosed, names::SOCKET_DISCONNECTS),
        (Self::SocketFailed, names::SOCKET_ERRORS),
        (Self::EventSent, names::SOCKET_EVENTS),
        (Self::BytesSent, names::SOCKET_BYTES),
        (Self::SocketSlow, names::SLOW),
        (Self::ChatAsked, names::CHAT_NEW),
    ];

    fn slot(self) -> usize {
        self as usize
    }
}

// A cache line of its own, so that cores do not take it from one another.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slots([AtomicU64; Count::ALL.len()]);

/// The counters of one core. Not to be shared between threads: clones count into the same place.
#[derive(Debug, Clone)]
pub struct CoreTally(Arc<Slots>);

impl CoreTally {
    /// Counts one.
    pub fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// Counts `amount`. A load and a store: right only because one thread writes.
    pub fn add(&self, what: Count, amount: u64) {
        let slot = &self.0.0[what.slot()];
        slot.store(
            slot.load(Ordering::Relaxed).wrapping_add(amount),
            Ordering::Relaxed,
        );
    }
}

/// The tallies of all cores.
#[derive(Debug, Clone, Default)]
pub(super) struct Tallies(Arc<Mutex<Vec<CoreTally>>>);

impl Tallies {
    /// A tally for one more core.
    pub(super) fn core(&self) -> CoreTally {
        let tally = CoreTally(Arc::default());
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.push(tally.clone());
        tally
    }

    /// The sum over all cores of each count, by metric name.
    pub(super) fn sums(&self) -> Vec<(&'static str, u64)> {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |slot: usize| {
            tallies
                .iter()
                .map(|tally| tally.0.0[slot].load(Ordering::Relaxed))
                .fold(0, u64::wrapping_add)
        };
        Count::ALL
            .iter()
            .map(|(count, name)| (*name, sum(count.slot())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_cores_add_up() {
        let tallies = Tallies::default();
        let cores = [tallies.core(), tallies.core()];
        cores[0].count(Count::Request);
        cores[1].add(Count::Request, 2);
        cores[1].add(Count::BytesSent, 100);
        let sums = tallies.sums();
        assert!(sums.contains(&(names::REQUESTS, 3)));
        assert!(sums.contains(&(names::SOCKET_BYTES, 100)));
    }

    #[test]
    fn every_count_has_its_own_slot() {
        for (slot, (count, _)) in Count::ALL.iter().enumerate() {
            assert_eq!(count.slot(), slot);
        }
    }
}
