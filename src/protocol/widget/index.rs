//! The `index` of a message: sixteen digits, which the widget compares as text and as numbers (DESIGN 3.1).

use std::fmt;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

const FLOOR: u64 = 1_000_000_000_000_000;
const STEP: u64 = 10_000;
/// The widget reads indexes as doubles.
const CEILING: u64 = 1 << 53;

/// 10^15 + 10^4 (n + base) for a record, and up to 9,999 more for a signal that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(u64);

impl Index {
    /// The index of record `n`.
    #[must_use]
    pub fn record(n: u64, bases: &Bases) -> Self {
        let place = n.saturating_add(bases.of(n));
        Self(FLOOR.saturating_add(place.saturating_mul(STEP)).min(CEILING - 1))
    }

    /// The index of a signal that arose `quarter` quarter seconds after record `n`.
    #[must_use]
    pub fn signal(n: u64, quarter: u16, bases: &Bases) -> Self {
        Self(Self::record(n, bases).0 + u64::from(quarter.clamp(1, 9_999)))
    }

    /// Reads what was once given out; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let value = text.parse().ok()?;
        (FLOOR..CEILING).contains(&value).then_some(Self(value))
    }

    /// The record it names. A signal's is the record it followed; that of a record the store has lost, the last one kept.
    #[must_use]
    pub fn n(self, bases: &Bases) -> u64 {
        let place = (self.0 - FLOOR) / STEP;
        bases.number_at(place)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016}", self.0)
    }
}

impl Serialize for Index {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// By how much the numbers of a session's records are raised: nothing, until its store has lost records once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bases(SmallVec<[(u64, u64); 1]>);

impl Bases {
    /// Records above `after` are raised by `base`; call in the order of the rollbacks.
    pub fn raise(&mut self, after: u64, base: u64) {
        self.0.push((after, base));
    }

    fn of(&self, n: u64) -> u64 {
        self.0
            .iter()
            .rev()
            .find(|(after, _)| n > *after)
            .map_or(0, |(_, base)| *base)
    }

    fn number_at(&self, place: u64) -> u64 {
        for (after, base) in self.0.iter().rev() {
            if place > after + base {
                return place - base;
            }
            let before = self.of(*after);
            if place > after + before {
                return *after;
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_index_is_sixteen_digits() {
        let bases = Bases::default();
        assert_eq!(Index::record(4, &bases).to_string(), "1000000000040000");
        assert_eq!(Index::signal(4, 7, &bases).to_string(), "1000000000040007");
        assert_eq!(
            serde_json::to_string(&Index::record(1, &bases)).unwrap(),
            "\"1000000000010000\""
        );
    }

    #[test]
    fn after_a_rollback_new_records_stand_above_all_that_was_ever_given_out() {
        let mut bases = Bases::default();
        let lost = Index::record(900, &bases);
        let kept = Index::record(10, &bases);
        bases.raise(10, 1_000);
        assert_eq!(Index::record(10, &bases), kept);
        assert!(Index::record(11, &bases) > lost);
        assert_eq!(lost.n(&bases), 10);
        assert_eq!(Index::record(11, &bases).n(&bases), 11);
    }

    #[test]
    fn what_was_never_given_out_is_no_index() {
        for text in [
            "",
            "1",
            "0999999999999999",
            "9999999999999999",
            "-100000000004000",
            "10000000000400000",
            "١000000000040000",
        ] {
            assert_eq!(Index::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn indexes_rise_as_text_and_as_numbers(
            ns in proptest::collection::btree_set(1_u64..1_000_000_000, 2..20),
            quarter in 1_u16..=9_999,
            after in 1_u64..1_000_000_000,
        ) {
            let mut bases = Bases::default();
            bases.raise(after, 1_000);
            let mut last = String::new();
            for n in ns {
                let record = Index::record(n, &bases).to_string();
                let signal = Index::signal(n, quarter, &bases).to_string();
                prop_assert!(last < record && record < signal);
                prop_assert_eq!((record.len(), signal.len()), (16, 16));
                prop_assert!(signal.parse::<u64>().unwrap() < 1 << 53);
                last = signal;
            }
        }

        #[test]
        fn an_index_names_its_record_again(
            n in 1_u64..1_000_000,
            quarter in 1_u16..=9_999,
            rollbacks in proptest::collection::btree_map(1_u64..1_000_000, 0_u64..3, 0..4),
        ) {
            let mut bases = Bases::default();
            for (place, after) in rollbacks.keys().enumerate() {
                bases.raise(*after, (place as u64 + 1) * 1_000);
            }
            for index in [Index::record(n, &bases), Index::signal(n, quarter, &bases)] {
                prop_assert_eq!(Index::parse(&index.to_string()), Some(index));
                prop_assert_eq!(index.n(&bases), n);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}", after in any::<u32>()) {
            let mut bases = Bases::default();
            bases.raise(after.into(), 1_000);
            if let Some(index) = Index::parse(&text) {
                let _ = index.n(&bases);
            }
        }
    }
}
