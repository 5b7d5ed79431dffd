//! When an attempt is made again.

use std::time::Duration;

/// Past this an effect is a dead letter (reliability W4).
pub const WINDOW: Duration = Duration::from_secs(72 * 3_600);

/// How often and how far apart attempts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// So far apart, so many in all: what a tenant asked for.
    Fixed {
        /// Between two attempts.
        every: Duration,
        /// In all.
        attempts: u32,
    },
    /// Full jitter over growing ceilings: 10 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, then every 12 h, until 72 h have passed.
    Window,
}

impl Schedule {
    /// How long to wait after `made` attempts (at least 1), or `None` when that was the last. `dice` is uniform over
    /// `u64`; `asked` is what the receiver asked for (`Retry-After`), which is honoured up to twice the ceiling.
    #[must_use]
    pub fn next(self, made: u32, asked: Option<Duration>, dice: u64) -> Option<Duration> {
        let (ceiling, wait) = match self {
            Self::Fixed { every, attempts } => {
                if made >= attempts {
                    return None;
                }
                (every, every)
            }
            Self::Window => {
                let spent: Duration = (1..made).map(ceiling).sum();
                if spent >= WINDOW {
                    return None;
                }
                let ceiling = ceiling(made);
                (ceiling, jitter(ceiling, dice))
            }
        };
        Some(asked.map_or(wait, |asked| wait.max(asked.min(ceiling * 2))))
    }
}

/// The longest wait after so many attempts.
fn ceiling(made: u32) -> Duration {
    const STEPS: [u64; 7] = [10, 30, 120, 600, 1_800, 7_200, 21_600];
    let step = usize::try_from(made.saturating_sub(1)).unwrap_or(usize::MAX);
    Duration::from_secs(STEPS.get(step).copied().unwrap_or(43_200))
}

/// Uniform over (0, ceiling], in milliseconds.
fn jitter(ceiling: Duration, dice: u64) -> Duration {
    let most = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(dice % most + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fixed_schedule_ends_after_its_attempts() {
        let schedule = Schedule::Fixed {
            every: Duration::from_secs(10),
            attempts: 3,
        };
        let waits: Vec<_> = (1..5).map(|made| schedule.next(made, None, 7)).collect();
        let ten = Some(Duration::from_secs(10));
        assert_eq!(waits, [ten, ten, None, None]);
    }

    #[test]
    fn the_window_ends_between_72_and_96_hours_of_ceilings() {
        let last = (1..)
            .find(|made| Schedule::Window.next(*made, None, 0).is_none())
            .unwrap();
        let total: Duration = (1..last).map(ceiling).sum();
        assert!(
            total >= WINDOW && total < WINDOW + Duration::from_secs(24 * 3_600),
            "{total:?}"
        );
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_ever() {
        let asked = Schedule::Window.next(1, Some(Duration::from_secs(15)), 0);
        assert_eq!(asked, Some(Duration::from_secs(15)));
        let greedy = Schedule::Window.next(1, Some(Duration::from_secs(86_400)), 0);
        assert_eq!(greedy, Some(Duration::from_secs(20)));
    }

    proptest! {
        #[test]
        fn waits_are_spread_and_never_above_the_ceiling(made in 1u32..8, dice: u64) {
            let wait = Schedule::Window.next(made, None, dice).unwrap();
            prop_assert!(wait > Duration::ZERO && wait <= ceiling(made));
        }
    }
}
