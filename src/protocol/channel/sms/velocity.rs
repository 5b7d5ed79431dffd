//! How many messages may leave in a while: caps per number and per channel against pumping and runaway programs.
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

/// How much has left lately, by number and in all.
///
/// Each count fills as a bucket that drains evenly, so that there is no edge of a window to crowd around.
#[derive(Debug)]
pub struct Velocity {
    per_number: Cap,
    per_channel: Cap,
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
}

impl Velocity {
    /// Counts of one channel. At most `bound` numbers are remembered; when there are more, those that rest are forgotten, and
    /// if none rests a new number waits.
    #[must_use]
    pub fn new(per_number: Cap, per_channel: Cap, bound: usize) -> Self {
        Self {
            per_number,
            per_channel,
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
        let all = self.all.filled(self.per_channel, now)?;
        if !self.numbers.contains_key(number) && self.numbers.len() >= self.bound {
            self.numbers.retain(|_, bucket| bucket.0 > now);
            if self.numbers.len() >= self.bound {
                let soonest = self.numbers.values().map(|bucket| bucket.0.since(now)).min();
                return Err(TooFast {
                    wait: soonest.unwrap_or(1),
                });
            }
        }
        let known = self.numbers.get(number).copied().unwrap_or_default();
        let filled = known.filled(self.per_number, now)?;
        self.numbers.insert(number.to_owned(), filled);
        self.all = all;
        Ok(())
    }

    /// How many numbers are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.numbers.len()
    }
}

impl Bucket {
    fn filled(self, cap: Cap, now: Millis) -> Result<Self, TooFast> {
        let drop = (cap.within / u64::from(cap.most.max(1))).max(1);
        let next = self.0.max(now).plus(drop);
        let level = next.since(now);
        // One drop always fits, however small the window.
        let full = cap.within.max(drop);
        if level > full {
            return Err(TooFast { wait: level - full });
        }
        Ok(Self(next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn velocity(per_number: u32, per_channel: u32) -> Velocity {
        let cap = |most| Cap { most, within: 60_000 };
        Velocity::new(cap(per_number), cap(per_channel), 100)
    }

    #[test]
    fn a_number_has_its_own_cap_and_drains_evenly() {
        let mut velocity = velocity(3, 100);
        let now = Millis(1_000_000);
        for _ in 0..3 {
            velocity.admit("+1", now).unwrap();
        }
        assert_eq!(velocity.admit("+1", now), Err(TooFast { wait: 20_000 }));
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
        assert_eq!(velocity.admit("+4", now), Err(TooFast { wait: 20_000 }));
    }

    #[test]
    fn numbers_that_rest_are_forgotten_and_a_flood_of_numbers_waits() {
        let cap = Cap {
            most: 1,
            within: 1_000,
        };
        let mut velocity = Velocity::new(
            cap,
            Cap {
                most: 1_000_000,
                within: 1_000_000,
            },
            2,
        );
        velocity.admit("+1", Millis(0)).unwrap();
        velocity.admit("+2", Millis(500)).unwrap();
        assert_eq!(velocity.admit("+3", Millis(600)), Err(TooFast { wait: 400 }));
        velocity.admit("+3", Millis(1_000)).unwrap();
        assert_eq!(velocity.remembered(), 2);
    }

    proptest! {
        #[test]
        fn never_more_than_twice_the_cap_in_any_window(most in 1u32..20, steps in proptest::collection::vec(0u64..500, 1..200)) {
            let cap = Cap { most, within: 1_000 };
            let mut velocity = Velocity::new(cap, Cap { most: 1_000_000, within: 1_000_000 }, 10);
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
