//! One attempt at telling contact history what began or ended.

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::egress::dispatcher::{Calls, Connection};
use crate::model::Notice;
use crate::protocol::ucs::dialect;
use crate::provisioning::Snapshots;
use crate::provisioning::masking::Maskers;
use crate::shard::{Delivery, Shards, Verdict};

use super::story::Story;
use super::writing::Writing;

/// Connection 8 of one core.
pub struct History {
    calls: Calls,
    snapshots: Snapshots,
    maskers: Maskers,
}

impl History {
    /// Connection 8 over this core's client.
    #[must_use]
    pub fn new(calls: Calls, snapshots: Snapshots) -> Self {
        Self {
            calls,
            snapshots,
            maskers: Maskers::default(),
        }
    }

    async fn attempt(&self, shards: &Shards, delivery: &Delivery) -> Result<(), Verdict> {
        let snapshot = self.snapshots.load_full();
        let tenant = snapshot.tenant(delivery.tenant);
        let Some((tenant, url)) = tenant.and_then(|tenant| Some((tenant, tenant.value.ucs_url.as_deref()?)))
        else {
            return Err(Verdict::Dead("the tenant has no contact history".to_owned()));
        };
        let masker = self.maskers.of(&snapshot, delivery.tenant);
        let story = Story::read(shards, delivery.id, &masker).await?;
        let writing = Writing {
            calls: &self.calls,
            shards,
            delivery,
            dialect: dialect(tenant.value.ucs_dialect.as_deref()),
            base: url.trim_end_matches('/'),
            sid: &tenant.value.sid,
            masker: &masker,
            bearer: None,
            began: self.calls.clock().now(),
        };
        match delivery.notice {
            Notice::Started => writing.begin(&story).await,
            Notice::Finished => writing.finish(story).await,
            _ => Ok(()),
        }
    }
}

impl Connection for History {
    fn tell<'a>(&'a self, shards: &'a Shards, delivery: &'a Delivery) -> LocalBoxFuture<'a, Verdict> {
        let told = self.attempt(shards, delivery);
        told.map(|told| told.err().unwrap_or(Verdict::Done)).boxed_local()
    }
}
