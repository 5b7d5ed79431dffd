//! Time as a value that is handed in: the wall clock in milliseconds and a monotonic instant.
//!
//! Production code takes a [`Clock`]; tests hand in one that only they move. Pure machines take `now` as an
//! argument and never see this type.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where a component reads the time. Cheap to clone, safe to share between threads.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Test(Arc<Hands>),
}

/// The hands of a test clock: an origin, and how far each of the two times has been moved from it.
#[derive(Debug)]
struct Hands {
    origin: Instant,
    elapsed_us: AtomicU64,
    wall_ms: AtomicU64,
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Milliseconds since the Unix epoch. May step when the machine's clock is corrected.
    pub fn wall_ms(&self) -> u64 {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Source::Test(hands) => hands.wall_ms.load(Ordering::Acquire),
        }
    }

    /// A monotonic instant, for measuring and for deadlines.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::System => Instant::now(),
            Source::Test(hands) => {
                hands.origin + Duration::from_micros(hands.elapsed_us.load(Ordering::Acquire))
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<Hands>);

impl TestClock {
    /// A clock standing at `wall_ms`.
    pub fn at(wall_ms: u64) -> Self {
        Self(Arc::new(Hands {
            origin: Instant::now(),
            elapsed_us: AtomicU64::new(0),
            wall_ms: AtomicU64::new(wall_ms),
        }))
    }

    /// The clock to hand to the component under test; it follows this one.
    pub fn clock(&self) -> Clock {
        Clock(Source::Test(Arc::clone(&self.0)))
    }

    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        let us = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.elapsed_us.fetch_add(us, Ordering::AcqRel);
        self.0.wall_ms.fetch_add(ms, Ordering::AcqRel);
    }

    /// Steps the wall clock alone, forward or back, as a time correction does.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.0.wall_ms.store(wall_ms, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_clock_moves_only_when_told() {
        let test = TestClock::at(1_000);
        let clock = test.clock();
        let before = clock.now();
        assert_eq!(clock.wall_ms(), 1_000);
        test.advance(Duration::from_millis(250));
        assert_eq!(clock.wall_ms(), 1_250);
        assert_eq!(clock.now() - before, Duration::from_millis(250));
    }

    #[test]
    fn a_wall_clock_step_leaves_monotonic_time_alone() {
        let test = TestClock::at(5_000);
        let clock = test.clock();
        let before = clock.now();
        test.set_wall_ms(10);
        assert_eq!(clock.wall_ms(), 10);
        assert_eq!(clock.now(), before);
    }
}
