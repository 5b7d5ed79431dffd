//! How long to wait before trying again.
//!
//! Every wait after something that gave nothing has a floor, so that a server can make us try less than twice a second at
//! most; above it is full jitter, so that many clients that failed together do not come back together.

/// The shortest wait after a failure, in milliseconds.
pub(super) const FLOOR: u64 = 600;
/// The ceiling of the jitter at the first failure; it doubles at each further one.
const BASE: u64 = 1_000;
/// The highest ceiling.
const CAP: u64 = 30_000;
/// The longest wait a server's `Retry-After` may cause.
const ASKED_MAX: u64 = 60_000;

/// The wait after the `failures`-th failure in a row (from 1), in milliseconds. `random` is any 64 random bits.
pub(super) fn wait(failures: u32, random: u64, asked: Option<u64>) -> u64 {
    let ceiling = BASE
        .saturating_mul(1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX))
        .min(CAP);
    let jitter = (u128::from(ceiling) * u128::from(random)) >> 64;
    let wait = FLOOR + u64::try_from(jitter).unwrap_or(CAP);
    wait.max(asked.unwrap_or(0).min(ASKED_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_within_its_bounds(failures: u32, random: u64, asked: Option<u64>) {
            let wait = wait(failures, random, asked);
            prop_assert!((FLOOR..=ASKED_MAX).contains(&wait));
        }
    }

    #[test]
    fn waits_spread_wider_with_each_failure() {
        assert_eq!(wait(1, u64::MAX, None), FLOOR + BASE - 1);
        assert_eq!(wait(3, u64::MAX, None), FLOOR + 4 * BASE - 1);
        assert_eq!(wait(40, 0, None), FLOOR);
    }
}
