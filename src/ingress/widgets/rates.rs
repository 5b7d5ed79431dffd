//! How often one key, one address, one session and one tenant may ask.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::model::{LogId, TenantId};
use crate::net::address::neighbourhood;
use crate::protocol::envelope::Fault;
use crate::provisioning::ObjectId;
use crate::provisioning::objects::TenantLimits;
use crate::runtime::limit::Limited;
use crate::runtime::{Bucket, KeyedLimit, Rate};
use crate::telemetry::names;

use super::options::WidgetOptions;

/// The rates of one core.
pub(super) struct Rates(RefCell<Tables>);

struct Tables {
    keys: KeyedLimit<ObjectId>,
    addresses: KeyedLimit<IpAddr>,
    creates: KeyedLimit<IpAddr>,
    neighbourhoods: KeyedLimit<IpAddr>,
    sessions: KeyedLimit<LogId>,
    refused: KeyedLimit<IpAddr>,
    tenants: HashMap<(TenantId, Quota), Bucket>,
}

/// What a tenant's own limits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Quota {
    /// New sessions a minute.
    Sessions,
    /// Messages a second.
    Messages,
}

/// A /24 or /56 may ask as often as so many addresses.
const ADDRESSES_OF_A_NEIGHBOURHOOD: u32 = 5;

impl Rates {
    pub(super) fn new(options: &WidgetOptions) -> Self {
        let table = |rate| KeyedLimit::new(rate, options.remembered);
        let per_address = options.per_address;
        let burst = per_address.burst().saturating_mul(ADDRESSES_OF_A_NEIGHBOURHOOD);
        let wide = Rate::per_second(burst / 2, burst);
        Self(RefCell::new(Tables {
            keys: KeyedLimit::new(options.per_key, options.remembered),
            addresses: table(per_address),
            creates: table(options.creates_per_address),
            neighbourhoods: table(wide),
            sessions: KeyedLimit::new(options.per_session, options.remembered),
            refused: table(options.refused_per_address),
            tenants: HashMap::new(),
        }))
    }

    /// Any request from an address; asked before anything else is looked at.
    pub(super) fn address(&self, ip: IpAddr, now: Instant) -> Result<(), Fault> {
        let mut tables = self.0.borrow_mut();
        tables
            .addresses
            .take(&ip.to_canonical(), 1, now)
            .map_err(refused_by("address"))?;
        tables
            .neighbourhoods
            .take(&neighbourhood(ip), 1, now)
            .map_err(refused_by("neighbourhood"))
    }

    /// Any request under a key.
    pub(super) fn key(&self, key: &ObjectId, now: Instant) -> Result<(), Fault> {
        self.0
            .borrow_mut()
            .keys
            .take(key, 1, now)
            .map_err(refused_by("key"))
    }

    /// A new chat from an address.
    pub(super) fn create(&self, ip: IpAddr, now: Instant) -> Result<(), Fault> {
        self.0
            .borrow_mut()
            .creates
            .take(&ip.to_canonical(), 1, now)
            .map_err(refused_by("create"))
    }

    /// A key or token from an address that was not accepted.
    pub(super) fn refused(&self, ip: IpAddr, now: Instant) -> Result<(), Fault> {
        self.0
            .borrow_mut()
            .refused
            .take(&ip.to_canonical(), 1, now)
            .map_err(refused_by("refused"))
    }

    /// Any request in a session.
    pub(super) fn session(&self, session: LogId, now: Instant) -> Result<(), Fault> {
        self.0
            .borrow_mut()
            .sessions
            .take(&session, 1, now)
            .map_err(refused_by("session"))
    }

    /// What the tenant itself has limited.
    pub(super) fn tenant(
        &self,
        tenant: TenantId,
        limits: &TenantLimits,
        quota: Quota,
        now: Instant,
    ) -> Result<(), Fault> {
        let rate = match quota {
            Quota::Sessions => limits
                .new_sessions_per_minute
                .map(|most| Rate::per_minute(most, most)),
            Quota::Messages => limits
                .messages_per_second
                .map(|most| Rate::per_second(most, most)),
        };
        let Some(rate) = rate else { return Ok(()) };
        let mut tables = self.0.borrow_mut();
        // One entry a tenant and quota: as many as are provisioned.
        let bucket = tables.tenants.entry((tenant, quota)).or_default();
        bucket.take(&rate, 1, now).map_err(refused_by("tenant"))
    }
}

/// The answer to who met this limit.
fn refused_by(limit: &'static str) -> impl Fn(Limited) -> Fault {
    move |limited| {
        metrics::counter!(names::LIMITED, "limit" => limit).increment(1);
        Fault::throttled(limited.retry_after)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::protocol::envelope::Code;

    #[test]
    fn one_address_runs_dry_and_its_neighbour_does_not() {
        let options = WidgetOptions {
            per_address: Rate::per_second(1, 3),
            ..WidgetOptions::default()
        };
        let rates = Rates::new(&options);
        let now = Instant::now();
        let (noisy, quiet) = (
            Ipv4Addr::new(192, 0, 2, 1).into(),
            Ipv4Addr::new(192, 0, 2, 2).into(),
        );
        for _ in 0..3 {
            rates.address(noisy, now).unwrap();
        }
        let refused = rates.address(noisy, now).unwrap_err();
        assert_eq!(refused.code, Code::Throttled);
        assert!(refused.retry_after.is_some());
        rates.address(quiet, now).unwrap();
    }

    #[test]
    fn a_tenants_own_limit_holds_for_that_tenant() {
        let rates = Rates::new(&WidgetOptions::default());
        let limits = TenantLimits {
            new_sessions_per_minute: Some(1),
            ..TenantLimits::default()
        };
        let now = Instant::now();
        let (one, other) = (
            TenantId(uuid::Uuid::from_u128(1)),
            TenantId(uuid::Uuid::from_u128(2)),
        );
        rates.tenant(one, &limits, Quota::Sessions, now).unwrap();
        rates.tenant(one, &limits, Quota::Sessions, now).unwrap_err();
        rates.tenant(other, &limits, Quota::Sessions, now).unwrap();
        rates.tenant(one, &limits, Quota::Messages, now).unwrap();
    }
}
