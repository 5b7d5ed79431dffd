//! How long to wait before trying again: exponential, capped, with full jitter.
//!
//! Full jitter (uniform between nothing and the ceiling) because many clients that failed together must not
//! come back together. Randomness is an argument, so a schedule can be replayed in a test.

use std::time::Duration;

/// An exponential schedule with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

impl Backoff {
    /// A schedule whose ceiling is `base`, doubled at each attempt, and never above `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// The longest wait before attempt `attempt` (0 is the first retry).
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// The wait before attempt `attempt`: uniform in `[0, ceiling]`, picked by `random`, any 64 random bits.
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        spread(self.ceiling(attempt), random)
    }
}

/// A point in `[0, window]` picked by 64 random bits. Spreads what must not happen all at once.
pub fn spread(window: Duration, random: u64) -> Duration {
    let nanos = window.as_nanos().saturating_mul(u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCHEDULE: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        assert_eq!(SCHEDULE.ceiling(0), Duration::from_millis(100));
        assert_eq!(SCHEDULE.ceiling(3), Duration::from_millis(800));
        assert_eq!(SCHEDULE.ceiling(9), Duration::from_secs(30));
        assert_eq!(SCHEDULE.ceiling(u32::MAX), Duration::from_secs(30));
    }

    proptest! {
        #[test]
        fn a_delay_never_exceeds_its_ceiling(attempt: u32, random: u64) {
            prop_assert!(SCHEDULE.delay(attempt, random) <= SCHEDULE.ceiling(attempt));
        }

        #[test]
        fn a_spread_reaches_both_ends_of_the_window(ms in 1_u64..100_000) {
            let window = Duration::from_millis(ms);
            prop_assert_eq!(spread(window, 0), Duration::ZERO);
            prop_assert!(window - spread(window, u64::MAX) <= Duration::from_nanos(1));
        }
    }
}
