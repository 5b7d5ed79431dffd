//! How late a core runs its timers: the first sign of a core that has too much to do, or that has stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

/// How often lateness is measured.
const EVERY: Duration = Duration::from_millis(500);

/// The lateness of one core.
#[derive(Debug, Clone)]
pub struct Lag(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    since: Instant,
    /// When the last timer ran, in microseconds since `since`; zero until a core has begun.
    ran: AtomicU64,
    /// How late it was, in microseconds.
    late: AtomicU64,
}

impl Lag {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            since: Instant::now(),
            ran: AtomicU64::new(0),
            late: AtomicU64::new(0),
        }))
    }

    /// How late the last timer was, or how long the next one is overdue if that is more.
    pub(super) fn at(&self, now: Instant) -> Duration {
        let late = Duration::from_micros(self.0.late.load(Ordering::Relaxed));
        match self.0.ran.load(Ordering::Relaxed) {
            0 => late,
            ran => {
                let due = self.0.since + Duration::from_micros(ran) + EVERY;
                late.max(now.saturating_duration_since(due))
            }
        }
    }

    fn ran(&self, now: Instant, late: Duration) {
        let ran = now.saturating_duration_since(self.0.since);
        self.0.ran.store(micros(ran).max(1), Ordering::Relaxed);
        self.0.late.store(micros(late), Ordering::Relaxed);
    }
}

/// Measures the runtime it is polled on, for ever. One task a core.
pub async fn watch_lag(lag: Lag) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due = ticks.tick().await;
    loop {
        let now = Instant::now();
        lag.ran(now, now.saturating_duration_since(due));
        due = now + EVERY;
        ticks.tick().await;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_core_that_stopped_is_seen_from_outside() {
        let lag = Lag::new();
        let core = tokio::spawn(watch_lag(lag.clone()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(lag.at(Instant::now()) < Duration::from_millis(10));
        core.abort();
        let _ = core.await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(lag.at(Instant::now()) > Duration::from_secs(55));
    }

    #[tokio::test(start_paused = true)]
    async fn a_core_that_has_not_begun_is_not_late() {
        let lag = Lag::new();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(lag.at(Instant::now()), Duration::ZERO);
    }
}
