//! Since when a tenant's GWS has not answered, as one core knows it from its own calls.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::model::TenantId;

/// What the calls of a core say about each tenant's GWS.
#[derive(Debug, Default)]
pub(super) struct Standings {
    failing: RefCell<HashMap<TenantId, Failing>>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    tried: Instant,
}

/// How often one that is away is tried.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(1);

impl Standings {
    /// A call was answered. `true`: it had been away.
    pub(super) fn answered(&self, tenant: TenantId) -> bool {
        self.failing.borrow_mut().remove(&tenant).is_some()
    }

    /// A call was not.
    pub(super) fn failed(&self, tenant: TenantId, now: Instant) {
        let failing = Failing {
            since: now,
            tried: now,
        };
        self.failing.borrow_mut().entry(tenant).or_insert(failing);
    }

    /// Whether a call may be made: always while it answers, and once in [`PROBE_EVERY`] while it does not.
    pub(super) fn may_try(&self, tenant: TenantId, now: Instant) -> bool {
        let mut all = self.failing.borrow_mut();
        let Some(failing) = all.get_mut(&tenant) else {
            return true;
        };
        let may = now.saturating_duration_since(failing.tried) >= PROBE_EVERY;
        if may {
            failing.tried = now;
        }
        may
    }

    /// For how long; `None` while it answers, or when nobody asked.
    pub(super) fn away_for(&self, tenant: TenantId, now: Instant) -> Option<Duration> {
        let since = self.failing.borrow().get(&tenant)?.since;
        Some(now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn away_counts_from_the_first_failure_until_an_answer() {
        let (standings, tenant) = (Standings::default(), TenantId(Uuid::from_u128(1)));
        let now = Instant::now();
        assert_eq!(standings.away_for(tenant, now), None);
        standings.failed(tenant, now);
        standings.failed(tenant, now + Duration::from_secs(5));
        let later = now + Duration::from_secs(30);
        assert_eq!(standings.away_for(tenant, later), Some(Duration::from_secs(30)));
        assert!(standings.may_try(tenant, later));
        assert!(
            !standings.may_try(tenant, later + PROBE_EVERY / 2),
            "one at a time"
        );
        assert!(standings.answered(tenant));
        assert!(standings.may_try(tenant, later));
        assert_eq!(standings.away_for(tenant, later), None);
    }
}
