//! How late a core runs its timers: the first sign of a core that has too much to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

/// How often lateness is measured.
const EVERY: Duration = Duration::from_millis(500);

/// The last lateness of each core, in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Lag(Arc<AtomicU64>);

impl Lag {
    pub(super) fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Measures the runtime it is polled on, for ever. One task a core.
pub async fn watch_lag(lag: Lag) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        let due = Instant::now() + EVERY;
        ticks.tick().await;
        let late = Instant::now().saturating_duration_since(due);
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        lag.0.store(micros, Ordering::Relaxed);
    }
}
