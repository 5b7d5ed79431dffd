//! Whose conversation a mail belongs to: that of the mail it answers, from whichever mailbox it comes.
//!
//! A customer's own mailbox leads to their open session by itself. This is for the others: a second mailbox, a colleague who was
//! sent a copy. Whoever knows the id of a mail of ours, or a subject with its token, was sent one.

use secrecy::ExposeSecret as _;

use crate::log::{LogError, PeerKey};
use crate::model::{LogId, LogKind, Media};
use crate::protocol::channel::mail::{SubjectToken, ancestors};
use crate::protocol::channel::{Inbound, parse_id, reference_key};
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{Snapshot, account};
use crate::session::Phase;
use crate::shard::ShardError;

use super::intake::{Intake, Refusal};
use super::opening::peer_key;

/// Mails before this one that are looked for, nearest first. Each costs a question to the log at most.
const LOOKED_FOR: usize = 5;

impl Intake {
    /// The peer whose open session a mail from another mailbox belongs to; `None`: the sender's own.
    pub(super) async fn thread_of(
        &self,
        snapshot: &Snapshot,
        channel: &Stored<Channel>,
        message: &Inbound,
    ) -> Result<Option<PeerKey>, Refusal> {
        // Secure mail says by itself where it belongs, and to nobody else's.
        if channel.value.media != Media::Email || message.conversation.is_some() {
            return Ok(None);
        }
        for id in ancestors(&message.thread).into_iter().take(LOOKED_FOR) {
            let session = match id.split('@').next().and_then(parse_id) {
                Some((session, _)) => Some(session),
                None => self.named_by_provider(channel, id).await?,
            };
            if let Some(session) = session
                && let Some(address) = self.open_for(channel, session).await?
            {
                return Ok(elsewhere(channel, message, &address));
            }
        }
        if let Some(session) = marked(snapshot, channel, message)
            && let Some(address) = self.open_for(channel, session).await?
        {
            return Ok(elsewhere(channel, message, &address));
        }
        Ok(None)
    }

    /// The session of a mail of ours to which its provider gave the id, whole or before the `@`.
    async fn named_by_provider(&self, channel: &Stored<Channel>, id: &str) -> Result<Option<LogId>, Refusal> {
        let local = id.split('@').next().unwrap_or_default();
        let away = |error: LogError| {
            tracing::warn!(%error, "thread not looked up");
            Refusal::Unavailable
        };
        for name in [id, local] {
            let key = reference_key(&channel.id.to_string(), name);
            if let Some(found) = self.shards.log().referred(key).await.map_err(away)? {
                return Ok(Some(found.log));
            }
        }
        Ok(None)
    }

    /// The customer's address in a session of this channel that is open.
    async fn open_for(&self, channel: &Stored<Channel>, session: LogId) -> Result<Option<String>, Refusal> {
        if session.kind() != LogKind::Session {
            return Ok(None);
        }
        let view = match self.shards.session_view(session).await {
            Ok(view) => view,
            Err(ShardError::NoSuchLog | ShardError::Rejected(())) => return Ok(None),
            Err(_) => return Err(Refusal::Unavailable),
        };
        let id = channel.id.to_string();
        let ours = view.state.about().is_some_and(|about| {
            about.tenant == channel.tenant && about.terms.links.channel.as_deref() == Some(id.as_str())
        });
        let open = ours && !matches!(view.state.phase(), Phase::Closed { .. });
        Ok(view.state.outside().address.clone().filter(|_| open))
    }
}

fn elsewhere(channel: &Stored<Channel>, message: &Inbound, address: &str) -> Option<PeerKey> {
    (message.from != address).then(|| peer_key(channel, address, None))
}

/// The session whose token the subject bears.
fn marked(snapshot: &Snapshot, channel: &Stored<Channel>, message: &Inbound) -> Option<LogId> {
    let subject = message
        .subject
        .as_deref()
        .filter(|subject| subject.contains("[#"))?;
    let account = account(snapshot, channel).ok()?;
    let keys = account
        .secrets
        .iter()
        .map(|secret| secret.expose_secret().as_bytes());
    let session = SubjectToken::new(keys).find(subject)?;
    Some(LogId::from_bytes(session.into_bytes()))
}
