//! How slow a peer may be: credit that waiting spends and progress earns back.
//!
//! Pure: `now` is an argument. Only time spent waiting for the peer counts, so a handler that takes its time
//! costs the peer nothing. Credit never exceeds the grace, so a fast start does not pay for an endless stall.

use std::time::{Duration, Instant};

/// The least rate, and how long a peer may stay below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Bytes a second that keep the peer's credit level. At least one.
    pub bytes_per_second: u32,
    /// The whole credit: how long a peer may move nothing at all.
    pub grace: Duration,
}

/// The credit of one peer in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    credit: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(floor: &Floor) -> Self {
        Self {
            credit: floor.grace,
            waiting_since: None,
        }
    }

    /// Whether we are not waiting for the peer, and it has all of its credit.
    pub(crate) fn is_whole(&self, floor: &Floor) -> bool {
        self.waiting_since.is_none() && self.credit == floor.grace
    }

    /// We wait for the peer. The instant at which its credit is spent.
    pub(crate) fn wait(&mut self, now: Instant) -> Instant {
        *self.waiting_since.get_or_insert(now) + self.credit
    }

    /// The peer moved `bytes`.
    pub(crate) fn moved(&mut self, floor: &Floor, bytes: usize, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.credit = self.credit.saturating_sub(now.saturating_duration_since(since));
        }
        let earned = Duration::from_secs_f64(bytes as f64 / f64::from(floor.bytes_per_second.max(1)));
        self.credit = self.credit.saturating_add(earned).min(floor.grace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Floor = Floor {
        bytes_per_second: 500,
        grace: Duration::from_secs(10),
    };

    #[test]
    fn a_silent_peer_runs_out_of_credit() {
        let now = Instant::now();
        let mut pace = Pace::new(&FLOOR);
        assert_eq!(pace.wait(now), now + FLOOR.grace);
        assert_eq!(pace.wait(now + Duration::from_secs(3)), now + FLOOR.grace);
    }

    #[test]
    fn a_peer_at_the_floor_lives_and_one_below_it_does_not() {
        for (bytes, lives) in [(500, true), (100, false)] {
            let mut now = Instant::now();
            let mut pace = Pace::new(&FLOOR);
            let survived = (0..60).all(|_| {
                let deadline = pace.wait(now);
                now += Duration::from_secs(1);
                let in_time = now <= deadline;
                pace.moved(&FLOOR, bytes, now);
                in_time
            });
            assert_eq!(survived, lives);
        }
    }

    #[test]
    fn a_fast_start_does_not_pay_for_an_endless_stall() {
        let now = Instant::now();
        let mut pace = Pace::new(&FLOOR);
        pace.moved(&FLOOR, 10_000_000, now);
        assert!(pace.is_whole(&FLOOR));
        assert_eq!(pace.wait(now), now + FLOOR.grace);
        assert!(!pace.is_whole(&FLOOR));
    }
}
