//! What became of something we sent, back at the message it is about.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::log::LogError;
use crate::model::{BatchHead, DeliveryStatus, LogId, LogKind};
use crate::protocol::channel::{Receipt, Reference, parse_id, reference_key};
use crate::provisioning::objects::{Channel, Stored};
use crate::session::{Rejection, ServiceAct, SessionInput};
use crate::shard::ShardError;
use crate::telemetry::names;

use super::belief::count_refused;
use super::intake::{Intake, Refusal, Taken, refusal};

/// A receipt may overtake the answer to the send it is about: it is looked up so often,
const LOOKS: u32 = 4;
/// so far apart.
const APART: Duration = Duration::from_millis(250);

impl Intake {
    pub(super) async fn receipt(
        &self,
        channel: &Stored<Channel>,
        receipt: Receipt,
    ) -> Result<Taken, Refusal> {
        let Some((session, of)) = self.find(channel, &receipt.reference).await? else {
            tracing::info!(channel = %channel.id, "receipt for nothing we know");
            return Ok(Taken::Noted);
        };
        if session.kind() == LogKind::Feed {
            return self.of_campaign(channel, session, of, receipt).await;
        }
        if !self.is_of(channel, session).await? {
            count_refused(names::HUB_FAILED, channel);
            tracing::warn!(channel = %channel.id, "receipt for a session of another channel");
            return Ok(Taken::Noted);
        }
        let about = [("code", receipt.code), ("detail", receipt.detail)];
        let about: Map<String, Value> = about
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect();
        let act = ServiceAct::Delivered {
            of,
            // What an agent is shown of a mail is whether it was read.
            status: match receipt.status {
                DeliveryStatus::Clicked => DeliveryStatus::Read,
                status => status,
            },
            about,
        };
        match self.shards.session(session, SessionInput::Service(act)).await {
            // A status that would move backwards is known, and changes nothing.
            Ok(_)
            | Err(ShardError::Rejected(Rejection::Stale | Rejection::NoSession) | ShardError::NoSuchLog) => {
                Ok(Taken::Noted)
            }
            Err(error) => Err(refusal(error)),
        }
    }

    /// A receipt for a message of a campaign.
    async fn of_campaign(
        &self,
        channel: &Stored<Channel>,
        batch: LogId,
        of: u64,
        receipt: Receipt,
    ) -> Result<Taken, Refusal> {
        let unavailable = |error: LogError| {
            tracing::warn!(%error, "receipt of a campaign not taken");
            Refusal::Unavailable
        };
        let known = self.campaigns.batch(batch).await.map_err(unavailable)?;
        let id = channel.id.to_string();
        let ours = |head: &BatchHead| head.tenant == channel.tenant && head.channel == id;
        if !known.batch.head().is_some_and(ours) {
            tracing::warn!(channel = %channel.id, "receipt for a batch of another channel");
            return Ok(Taken::Noted);
        }
        let Receipt {
            status, code, detail, ..
        } = receipt;
        let noted = self.campaigns.note(batch, of, status, code, detail).await;
        noted.map_err(unavailable)?;
        Ok(Taken::Noted)
    }

    async fn find(
        &self,
        channel: &Stored<Channel>,
        reference: &Reference,
    ) -> Result<Option<(LogId, u64)>, Refusal> {
        match reference {
            Reference::Ours(id) => Ok(parse_id(id)),
            Reference::Theirs(id) => {
                let key: Bytes = reference_key(&channel.id.to_string(), id);
                for look in 0..LOOKS {
                    if look > 0 {
                        tokio::time::sleep(APART).await;
                    }
                    let found = self.shards.log().referred(key.clone()).await;
                    match found {
                        Ok(None) => {}
                        Ok(Some(at)) => return Ok(Some((at.log, at.n))),
                        Err(error) => {
                            tracing::warn!(%error, "receipt not looked up");
                            return Err(Refusal::Unavailable);
                        }
                    }
                }
                Ok(None)
            }
        }
    }

    /// Whether a session belongs to this channel: whoever may sign for one must not speak about another's.
    async fn is_of(&self, channel: &Stored<Channel>, session: LogId) -> Result<bool, Refusal> {
        if session.kind() != LogKind::Session {
            return Ok(false);
        }
        match self.shards.session_view(session).await {
            Ok(view) => Ok(view.state.about().is_some_and(|about| {
                let id = about.terms.links.channel.as_deref();
                about.tenant == channel.tenant && id == Some(channel.id.to_string().as_str())
            })),
            Err(ShardError::NoSuchLog | ShardError::Rejected(())) => Ok(false),
            Err(_) => Err(Refusal::Unavailable),
        }
    }
}
