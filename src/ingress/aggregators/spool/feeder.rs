//! What lies in the spool goes to the log, one after the other.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::ingress::channel::{Intake, Refusal};
use crate::model::Millis;
use crate::protocol::channel::{Callback, CallbackRequest, provider};
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{ObjectId, Snapshots};
use crate::telemetry::names;

use super::disk::Segment;
use super::entry::Entry;
use super::shared::Spool;

/// How soon a log that took nothing is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Feeds the spool of the node; one core has it.
pub struct Feeder {
    spool: Arc<Spool>,
    intake: Rc<Intake>,
    snapshots: Snapshots,
}

/// An entry that will never be taken.
struct Never(&'static str);

impl Feeder {
    /// A feeder over one core's intake.
    #[must_use]
    pub fn new(spool: Arc<Spool>, intake: Rc<Intake>, snapshots: Snapshots) -> Self {
        Self {
            spool,
            intake,
            snapshots,
        }
    }

    /// Feeds whatever is there. Never returns; what it has not finished when it is dropped is fed again, and known by its ids.
    pub async fn run(self) {
        loop {
            self.spool.something().await;
            match self.spool.oldest().await {
                Ok(Some(segment)) => self.feed(segment).await,
                Ok(None) => {
                    self.spool.is_away(false);
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::error!(%error, "the spool cannot be read");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn feed(&self, segment: Segment) {
        for entry in &segment.entries {
            if let Err(Never(why)) = self.feed_one(entry).await {
                tracing::error!(
                    channel = entry.channel,
                    why,
                    "a callback of the spool is set aside"
                );
                while let Err(error) = self.spool.set_aside(entry.clone()).await {
                    tracing::error!(%error, "the spool cannot be written");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        let entries = segment.entries.len();
        match self.spool.finished(segment).await {
            Ok(()) => tracing::info!(entries, "callbacks of the spool are in the log"),
            Err(error) => {
                tracing::error!(%error, "a file of the spool cannot be removed");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Resolves when everything the callback says is safe.
    async fn feed_one(&self, entry: &Entry) -> Result<(), Never> {
        loop {
            match self.attempt(entry).await {
                Ok(()) => {
                    self.spool.is_away(false);
                    metrics::counter!(names::SPOOLED, "outcome" => "fed").increment(1);
                    return Ok(());
                }
                Err(Some(never)) => return Err(never),
                Err(None) => {
                    self.spool.is_away(true);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// `Err(None)`: not now.
    async fn attempt(&self, entry: &Entry) -> Result<(), Option<Never>> {
        let snapshot = self.snapshots.load_full();
        let id: Option<ObjectId> = entry.channel.parse().ok();
        let channel: Option<Arc<Stored<Channel>>> = id.and_then(|id| snapshot.channel(&id).map(Arc::clone));
        let channel = channel.ok_or(Some(Never("the channel is gone")))?;
        for callback in said(entry).ok_or(Some(Never("it cannot be read")))? {
            let taken = self
                .intake
                .take_again(&snapshot, &channel, callback, Millis(entry.at));
            match taken.await {
                Ok(_) => {}
                Err(Refusal::IdReused) => {
                    tracing::info!(channel = %channel.id, "a known id came with another message")
                }
                Err(Refusal::TooLarge | Refusal::NoSuchMedia) => return Err(Some(Never("it is refused"))),
                Err(Refusal::LeadsNowhere) => return Err(Some(Never("the channel leads to no queue"))),
                Err(Refusal::TooFast | Refusal::Unavailable) => return Err(None),
            }
        }
        Ok(())
    }
}

/// What the callback says; its signature was good when it came.
fn said(entry: &Entry) -> Option<Vec<Callback>> {
    let headers = [("content-type", entry.content_type.as_str())];
    let request = CallbackRequest {
        method: &entry.method,
        url: "",
        query: &entry.query,
        headers: &headers,
        body: &entry.body,
        now: Millis(entry.at),
    };
    let provider = provider(&entry.provider)?;
    if entry.status {
        provider.status(&request).ok()
    } else {
        provider.inbound(&request).ok()
    }
}
