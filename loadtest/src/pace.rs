//! Open-loop pacing: the schedule does not slow down when the server does.
//!
//! A request's latency is measured from the moment it *should* have been sent, so that a stalled server cannot hide its
//! stall by making its clients wait (coordinated omission).

use std::time::{Duration, Instant};

/// A schedule of evenly spaced moments.
#[derive(Debug, Clone)]
pub struct Pace {
    start: Instant,
    every: Duration,
    next: u32,
}

impl Pace {
    /// `every` from `start` on.
    pub fn new(start: Instant, every: Duration) -> Self {
        Self {
            start,
            every,
            next: 0,
        }
    }

    /// Waits for the next moment and returns when it was due; returns at once when it has passed.
    pub async fn next(&mut self) -> Instant {
        let due = self.start + self.every * self.next;
        self.next += 1;
        tokio::time::sleep_until(due.into()).await;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_late_caller_gets_the_moments_it_missed() {
        let start = Instant::now();
        let mut pace = Pace::new(start, Duration::from_millis(10));
        assert_eq!(pace.next().await, start);
        tokio::time::advance(Duration::from_millis(35)).await;
        assert_eq!(pace.next().await, start + Duration::from_millis(10));
        assert_eq!(pace.next().await, start + Duration::from_millis(20));
    }
}
