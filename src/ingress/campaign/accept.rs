//! A batch from its request into its log: all of it, or again from where it was left.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::log::LogError;
use crate::model::{BatchHead, Body, FeedEvent, TenantId};
use crate::protocol::campaign::{Batch, BatchRequest};
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::securemail;
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Channel, Stored};
use crate::shard::Campaigns;
use crate::telemetry::names;

use super::handler::Campaigning;

/// Messages written at once.
const CHUNK: usize = 30;
/// Bytes of messages written at once.
const CHUNK_BYTES: usize = 200 * 1_024;
/// How often a write is begun again when somebody else was faster: two of the same batch, or its first statuses.
const RACES: usize = 64;
/// When the buffer is full, room may be there after this.
const FULL: Duration = Duration::from_secs(5);

impl Campaigning {
    /// Takes a batch in; resolves when every accepted message is safe.
    ///
    /// A batch that was cut off is continued by its repeat: what was written of it may have been sent by then.
    pub(super) async fn accept(
        &self,
        tenant: TenantId,
        campaign: String,
        asked: &BatchRequest,
    ) -> Result<Rc<Batch>, Fault> {
        let log = Campaigns::log_of(tenant, &campaign, &asked.batch_id);
        let fingerprint = asked.fingerprint();
        let mut known = self.campaigns.batch(log).await.map_err(unavailable)?;
        let head = match known.batch.head() {
            Some(head) => head.clone(),
            None => {
                let channel = sender(&self.snapshots.load(), tenant, asked)?;
                let room = self.buffer.takes(&self.shards.log(), self.shards.clock()).await;
                if !room.map_err(unavailable)? {
                    metrics::counter!(names::LIMITED, "limit" => "campaign").increment(1);
                    return Err(Fault::throttled(FULL).detail("the delivery buffer is full"));
                }
                BatchHead {
                    tenant,
                    campaign,
                    batch: asked.batch_id.clone(),
                    media: asked.media,
                    channel: channel.id.to_string(),
                    test: asked.test,
                    total: u32::try_from(asked.messages.len()).unwrap_or(u32::MAX),
                    fingerprint: fingerprint.clone(),
                }
            }
        };
        let refusals = asked.refusals();
        let mut races = 0;
        loop {
            if known
                .batch
                .head()
                .is_some_and(|head| head.fingerprint != fingerprint)
            {
                return Err(Fault::new(Code::KeyReused).detail("data.batchId"));
            }
            if known.batch.is_whole() {
                return Ok(known.batch);
            }
            let chunk = chunk(asked, &refusals, known.batch.written());
            let messages = chunk
                .iter()
                .filter(|(event, _)| matches!(event, FeedEvent::Message { .. }));
            let (taken, all) = (messages.count(), chunk.len());
            let written = self.campaigns.extend(log, &known, &head, chunk).await;
            if written.map_err(unavailable)? {
                self.shards.lease_soon(log);
                count(known.batch.head().is_none().then_some(&head), taken, all - taken);
            } else {
                races += 1;
            }
            if races > RACES {
                return Err(Fault::unavailable(Duration::from_secs(1)));
            }
            known = self.campaigns.batch(log).await.map_err(unavailable)?;
        }
    }
}

/// Counts what was written of a batch; `begun` with its first messages.
fn count(begun: Option<&BatchHead>, taken: usize, refused: usize) {
    if let Some(head) = begun {
        let test = if head.test { "true" } else { "false" };
        metrics::counter!(names::CAMPAIGN_BATCHES, "media" => head.media.as_str(), "test" => test)
            .increment(1);
    }
    for (outcome, count) in [("accepted", taken), ("refused", refused)] {
        let count = u64::try_from(count).unwrap_or_default();
        metrics::counter!(names::CAMPAIGN_MESSAGES, "outcome" => outcome).increment(count);
    }
}

fn chunk(asked: &BatchRequest, refusals: &[Option<&'static str>], from: usize) -> Vec<(FeedEvent, Body)> {
    let mut bytes = 0;
    let mut chunk = Vec::with_capacity(CHUNK);
    for (message, refusal) in asked.messages.iter().zip(refusals).skip(from).take(CHUNK) {
        let record: String = message.record_handle.chars().take(128).collect();
        if let Some(code) = refusal {
            let code = (*code).to_owned();
            chunk.push((FeedEvent::Refused { record, code }, Body::None));
            continue;
        }
        let stored = message.stored();
        bytes += stored.len();
        if bytes > CHUNK_BYTES {
            break;
        }
        chunk.push((FeedEvent::Message { record }, Body::Present(stored.into())));
    }
    chunk
}

/// The channel that a batch leaves by: the one with its address, else the only one of its medium.
fn sender(
    snapshot: &Snapshot,
    tenant: TenantId,
    asked: &BatchRequest,
) -> Result<Arc<Stored<Channel>>, Fault> {
    let mut fitting = snapshot.all::<Channel>(tenant).filter(|channel| {
        let channel = &channel.value;
        let named = asked.from.as_deref().is_none_or(|from| channel.address == from);
        // Nobody is written to in a mailbox they have to look into.
        let leaves = channel.provider != securemail::PROVIDER;
        channel.enabled && channel.media == asked.media && named && leaves
    });
    match (fitting.next(), fitting.next()) {
        (Some(channel), None) => Ok(Arc::clone(channel)),
        _ => {
            Err(Fault::new(Code::BadValue)
                .detail("data.from: no channel, or more than one, has this address"))
        }
    }
}

pub(super) fn unavailable(error: LogError) -> Fault {
    match error {
        LogError::Unavailable { retry_after, .. } => Fault::unavailable(retry_after),
        error => {
            tracing::warn!(%error, "a campaign's log");
            Fault::unavailable(Duration::from_secs(2))
        }
    }
}
