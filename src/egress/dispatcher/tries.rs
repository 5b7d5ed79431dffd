//! How often an effect was really tried. The store counts how often it was taken up: also when its target was busy or left alone, when its
//! hour had not come, or nothing could be read. None of that is an attempt, and a schedule that counted it would end long before its time.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::log::EffectId;
use crate::shard::{Delivery, Verdict};

/// Effects whose failures are remembered.
const REMEMBERED: usize = 65_536;

/// The failed attempts of one core. They are not kept: after a restart an effect has all its attempts again.
#[derive(Debug, Default)]
pub struct Tries(RefCell<HashMap<EffectId, u32>>);

impl Tries {
    /// Which attempt this is, the first being 1. Where memory is full the store's own count stands in.
    pub(super) fn attempt(&self, delivery: &Delivery) -> u32 {
        let all = self.0.borrow();
        match all.get(&delivery.id) {
            Some(failed) => failed.saturating_add(1),
            None if all.len() >= REMEMBERED => delivery.attempt.max(1),
            None => 1,
        }
    }

    /// What became of an attempt.
    pub(super) fn ended(&self, id: EffectId, verdict: &Verdict) {
        let mut all = self.0.borrow_mut();
        match verdict {
            Verdict::Later(_) => {
                if all.len() < REMEMBERED || all.contains_key(&id) {
                    let failed = all.entry(id).or_default();
                    *failed = failed.saturating_add(1);
                }
            }
            Verdict::Spared(_) => {}
            Verdict::Done | Verdict::Dead(_) => {
                all.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::model::{LogId, Notice, Target, TenantId};

    fn delivery(n: u64, attempt: u32) -> Delivery {
        let tenant = TenantId(Uuid::from_u128(1));
        Delivery {
            id: EffectId {
                log: LogId::feed(tenant, "campaign/a/b"),
                n,
                place: 0,
            },
            attempt,
            tenant,
            target: Target::History,
            notice: Notice::Started,
        }
    }

    const LATER: Verdict = Verdict::Later(Duration::from_secs(1));

    #[test]
    fn what_was_spared_is_no_attempt() {
        let tries = Tries::default();
        let one = delivery(1, 9);
        assert_eq!(tries.attempt(&one), 1);
        tries.ended(one.id, &Verdict::Spared(Duration::from_secs(1)));
        assert_eq!(tries.attempt(&one), 1);
        tries.ended(one.id, &LATER);
        tries.ended(one.id, &LATER);
        assert_eq!((tries.attempt(&one), tries.attempt(&delivery(2, 1))), (3, 1));
        tries.ended(one.id, &Verdict::Done);
        assert_eq!(tries.attempt(&one), 1);
    }

    #[test]
    fn beyond_its_memory_the_store_counts() {
        let tries = Tries::default();
        for n in 0..REMEMBERED as u64 {
            tries.ended(delivery(n, 1).id, &LATER);
        }
        let more = delivery(u64::MAX, 7);
        tries.ended(more.id, &LATER);
        assert_eq!(tries.attempt(&more), 7);
        assert_eq!(tries.attempt(&delivery(3, 7)), 2);
    }
}
