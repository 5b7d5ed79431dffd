//! How many messages may pass in a while: caps per number and per channel against floods, pumping and runaway programs.
//!
//! The state of one node: it protects a budget and is no promise. Time is an argument.

use std::collections::HashMap;

use crate::model::Millis;

/// At most so many in so long. Both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// How many.
    pub most: u32,
    /// In how many milliseconds.
    pub within: u64,
}

/// What bounds a channel; an absent cap bounds nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// Of one number.
    pub per_number: Option<Cap>,
    /// Of all numbers together.
    pub per_channel: Option<Cap>,
}

/// How much has passed lately, by number and in all.
///
/// Each count fills as a bucket that drains evenly, so that there is no edge of a window to crowd around.
#[derive(Debug)]
pub struct Velocity {
    caps: Caps,
    all: Bucket,
    numbers: HashMap<String, Bucket>,
    bound: usize,
}

/// When it will be empty if nothing more is added.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket(Millis);

/// Not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many messages lately")]
pub struct TooFast {
    /// In how many milliseconds there is room again.
    pub wait: u64,
    /// Whether it is this number's cap that is reached, and not the channel's.
    pub by_number: bool,
}

impl Velocity {
    /// Counts of one channel. At most `bound` numbers are remembered; when there are more, those that rest are forgotten, and
    /// if none rests a new number waits.
    #[must_use]
    pub fn new(caps: Caps, bound: usize) -> Self {
        Self {
            caps,
            all: Bucket::default(),
            numbers: HashMap::new(),
            bound: bound.max(1),
        }
    }

    /// Counts one message to a number, or says how long to wait; then nothing is counted.
    ///
    /// # Errors
    /// [`TooFast`].
    pub fn admit(&mut self, number: &str, now: Millis) -> Result<(), TooFast> {
        let all = self
            .all
            .filled(self.caps.per_channel, now)
            .map_err(|wait| TooFast {
                wait,
                by_number: false,
            })?;
        if self.caps.per_number.is_none() {
            self.all = all;
            return Ok(());
        }
        if !self.numbers.contains_key(number) && self.numbers.len() >= self.bound {
            self.numbers.retain(|_, bucket| bucket.0 > now);
            if self.numbers.len() >= self.bound {
                let soonest = self.numbers.values().map(|bucket| bucket.0.since(now)).min();
                return Err(TooFast {
                    wait: soonest.unwrap_or(1),
                    by_number: false,
                });
            }
        }
        let known = self.numbers.get(number).copied().unwrap_or_default();
        let filled = known.filled(self.caps.per_number, now).map_err(|wait| TooFast {
            wait,
            by_number: true,
        })?;
        self.numbers.insert(number.to_owned(), filled);
        self.all = all;
        Ok(())
    }

    /// What it bounds.
    #[must_use]
    pub const fn caps(&self) -> Caps {
        self.caps
    }

    /// How many numbers are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.numbers.len()
    }
}

impl Bucket {
    /// With one more in it, or how long to wait.
    fn filled(self, cap: Option<Cap>, now: Millis) -> Result<Self, u64> {
        let Some(cap) = cap else { return Ok(self) };
        let drop = (cap.within / u64::from(cap.most.max(1))).max(1);
        let next = self.0.max(now).plus(drop);
        let level = next.since(now);
        // One drop always fits, however small the window.
        let full = cap.within.max(drop);
        if level > full {
            return Err(level - full);
        }
        Ok(Self(next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn velocity(per_number: u32, per_channel: u32) -> Velocity {
        let cap = |most| Some(Cap { most, within: 60_000 });
        let caps = Caps {
            per_number: cap(per_number),
            per_channel: cap(per_channel),
        };
        Velocity::new(caps, 100)
    }

    #[test]
    fn a_number_has_its_own_cap_and_drains_evenly() {
        let mut velocity = velocity(3, 100);
        let now = Millis(1_000_000);
        for _ in 0..3 {
            velocity.admit("+1", now).unwrap();
        }
        let too_fast = TooFast {
            wait: 20_000,
            by_number: true,
        };
        assert_eq!(velocity.admit("+1", now), Err(too_fast));
        velocity.admit("+2", now).unwrap();
        velocity.admit("+1", now.plus(20_000)).unwrap();
        assert!(velocity.admit("+1", now.plus(20_000)).is_err());
    }

    #[test]
    fn a_channel_has_a_cap_over_all_numbers_and_a_refusal_counts_nothing() {
        let mut velocity = velocity(1, 3);
        let now = Millis(5);
        for number in ["+1", "+2", "+3"] {
            velocity.admit(number, now).unwrap();
            assert!(velocity.admit(number, now).is_err());
        }
        let too_fast = TooFast {
            wait: 20_000,
            by_number: false,
        };
        assert_eq!(velocity.admit("+4", now), Err(too_fast));
    }

    #[test]
    fn numbers_that_rest_are_forgotten_and_a_flood_of_numbers_waits() {
        let caps = Caps {
            per_number: Some(Cap {
                most: 1,
                within: 1_000,
            }),
            per_channel: None,
        };
        let mut velocity = Velocity::new(caps, 2);
        velocity.admit("+1", Millis(0)).unwrap();
        velocity.admit("+2", Millis(500)).unwrap();
        assert_eq!(
            velocity.admit("+3", Millis(600)).map_err(|error| error.wait),
            Err(400)
        );
        velocity.admit("+3", Millis(1_000)).unwrap();
        assert_eq!(velocity.remembered(), 2);
    }

    proptest! {
        #[test]
        fn never_more_than_twice_the_cap_in_any_window(most in 1u32..20, steps in proptest::collection::vec(0u64..500, 1..200)) {
            let caps = Caps { per_number: Some(Cap { most, within: 1_000 }), per_channel: None };
            let mut velocity = Velocity::new(caps, 10);
            let (mut now, mut admitted) = (Millis(0), Vec::new());
            for step in steps {
                now = now.plus(step);
                if velocity.admit("+1", now).is_ok() {
                    admitted.push(now.0);
                }
            }
            for first in &admitted {
                let within = admitted.iter().filter(|at| (*first..*first + 1_000).contains(*at)).count();
                prop_assert!(within <= 2 * most as usize);
            }
        }
    }
}
