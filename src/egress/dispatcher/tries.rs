//! How often a message was really tried: an effect that found no place, or whose hour had not come, was not.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::log::EffectId;

/// Messages whose failures are remembered. Past this all begin anew: a few more tries, never fewer.
const REMEMBERED: usize = 4_096;

/// The failed tries of one core. They are not kept: after a restart a message has all its tries again, until its time is over.
#[derive(Debug, Default)]
pub(super) struct Tries(RefCell<HashMap<EffectId, u32>>);

impl Tries {
    /// Tries made so far.
    pub(super) fn made(&self, id: EffectId) -> u32 {
        self.0.borrow().get(&id).copied().unwrap_or_default()
    }

    /// One more failed.
    pub(super) fn failed(&self, id: EffectId) {
        let mut all = self.0.borrow_mut();
        if all.len() >= REMEMBERED && !all.contains_key(&id) {
            all.clear();
        }
        *all.entry(id).or_default() += 1;
    }

    /// It has come to its end.
    pub(super) fn forget(&self, id: EffectId) {
        self.0.borrow_mut().remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{LogId, TenantId};

    #[test]
    fn failures_are_counted_for_each_message_and_memory_is_bounded() {
        let id = |n| EffectId {
            log: LogId::feed(TenantId(Uuid::from_u128(1)), "campaign/a/b"),
            n,
            place: 0,
        };
        let tries = Tries::default();
        tries.failed(id(1));
        tries.failed(id(1));
        assert_eq!((tries.made(id(1)), tries.made(id(2))), (2, 0));
        tries.forget(id(1));
        assert_eq!(tries.made(id(1)), 0);
        for n in 0..=REMEMBERED {
            tries.failed(id(n as u64));
        }
        assert!(tries.0.borrow().len() <= REMEMBERED);
    }
}
