//! A customer's message by a channel, from its normalised form into a session.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::log::media::{Kept, NotKept, SharedMedia, keep, known};
use crate::log::{Index, Key};
use crate::model::{Digest, Home, LogId, Media, MediaId, MessageId, Millis, Spread};
use crate::protocol::channel::sms::gates::Gates;
use crate::protocol::channel::sms::keywords::Keyword;
use crate::protocol::channel::sms::rules::Rules;
use crate::protocol::channel::sms::velocity::Caps;
use crate::protocol::channel::{Attachment, AttachmentSource, Callback, Inbound, peer_name};
use crate::protocol::file::Refused;
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Channel, Stored};
use crate::session::{Arrival, FILES_MAX, File, Rejection};
use crate::shard::{Admission, Campaigns, ShardError, Shards};
use crate::telemetry::names;

use super::keywords::{asked, says_consent};
use super::opening::{is_secure, opening, peer_key};

/// Characters of one message; the rest is cut with a mark.
const TEXT_MAX: usize = 16_000;

/// Takes in what channels bring. One per core.
pub struct Intake {
    pub(super) shards: Shards,
    pub(super) campaigns: Rc<Campaigns>,
    media: SharedMedia,
    texts: Caps,
    gates: RefCell<Gates>,
}

/// What became of one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A message is in a session.
    Message {
        /// Which session.
        session: LogId,
        /// Number of its first record there.
        first: u64,
        /// The message's id across channels; the same for every repeat.
        message: MessageId,
    },
    /// It was noted, or concerns nothing of ours.
    Noted,
}

/// Why a believed callback could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The channel leads nowhere: it has no endpoint, or its queue takes no sessions. An operator's to repair.
    #[error("the channel leads to no queue")]
    LeadsNowhere,
    /// An id that came before came with another message.
    #[error("the id was used for another message")]
    IdReused,
    /// It names a file that is not there.
    #[error("an attachment is not there")]
    NoSuchMedia,
    /// It is larger than a session takes.
    #[error("the message is too large")]
    TooLarge,
    /// Its sender wrote too much lately.
    #[error("too many messages of one number")]
    TooFast,
    /// Nothing can be kept now.
    #[error("nothing can be kept now")]
    Unavailable,
}

impl Intake {
    /// The intake of one core, with the caps of text messages.
    #[must_use]
    pub fn new(shards: Shards, campaigns: Rc<Campaigns>, media: SharedMedia, texts: Caps) -> Rc<Self> {
        Rc::new(Self {
            shards,
            campaigns,
            media,
            texts,
            gates: RefCell::default(),
        })
    }

    /// Takes one callback; resolves when it is safe.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn take(
        &self,
        snapshot: &Snapshot,
        channel: &Stored<Channel>,
        callback: Callback,
        now: Millis,
    ) -> Result<Taken, Refusal> {
        if let Callback::Message(message) = &callback
            && !self.may_enter(channel, message, now)?
        {
            return Ok(Taken::Noted);
        }
        self.take_again(snapshot, channel, callback, now).await
    }

    /// Takes a callback that was let in before and could not be kept then: nothing is asked of its number again.
    ///
    /// # Errors
    /// [`Refusal`], except [`Refusal::TooFast`].
    pub async fn take_again(
        &self,
        snapshot: &Snapshot,
        channel: &Stored<Channel>,
        callback: Callback,
        now: Millis,
    ) -> Result<Taken, Refusal> {
        match callback {
            Callback::Message(message) => self.message(snapshot, channel, *message, now).await,
            Callback::Receipt(receipt) => self.receipt(channel, receipt).await,
            Callback::Ignored(what) => {
                tracing::debug!(channel = %channel.id, what, "callback of no concern");
                Ok(Taken::Noted)
            }
        }
    }

    async fn message(
        &self,
        snapshot: &Snapshot,
        channel: &Stored<Channel>,
        mut message: Inbound,
        now: Millis,
    ) -> Result<Taken, Refusal> {
        if snapshot.is_blocked(channel.tenant, channel.value.media, &message.from, now) {
            tracing::info!(channel = %channel.id, "message of a blocked customer dropped");
            return Ok(Taken::Noted);
        }
        let asked = asked(channel.value.media, &message.text);
        let consent = asked.and_then(Keyword::consent);
        let thread = self.thread_of(snapshot, channel, &message).await?;
        let elsewhere = thread.is_some();
        let peer =
            thread.unwrap_or_else(|| peer_key(channel, &message.from, message.conversation.as_deref()));
        let mut opening = opening(snapshot, channel, &peer, &message, now).ok_or(Refusal::LeadsNowhere)?;
        if consent.is_some() {
            // Nobody is looked for, and nothing is said but what answers it.
            opening.terms.home = Some(Home::from(&opening.place));
            opening.welcome = None;
        }
        let id = MessageId(Uuid::new_v4());
        let key = Key {
            key: key_of(channel, &message.id),
            body_hash: fingerprint(&message),
            answer: Bytes::copy_from_slice(id.0.as_bytes()),
        };
        let reply = match asked {
            Some(word) if !message.automatic => self.reply(snapshot, channel, &peer, word).await?,
            _ => None,
        };
        if elsewhere {
            // The session knows one mailbox of its customer; the agent must know that this came from another.
            message.text = format!("{}:\n\n{}", message.from, message.text);
        }
        // An automatic answer is nobody's.
        let replies = (consent.is_none() && !message.automatic)
            .then(|| peer_name(channel.tenant, &channel.id.to_string(), &message.from));
        let (mut arrival, kept) = self.arrival(channel, message, id, consent).await?;
        arrival.reply = reply;
        let indexes = consent.map(|given| {
            let peer = peer.clone();
            if given {
                Index::OptIn(peer)
            } else {
                Index::OptOut(peer)
            }
        });
        let indexes = indexes.into_iter().collect();
        let stopped = peer.0.clone();
        let admission = Admission {
            spread: Spread::of(&[&peer.0]),
            peer,
            entropy: entropy(),
            opening,
            arrival,
            key,
            indexes,
        };
        let admitted = self.shards.admit(admission).await;
        let repeated = !matches!(&admitted, Ok(admitted) if admitted.before.is_none());
        if repeated {
            // The first brought its own copies; if they cannot be removed now they lie there unread.
            for id in kept {
                let _ = self.media.remove(channel.tenant, id).await;
            }
        }
        let admitted = admitted.map_err(refusal)?;
        let told = match (consent, replies) {
            (Some(false), _) => self.campaigns.opted_out(stopped).await,
            (_, Some(peer)) => self.campaigns.replied(channel.tenant, peer).await,
            _ => Ok(()),
        };
        // The campaign that wrote to a customer last hears of it. The provider comes again until it has.
        told.map_err(|error| {
            tracing::warn!(%error, "a campaign was not told of an answer");
            Refusal::Unavailable
        })?;
        let told = admitted
            .before
            .as_deref()
            .and_then(|answer| Uuid::from_slice(answer).ok());
        Ok(Taken::Message {
            session: admitted.log,
            first: admitted.first,
            message: told.map_or(id, MessageId),
        })
    }

    /// Whether a text may come from this number, by the channel's own list; how often, by the node's cap.
    fn may_enter(&self, channel: &Stored<Channel>, message: &Inbound, now: Millis) -> Result<bool, Refusal> {
        // What customers say of messages themselves is heard from every number, however often.
        if channel.value.media != Media::Sms || says_consent(channel.value.media, &message.text) {
            return Ok(true);
        }
        let number = message.from.as_str();
        let stopped = |reason| {
            metrics::counter!(names::TEXTS_STOPPED, "direction" => "in", "reason" => reason).increment(1);
        };
        if !Rules::of(&channel.value.config).0.prefixes.allow(number) {
            stopped("number");
            return Ok(false);
        }
        let id = channel.id.to_string();
        let passed = self.gates.borrow_mut().pass(&id, self.texts, number, now);
        passed.map(|()| true).map_err(|_| {
            stopped("too-many");
            Refusal::TooFast
        })
    }

    /// The message as a session takes it, and the files that were kept for it.
    async fn arrival(
        &self,
        channel: &Stored<Channel>,
        message: Inbound,
        id: MessageId,
        consent: Option<bool>,
    ) -> Result<(Arrival, Vec<MediaId>), Refusal> {
        let thread = (channel.value.media == Media::Email).then(|| thread(&message));
        let mut arrival = Arrival {
            id: Some(id),
            text: cut(message.text).into(),
            thread,
            stored: Vec::new(),
            announced: Vec::new(),
            consent,
            entered: is_secure(channel),
            reply: None,
        };
        let (mut kept, mut withheld) = (Vec::new(), 0);
        for attachment in message.attachments.into_iter().take(FILES_MAX) {
            let Attachment { source, name, mime } = attachment;
            match source {
                AttachmentSource::Url(url) => arrival.announced.push(announcement(&url, name, mime)),
                AttachmentSource::Inline(bytes) => {
                    let fresh = MediaId(Uuid::new_v4());
                    match keep(&*self.media, channel.tenant, fresh, name.as_deref(), bytes).await {
                        Ok(file) => {
                            kept.push(fresh);
                            arrival.stored.push(stored(file));
                        }
                        Err(NotKept::Refused(reason)) => {
                            withheld += usize::from(reason == Refused::Infected);
                            tracing::info!(channel = %channel.id, %reason, "attachment refused");
                            metrics::counter!(names::ATTACHMENTS_REFUSED).increment(1);
                        }
                        Err(NotKept::Store(error)) => {
                            tracing::warn!(%error, "media store");
                            return Err(Refusal::Unavailable);
                        }
                    }
                }
                AttachmentSource::Media(id) => {
                    let id = id.parse().map_err(|_| Refusal::NoSuchMedia)?;
                    let file = known(&*self.media, channel.tenant, id, name.as_deref()).await;
                    let file = file.map_err(|_| Refusal::Unavailable)?;
                    arrival.stored.push(stored(file.ok_or(Refusal::NoSuchMedia)?));
                }
            }
        }
        if withheld > 0 {
            // Whoever reads it must know that there was more, and why it is not there.
            let text = String::from_utf8_lossy(&arrival.text);
            arrival.text = format!("{text}\n\n[{withheld} infected: withheld]")
                .trim_start()
                .to_owned()
                .into();
        }
        Ok((arrival, kept))
    }
}

fn thread(message: &Inbound) -> Map<String, Value> {
    let thread = &message.thread;
    let value = json!({
        "subject": message.subject,
        "messageId": thread.message_id,
        "inReplyTo": thread.in_reply_to,
        "references": thread.references,
        "automatic": message.automatic,
    });
    value.as_object().cloned().unwrap_or_default()
}

fn announcement(url: &str, name: Option<String>, mime: Option<String>) -> Map<String, Value> {
    let value = json!({"source": url, "name": name, "mime": mime});
    value.as_object().cloned().unwrap_or_default()
}

fn stored(file: Kept) -> File {
    File {
        media: file.id,
        mime: file.mime.to_owned(),
        length: file.length,
        name: file.name,
    }
}

/// A provider's id names a message within its channel; kept for 72 h.
fn key_of(channel: &Stored<Channel>, id: &str) -> Bytes {
    let channel_id = channel.id.to_string();
    let mut key = Vec::with_capacity(20 + channel_id.len() + id.len());
    key.push(b'i');
    key.extend_from_slice(channel.tenant.0.as_bytes());
    key.push(u8::try_from(channel_id.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(channel_id.as_bytes());
    key.extend_from_slice(id.as_bytes());
    key.truncate(300);
    key.into()
}

/// What makes two callbacks with one id the same message. Addresses of files may change between two attempts of a provider.
fn fingerprint(message: &Inbound) -> [u8; 16] {
    let subject = message.subject.as_deref().unwrap_or_default();
    let lengths = [message.from.len(), message.text.len()].map(|length| (length as u64).to_be_bytes());
    let digest = Digest::of(&[
        &lengths[0],
        message.from.as_bytes(),
        &lengths[1],
        message.text.as_bytes(),
        subject.as_bytes(),
    ]);
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest.0[..16]);
    hash
}

/// Ten of the random bytes of two UUIDs.
fn entropy() -> [u8; 10] {
    let (one, two) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
    let mut bits = [0; 10];
    bits[..5].copy_from_slice(&one[..5]);
    bits[5..].copy_from_slice(&two[..5]);
    bits
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        None => text,
        Some((end, _)) => format!("{} […]", &text[..end]),
    }
}

pub(super) fn refusal(error: ShardError<Rejection>) -> Refusal {
    match error {
        ShardError::KeyReused => Refusal::IdReused,
        ShardError::Rejected(Rejection::TooMuch) => Refusal::TooLarge,
        ShardError::Rejected(reason) => {
            tracing::error!(%reason, "a message by a channel was rejected");
            Refusal::Unavailable
        }
        ShardError::Unreadable { reason } => {
            tracing::error!(reason, "a message by a channel met an unreadable log");
            Refusal::Unavailable
        }
        ShardError::OptedOut | ShardError::NoSuchLog | ShardError::Unavailable { .. } => Refusal::Unavailable,
    }
}
