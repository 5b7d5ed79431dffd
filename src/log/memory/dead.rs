//! Effects that were given up on, by tenant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use crate::log::bounds::{DEAD_HORIZON_MS, MAX_DEAD_PAGE};
use crate::log::effects::EffectId;
use crate::log::outbound::DeadEffect;
use crate::model::{Millis, TenantId};

/// The dead letters of one partition.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    tenants: HashMap<TenantId, Letters>,
}

#[derive(Debug, Default)]
struct Letters {
    by_id: BTreeMap<EffectId, DeadEffect>,
    by_age: BTreeSet<(Millis, EffectId)>,
}

impl DeadLetters {
    /// Adds one and drops what is too old or, beyond `most`, the oldest; returns how many went.
    pub(super) fn add(&mut self, tenant: TenantId, dead: DeadEffect, most: usize) -> u64 {
        let letters = self.tenants.entry(tenant).or_default();
        let now = dead.at;
        letters.by_age.insert((dead.at, dead.id));
        letters.by_id.insert(dead.id, dead);
        let mut dropped = 0;
        while let Some((at, id)) = letters.by_age.first().copied()
            && (letters.by_age.len() > most || is_over(at, now))
        {
            letters.by_age.remove(&(at, id));
            letters.by_id.remove(&id);
            dropped += 1;
        }
        dropped
    }

    pub(super) fn page(
        &self,
        tenant: TenantId,
        after: Option<EffectId>,
        limit: usize,
        now: Millis,
    ) -> Vec<DeadEffect> {
        let Some(letters) = self.tenants.get(&tenant) else {
            return Vec::new();
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        letters
            .by_id
            .range((from, Bound::Unbounded))
            .map(|(_, dead)| dead)
            .filter(|dead| !is_over(dead.at, now))
            .take(limit.min(MAX_DEAD_PAGE))
            .cloned()
            .collect()
    }

    pub(super) fn count(&self, tenant: TenantId, now: Millis) -> u64 {
        self.tenants.get(&tenant).map_or(0, |letters| {
            let over = letters
                .by_age
                .iter()
                .take_while(|(at, _)| is_over(*at, now))
                .count();
            (letters.by_age.len() - over) as u64
        })
    }

    /// Takes one out, unless it is too old to be there.
    pub(super) fn take(&mut self, tenant: TenantId, id: EffectId, now: Millis) -> Option<DeadEffect> {
        let letters = self.tenants.get_mut(&tenant)?;
        let dead = letters.by_id.remove(&id)?;
        letters.by_age.remove(&(dead.at, id));
        if letters.by_id.is_empty() {
            self.tenants.remove(&tenant);
        }
        (!is_over(dead.at, now)).then_some(dead)
    }
}

const fn is_over(at: Millis, now: Millis) -> bool {
    now.since(at) >= DEAD_HORIZON_MS
}
