//! One attempt at telling contact history what began or ended.

use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::sync::Semaphore;

use crate::egress::dispatcher::{About, Calls, Connection, record};
use crate::log::media::SharedMedia;
use crate::model::{Notice, SessionEvent};
use crate::protocol::ucs::dialect;
use crate::provisioning::Snapshots;
use crate::provisioning::masking::Maskers;
use crate::shard::{Delivery, Shards, Verdict};

use super::file;
use super::own::OwnHistory;
use super::tokens::Tokens;
use super::writing::Writing;

/// Files of one core on their way at once: each is held in memory, twice for a moment.
const FILES: usize = 2;
/// When that many are on their way, another is tried after this.
const FILE_AGAIN: Duration = Duration::from_secs(1);

/// Connection 8 of one core.
pub struct History {
    pub(super) calls: Calls,
    pub(super) snapshots: Snapshots,
    pub(super) maskers: Maskers,
    pub(super) tokens: Tokens,
    media: SharedMedia,
    files: Semaphore,
    /// Asked where the tenant has no contact history.
    pub(super) own: Option<Rc<OwnHistory>>,
}

impl History {
    /// Connection 8 over this core's client; files are where `media` keeps them.
    #[must_use]
    pub fn new(calls: Calls, snapshots: Snapshots, media: SharedMedia) -> Self {
        Self {
            calls,
            snapshots,
            maskers: Maskers::default(),
            tokens: Tokens::default(),
            media,
            files: Semaphore::new(FILES),
            own: None,
        }
    }

    /// The same, with what we keep ourselves of tenants that have no contact history.
    #[must_use]
    pub fn beside(mut self, own: Rc<OwnHistory>) -> Self {
        self.own = Some(own);
        self
    }

    async fn attempt(&self, shards: &Shards, delivery: &Delivery) -> Result<(), Verdict> {
        let snapshot = self.snapshots.load_full();
        let tenant = snapshot.tenant(delivery.tenant);
        let Some((tenant, url)) = tenant.and_then(|tenant| Some((tenant, tenant.value.ucs_url.as_deref()?)))
        else {
            return Err(Verdict::Dead("the tenant has no contact history".to_owned()));
        };
        let began = self.calls.clock().now();
        let token = self.tokens.of(&self.calls, &snapshot, delivery.tenant).await;
        let masker = self.maskers.of(&snapshot, delivery.tenant);
        let writing = Writing {
            calls: &self.calls,
            shards,
            delivery,
            dialect: dialect(tenant.value.ucs_dialect.as_deref()),
            base: url.trim_end_matches('/'),
            sid: &tenant.value.sid,
            masker: &masker,
            bearer: token.as_ref().ok().and_then(Option::as_deref),
            tokens: &self.tokens,
            began,
        };
        if token.is_err() {
            return Err(writing.later(None));
        }
        match delivery.notice {
            Notice::Started => writing.begin(&writing.story().await?).await,
            Notice::Finished => writing.finish(writing.story().await?).await,
            Notice::Said { n } => self.said(&writing, &record(shards, delivery.id, n).await?).await,
            _ => Ok(()),
        }
    }

    /// A file, or a remark after the end.
    async fn said(&self, writing: &Writing<'_>, about: &About) -> Result<(), Verdict> {
        match &about.entry.record.event {
            SessionEvent::File { .. } => {
                // Its bytes are held in memory while they are sent.
                let Ok(_place) = self.files.try_acquire() else {
                    return Err(Verdict::Spared(FILE_AGAIN));
                };
                match file::read(&*self.media, writing.delivery.tenant, about).await? {
                    Some(file) => writing.attach(about.entry.n, file).await,
                    None => Ok(()),
                }
            }
            SessionEvent::Noted { .. } => writing.remark(about.entry.n, &about.entry.record.body).await,
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
