//! From a record to the normalised message. The same record gives the same bytes each time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::egress::dispatcher::{About, WINDOW};
use crate::log::bounds::DEAD_KEEP_MS;
use crate::log::media::MediaReader;
use crate::model::{Body, Media, MediaId, MessageKind, Millis, Role, SessionEvent, TenantId};
use crate::protocol::channel::mail::{SubjectToken, reply_subject};
use crate::protocol::channel::{Attachment, AttachmentSource, Outbound, Thread, message_id};
use crate::protocol::media_address::{AddressKey, MediaAddress};
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{SigningPurpose, account};
use crate::shard::Verdict;

use super::choices::{self, Beside};
use super::connection::Channels;
use super::rich;

impl Channels {
    /// The message of a record.
    ///
    /// # Errors
    /// The verdict when it cannot be rendered: what it needs was erased, or cannot be read now.
    pub(super) async fn render(
        &self,
        channel: &Stored<Channel>,
        about: &About,
        beside: Beside,
    ) -> Result<Outbound, Verdict> {
        let gone = |what: &str| Verdict::Dead(format!("{what} was erased"));
        let (state, entry) = (&about.view.state, &about.entry);
        let outside = state.outside();
        let to = outside.address.clone().ok_or_else(|| gone("the address"))?;
        if entry.record.body == Body::Erased {
            return Err(gone("the message"));
        }
        let body = entry.record.body.as_str();
        let mut message = Outbound {
            id: message_id(about.view.log, entry.n),
            from: channel.value.address.clone(),
            from_name: Some(channel.value.name.clone()).filter(|_| channel.value.media == Media::Email),
            to,
            ..Outbound::default()
        };
        match &entry.record.event {
            SessionEvent::Message {
                kind:
                    MessageKind::Text | MessageKind::PushUrl | MessageKind::Notice | MessageKind::CustomNotice,
                ..
            } => {
                body.clone_into(&mut message.text);
                match beside {
                    Beside::Nothing => {}
                    Beside::Choices(choices) => choices::place(&channel.value, choices, &mut message),
                    Beside::Rich(shown) => rich::place(&channel.value, shown, &mut message),
                }
                message.automatic = choices::is_by_a_bot(about);
            }
            SessionEvent::File { media, mime, .. } => {
                let tenant = state.about().map_or(channel.tenant, |it| it.tenant);
                let source = match channel.value.media {
                    // A custom client's mails are its own to put together.
                    Media::Email if channel.value.provider != "third-party" => {
                        self.bytes(tenant, *media).await?
                    }
                    _ => AttachmentSource::Url(self.address(tenant, *media, entry.record.at)?),
                };
                message.attachments.push(Attachment {
                    source,
                    name: Some(body.to_owned()),
                    mime: Some(mime.clone()),
                });
            }
            _ => return Err(Verdict::Dead("not a message".to_owned())),
        }
        if channel.value.media == Media::Email {
            message.at = Some(entry.record.at);
            message.automatic = match &entry.record.event {
                SessionEvent::Message { from: Some(from), .. } => {
                    let author = state.participants().get(*from);
                    author.is_some_and(|author| !matches!(author.role, Role::Agent | Role::Supervisor))
                }
                SessionEvent::Message { from: None, .. } => true,
                _ => false,
            };
            // The first mail of a conversation that we begin answers nothing.
            message.subject = match outside.references.is_empty() {
                true => outside.subject.clone(),
                false => outside.subject.as_deref().map(reply_subject),
            };
            if is_marked(&channel.value) {
                let account = account(&self.snapshots.load(), channel)
                    .map_err(|_| Verdict::Spared(Duration::from_secs(30)))?;
                let keys = account
                    .secrets
                    .iter()
                    .map(|secret| secret.expose_secret().as_bytes());
                let subject = message.subject.as_deref().unwrap_or_default();
                message.subject = Some(SubjectToken::new(keys).mark(subject, about.view.log.uuid()));
            }
            message.thread = Thread {
                message_id: None,
                in_reply_to: outside.references.last().cloned(),
                references: outside.references.clone(),
            };
        }
        if channel.value.provider != "third-party" {
            let provider = &channel.value.provider;
            message.status_url = Some(format!(
                "{}/nexus/v3/aggregators/{provider}/{}/status",
                self.settings.base, channel.id
            ));
        }
        Ok(message)
    }

    /// Where the provider, or the customer, fetches a file that was said at this time. At each attempt and each replay it is the same.
    fn address(&self, tenant: TenantId, media: MediaId, said: Millis) -> Result<String, Verdict> {
        let until = address_end(said, self.settings.address_ttl);
        if until <= Millis(self.calls.clock().wall_ms()) {
            // Its session lived longer than most, and its dead letter with it.
            return Err(Verdict::Dead("the address of its file is over".to_owned()));
        }
        let snapshot = self.snapshots.load();
        let key = snapshot.signing_keys(SigningPurpose::ClientToken).current(said);
        let address = MediaAddress { tenant, media, until };
        let signed = address.write(&AddressKey::derived(key.id, key.secret()));
        Ok(format!("{}/nexus/v3/media/{signed}", self.settings.base))
    }

    /// The bytes of a file, which a mail carries.
    async fn bytes(&self, tenant: TenantId, id: MediaId) -> Result<AttachmentSource, Verdict> {
        match self.media.read(tenant, id).await {
            Ok(Some(reader)) => Ok(AttachmentSource::Inline(whole(reader).await?)),
            Ok(None) => Err(Verdict::Dead("the file is gone".to_owned())),
            Err(_) => Err(Verdict::Spared(Duration::from_secs(5))),
        }
    }
}

/// Until when a file can be fetched that was said at this time: it is tried for as long as the longest schedule, then kept as a dead letter
/// that can be replayed, and fetched for a while after the last of that.
fn address_end(said: Millis, ttl: Duration) -> Millis {
    let sent = WINDOW + Duration::from_millis(DEAD_KEEP_MS);
    said.plus(u64::try_from((sent + ttl).as_millis()).unwrap_or(u64::MAX))
}

/// Whether the subjects of this channel's mails name their session (`subjectToken` of its `config`).
fn is_marked(channel: &Channel) -> bool {
    channel.config.get("subjectToken").and_then(Value::as_bool) == Some(true)
}

async fn whole(mut reader: MediaReader) -> Result<Bytes, Verdict> {
    let mut bytes = BytesMut::with_capacity(usize::try_from(reader.length).unwrap_or_default());
    while let Some(piece) = reader.pieces.next().await {
        let piece = piece.map_err(|_| Verdict::Spared(Duration::from_secs(5)))?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::SigningPurpose;

    #[test]
    fn an_address_outlives_the_last_replay_and_its_key_outlives_the_address() {
        const DAY: u64 = 86_400_000;
        let ttl = |days: u64| Duration::from_millis(days * DAY);
        assert_eq!(address_end(Millis(5), ttl(1)), Millis(5 + 7 * DAY));
        let longest = address_end(Millis(0), ttl(7)).0;
        assert!(longest < SigningPurpose::ClientToken.lifetime_ms());
    }
}
