//! What is too old goes: sessions and files that their tenants keep no longer, dead letters and entries of the audit.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::log::archive::SharedArchive;
use crate::log::media::SharedMedia;
use crate::log::{LogError, SharedLog};
use crate::model::{Millis, TenantId};
use crate::provisioning::Directory;
use crate::runtime::clock::Clock;

/// How often it is looked at, and how soon after a start.
const EVERY: Duration = Duration::from_secs(3_600);
const FIRST: Duration = Duration::from_secs(60);
/// What goes in one step, so that nobody waits behind it for long.
const STEP: usize = 200;
/// Dead letters looked at at once.
const PAGE: usize = 256;

/// Everything that has a term, as one core reaches it.
pub(super) struct Retention {
    pub(super) archive: SharedArchive,
    pub(super) media: SharedMedia,
    pub(super) log: SharedLog,
    pub(super) directory: Arc<Directory>,
    pub(super) clock: Clock,
}

impl Retention {
    /// Looks through everything again and again. Never returns. Several nodes may: what is gone is gone.
    pub(super) async fn run(self: Rc<Self>) {
        let mut every = tokio::time::interval_at(tokio::time::Instant::now() + FIRST, EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.once(Millis(self.clock.wall_ms())).await;
        }
    }

    async fn once(&self, now: Millis) {
        let told = |what: &str, gone: usize| {
            if gone > 0 {
                tracing::info!(what, gone, "what was too old is gone");
            }
        };
        told("sessions", self.sessions(now).await);
        match self.directory.trim_audit(now).await {
            Ok(gone) => told("audit", gone),
            Err(error) => tracing::warn!(%error, "the audit was not trimmed"),
        }
        let snapshot = self.directory.snapshots().load_full();
        let tenants: Vec<TenantId> = snapshot.tenants().map(|tenant| tenant.tenant).collect();
        for tenant in tenants {
            let before = Millis(now.0.saturating_sub(snapshot.files_ms(tenant)));
            told("files", self.files(tenant, before).await);
            if let Some(kept) = snapshot.dead_letters_ms(tenant) {
                let before = Millis(now.0.saturating_sub(kept));
                match self.dead_letters(tenant, before).await {
                    Ok(gone) => told("dead letters", gone),
                    Err(error) => tracing::warn!(%error, "dead letters were not trimmed"),
                }
            }
        }
    }

    async fn sessions(&self, now: Millis) -> usize {
        let mut gone = 0;
        loop {
            match self.archive.expire(now, STEP).await {
                Ok(step) if step < STEP => return gone + step,
                Ok(step) => gone += step,
                Err(error) => {
                    tracing::warn!(%error, "our own history was not trimmed");
                    return gone;
                }
            }
        }
    }

    async fn files(&self, tenant: TenantId, before: Millis) -> usize {
        let mut gone = 0;
        loop {
            match self.media.forget(tenant, before, STEP).await {
                Ok(step) if step < STEP => return gone + step,
                Ok(step) => gone += step,
                Err(error) => {
                    tracing::warn!(%error, "files were not trimmed");
                    return gone;
                }
            }
        }
    }

    async fn dead_letters(&self, tenant: TenantId, before: Millis) -> Result<usize, LogError> {
        let mut gone = 0;
        if self.log.dead_count(tenant).await? == 0 {
            return Ok(0);
        }
        for partition in 0..self.log.info().partitions {
            let mut after = None;
            loop {
                let page = self.log.dead_effects(partition, tenant, after, PAGE).await?;
                for letter in page.iter().filter(|letter| letter.at < before) {
                    gone += usize::from(self.log.discard_dead(partition, tenant, letter.id).await?);
                }
                match page.last() {
                    Some(last) if page.len() >= PAGE => after = Some(last.id),
                    _ => break,
                }
            }
        }
        Ok(gone)
    }
}
