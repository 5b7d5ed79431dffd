//! A circuit breaker: after enough failures in a row a peer is left alone, then tried by one call at a time.
//!
//! Pure: the time and the random number are arguments.

use std::time::{Duration, Instant};

use crate::runtime::backoff::{Backoff, spread};

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerPolicy {
    /// Failures in a row that open it; at least one.
    pub failures: u32,
    /// How long it stays open the first time; doubled each time its probe fails.
    pub pause: Duration,
    /// The longest it stays open.
    pub longest: Duration,
    /// A probe that nobody reported on counts as lost after so long.
    pub probe: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            probe: Duration::from_secs(30),
        }
    }
}

/// The breaker of one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls pass; so many failed in a row.
    Closed(u32),
    /// No call passes before then; it has opened so many times in a row.
    Open(Instant, u32),
    /// One call probes; unless it is reported on by then, another may.
    Probing(Instant, u32),
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(0)
    }
}

/// Whether a call may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It may.
    Free,
    /// It may, and its outcome decides.
    Probe,
    /// Not before so long.
    Shut(Duration),
}

impl Breaker {
    /// Asks for a call at `now`. Whoever passes reports by [`Breaker::succeeded`] or [`Breaker::failed`].
    pub fn ask(&mut self, policy: &BreakerPolicy, now: Instant) -> Passage {
        match self.0 {
            State::Closed(_) => Passage::Free,
            State::Open(until, _) | State::Probing(until, _) if now < until => Passage::Shut(until - now),
            State::Open(_, times) | State::Probing(_, times) => {
                self.0 = State::Probing(now + policy.probe, times);
                Passage::Probe
            }
        }
    }

    /// A call came through: the peer is well.
    pub fn succeeded(&mut self) {
        self.0 = State::Closed(0);
    }

    /// A call failed. `random` (any 64 bits) spreads when nodes that failed together try again: between half
    /// of the pause and all of it.
    pub fn failed(&mut self, policy: &BreakerPolicy, now: Instant, random: u64) {
        let times = match self.0 {
            State::Closed(failures) if failures.saturating_add(1) < policy.failures => {
                self.0 = State::Closed(failures + 1);
                return;
            }
            State::Closed(_) => 0,
            // Calls that were on their way when it opened tell nothing new.
            State::Open(..) => return,
            State::Probing(_, times) => times.saturating_add(1),
        };
        let pause = Backoff::new(policy.pause, policy.longest).ceiling(times);
        self.0 = State::Open(now + pause / 2 + spread(pause / 2, random), times);
    }

    /// Whether calls are turned away at `now`.
    pub fn is_open(&self, now: Instant) -> bool {
        matches!(self.0, State::Open(until, _) | State::Probing(until, _) if now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        pause: Duration::from_secs(1),
        longest: Duration::from_secs(60),
        probe: Duration::from_secs(10),
    };

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            assert_eq!(breaker.ask(&POLICY, now), Passage::Free);
            breaker.failed(&POLICY, now, u64::MAX);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.failed(&POLICY, now, 0);
        breaker.failed(&POLICY, now, 0);
        breaker.succeeded();
        breaker.failed(&POLICY, now, 0);
        breaker.failed(&POLICY, now, 0);
        assert!(!breaker.is_open(now));
        assert!(opened(now).is_open(now));
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(matches!(breaker.ask(&POLICY, now), Passage::Shut(_)));
        let later = now + Duration::from_secs(1);
        assert_eq!(breaker.ask(&POLICY, later), Passage::Probe);
        assert!(matches!(breaker.ask(&POLICY, later), Passage::Shut(_)));
        breaker.succeeded();
        assert_eq!(breaker.ask(&POLICY, later), Passage::Free);
    }

    #[test]
    fn a_failed_probe_doubles_the_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(breaker.ask(&POLICY, later), Passage::Probe);
        breaker.failed(&POLICY, later, u64::MAX);
        let Passage::Shut(wait) = breaker.ask(&POLICY, later) else {
            panic!("open after a failed probe");
        };
        assert!(
            wait > Duration::from_millis(1_900) && wait <= Duration::from_secs(2),
            "{wait:?}"
        );
    }

    #[test]
    fn a_probe_that_vanished_is_followed_by_another() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(breaker.ask(&POLICY, later), Passage::Probe);
        assert_eq!(breaker.ask(&POLICY, later + POLICY.probe), Passage::Probe);
    }

    proptest! {
        #[test]
        fn it_never_stays_open_beyond_the_longest_pause(outcomes: Vec<(bool, u64)>) {
            let mut now = Instant::now();
            let mut breaker = Breaker::default();
            for (good, random) in outcomes {
                match breaker.ask(&POLICY, now) {
                    Passage::Shut(wait) => {
                        prop_assert!(wait <= POLICY.longest);
                        now += wait;
                        prop_assert_eq!(breaker.ask(&POLICY, now), Passage::Probe);
                    }
                    Passage::Free | Passage::Probe => {}
                }
                if good { breaker.succeeded() } else { breaker.failed(&POLICY, now, random) }
            }
        }
    }
}
