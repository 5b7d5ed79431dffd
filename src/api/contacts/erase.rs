//! Erasing a session: its words in the log, its files, and what is found by it. Every step may be made again.

use std::time::Duration;

use crate::log::LogError;
use crate::log::archive::SharedArchive;
use crate::log::bounds::MAX_BATCH;
use crate::log::media::SharedMedia;
use crate::log::{SharedLog, StoredBody};
use crate::model::{Body, LogId, MediaId, SessionEvent, TenantId};
use crate::protocol::envelope::Fault;
use crate::protocol::securemail;
use crate::provisioning::Snapshot;
use crate::provisioning::objects::Channel;
use crate::session::{Rejection, ServiceAct, SessionInput};
use crate::shard::{ShardError, Shards};

/// When something was not to be had, the erasure may be asked for again after this.
const AGAIN: Duration = Duration::from_secs(2);

/// What an erasure goes through.
pub(super) struct Eraser<'e> {
    pub(super) shards: &'e Shards,
    pub(super) archive: &'e SharedArchive,
    pub(super) media: &'e SharedMedia,
    pub(super) snapshot: &'e Snapshot,
    pub(super) tenant: TenantId,
}

impl Eraser<'_> {
    /// Erases a session. One that goes on is ended first: nobody can talk to somebody who is forgotten.
    ///
    /// # Errors
    /// 503; what was done stays done.
    pub(super) async fn session(&self, session: LogId) -> Result<(), Fault> {
        match self.shards.session_view(session).await {
            Err(ShardError::NoSuchLog | ShardError::Rejected(())) => {}
            Err(error) => return Err(away(&error)),
            Ok(view) => {
                if view.state.about().is_none_or(|about| about.tenant != self.tenant) {
                    return Ok(());
                }
                if view.state.closed_at().is_none() {
                    self.act(session, ServiceAct::Close).await?;
                }
                // The last place that names the mailbox is the state that is erased next.
                if let Some(address) = &view.state.outside().address {
                    self.mailboxes(address).await?;
                }
                self.act(session, ServiceAct::Erase).await?;
                self.words(session).await?;
            }
        }
        let kept = self.archive.read(self.tenant, session).await;
        for file in kept
            .map_err(|error| away(&error))?
            .into_iter()
            .flat_map(|kept| kept.files)
        {
            self.file(file).await?;
        }
        let gone = self.archive.remove(self.tenant, session).await;
        gone.map_err(|error| away(&error))
    }

    /// Erases what lies in the mailboxes of an address, in every channel of secure mail.
    ///
    /// # Errors
    /// 503.
    pub(super) async fn mailboxes(&self, address: &str) -> Result<(), Fault> {
        let log = self.shards.log();
        let channels = self.snapshot.all::<Channel>(self.tenant);
        for channel in channels.filter(|channel| channel.value.provider == securemail::PROVIDER) {
            let id = LogId::mailbox(self.tenant, &channel.id.to_string(), address);
            all_bodies(&log, id).await.map_err(|error| away(&error))?;
        }
        Ok(())
    }

    async fn act(&self, session: LogId, act: ServiceAct) -> Result<(), Fault> {
        match self.shards.session(session, SessionInput::Service(act)).await {
            Ok(_) | Err(ShardError::Rejected(Rejection::Closed) | ShardError::NoSuchLog) => Ok(()),
            Err(error) => Err(away(&error)),
        }
    }

    /// Erases every body but the state that stands for what was erased, and the files.
    async fn words(&self, session: LogId) -> Result<(), Fault> {
        let (mut numbers, mut states, mut erased, mut next) = (Vec::new(), Vec::new(), 0, 1);
        loop {
            let page = self.shards.session_page_forward(session, next, MAX_BATCH).await;
            let page = match page {
                Ok(page) => page,
                Err(ShardError::NoSuchLog) => return Ok(()),
                Err(error) => return Err(away(&error)),
            };
            for entry in &page {
                match &entry.record.event {
                    SessionEvent::Erased => erased = entry.n,
                    SessionEvent::File { media, .. } => self.file(*media).await?,
                    _ => {}
                }
                match (&entry.record.event, &entry.record.body) {
                    (SessionEvent::Snapshot, Body::Present(_)) => states.push(entry.n),
                    (_, Body::Present(_)) => numbers.push(entry.n),
                    (_, Body::None | Body::Erased) => {}
                }
            }
            match page.last() {
                Some(last) if page.len() >= MAX_BATCH => next = last.n + 1,
                _ => break,
            }
        }
        // A rebuild begins with the newest state: an older one may go only when it holds nothing of anybody.
        if states.last().is_some_and(|newest| *newest > erased) {
            numbers.extend(states.into_iter().filter(|state| *state < erased));
        } else if !states.is_empty() {
            return Err(Fault::unavailable(AGAIN));
        }
        let log = self.shards.log();
        for numbers in numbers.chunks(MAX_BATCH) {
            let gone = log.erase(session, numbers.to_vec()).await;
            gone.map_err(|error| away(&error))?;
        }
        Ok(())
    }

    async fn file(&self, file: MediaId) -> Result<(), Fault> {
        let gone = self.media.remove(self.tenant, file).await;
        gone.map_err(|error| away(&error))
    }
}

async fn all_bodies(log: &SharedLog, id: LogId) -> Result<(), LogError> {
    let mut next = 1;
    while let Some(page) = log.read_forward(id, next, MAX_BATCH).await? {
        let present = page.records.iter();
        let present = present.filter(|record| matches!(record.body, StoredBody::Present(_)));
        let numbers: Vec<u64> = present.map(|record| record.n).collect();
        if !numbers.is_empty() {
            log.erase(id, numbers).await?;
        }
        match page.records.last() {
            Some(last) if page.records.len() >= MAX_BATCH => next = last.n + 1,
            _ => break,
        }
    }
    Ok(())
}

fn away(error: &dyn std::fmt::Display) -> Fault {
    tracing::warn!(%error, "an erasure is not complete");
    Fault::unavailable(AGAIN)
}
