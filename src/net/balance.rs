//! Spreads connections over the cores: the kernel's choice is only a first guess.
//!
//! `SO_REUSEPORT` deals connections by a hash, and long-lived ones make that uneven. A core that has clearly
//! more than the least loaded one hands a fresh connection over, before anything is read from it. A core whose
//! mailbox is full gets none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::listener::Place;
use crate::runtime::cores::CoreId;
use crate::runtime::mailbox::{Mailbox, Mailroom, Refused, mailbox};

/// How many more connections than the least loaded core one may have before it hands new ones over; besides
/// a sixteenth of what that core has.
const SLACK: usize = 4;

/// An accepted connection that nothing was read from.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) addr: SocketAddr,
    pub(crate) place: Place,
    pub(crate) load: Load,
}

#[derive(Debug)]
struct Core {
    open: Arc<AtomicUsize>,
    letters: Mailbox<Accepted>,
}

/// All cores and how many connections each has. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Balance {
    cores: Arc<[Core]>,
}

/// One core's part in the balance.
#[derive(Debug)]
pub struct Seat {
    balance: Balance,
    core: CoreId,
    pub(crate) handed: Mailroom<Accepted>,
}

/// Counts one connection of one core while it lives.
#[derive(Debug)]
pub(crate) struct Load(Arc<AtomicUsize>);

impl Balance {
    /// Seats for `cores` cores, each with a mailbox of `places` for connections handed to it.
    pub fn seats(cores: u16, places: usize) -> Vec<Seat> {
        let (all, rooms): (Vec<_>, Vec<_>) = (0..cores)
            .map(|_| {
                let (letters, room) = mailbox(places);
                (
                    Core {
                        open: Arc::default(),
                        letters,
                    },
                    room,
                )
            })
            .unzip();
        let balance = Self { cores: all.into() };
        let seat = |(core, handed)| Seat {
            balance: balance.clone(),
            core: CoreId(core),
            handed,
        };
        (0..cores).zip(rooms).map(seat).collect()
    }
}

impl Seat {
    /// Counts one connection for this core.
    pub(crate) fn load(&self) -> Load {
        Load::of(&self.balance.cores[self.core.index()])
    }

    /// The core that should have the next connection, if it is clearly another one.
    fn elsewhere(&self) -> Option<&Core> {
        let open = |core: &Core| core.open.load(Ordering::Relaxed);
        let here = open(&self.balance.cores[self.core.index()]);
        let least = self.balance.cores.iter().min_by_key(|core| open(core))?;
        (here > open(least) + SLACK + open(least) / 16).then_some(least)
    }

    /// Whether [`Seat::hand_over`] would try.
    pub(crate) fn is_crowded(&self) -> bool {
        self.elsewhere().is_some()
    }

    /// Hands a connection to the least loaded core, or back to the caller to be served here. It is counted
    /// for the other core from now on, so that a burst does not all go to one.
    pub(crate) fn hand_over(
        &self,
        stream: std::net::TcpStream,
        addr: SocketAddr,
        place: Place,
    ) -> Option<Accepted> {
        let Some(core) = self.elsewhere() else {
            return Some(Accepted {
                stream,
                addr,
                place,
                load: self.load(),
            });
        };
        match core.letters.post(Accepted {
            stream,
            addr,
            place,
            load: Load::of(core),
        }) {
            Ok(()) => None,
            Err(Refused::Full(back) | Refused::Closed(back)) => Some(Accepted {
                load: self.load(),
                ..back
            }),
        }
    }
}

impl Load {
    fn of(core: &Core) -> Self {
        core.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&core.open))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clearly_fuller_core_hands_over() {
        let seats = Balance::seats(3, 4);
        let mut held: Vec<Load> = (0..SLACK).map(|_| seats[0].load()).collect();
        assert!(!seats[0].is_crowded());
        held.push(seats[0].load());
        assert!(seats[0].is_crowded() && !seats[1].is_crowded());
        held.clear();
        assert!(!seats[0].is_crowded());
    }
}
