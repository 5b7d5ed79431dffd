//! What a customer writes by a channel. It is admitted without being decided (DESIGN 3.1): the records below are right in
//! every open session. What follows from them is decided afterwards, when the session has [heard](super::SessionInput::Heard).

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::{
    Body, Effect, MessageId, MessageKind, Millis, Notice, ParticipantId, Record, SessionEvent, Target,
    TenantId, Visibility,
};

use super::bounds;
use super::customer;
use super::draft::Draft;
use super::input::File;
use super::outcome::Rejection;

/// Files of one message; further ones are named in its text by the dialect.
pub const FILES_MAX: usize = 10;

/// One message of a customer by a channel.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// Its id across channels; `None`: a fresh one.
    pub id: Option<MessageId>,
    /// The words, UTF-8; may be empty where there are files.
    pub text: Bytes,
    /// Where a mail stands: `subject`, `messageId`, `inReplyTo`, `references`.
    pub thread: Option<Map<String, Value>>,
    /// Files whose bytes are stored.
    pub stored: Vec<File>,
    /// Files at the provider: `source`, `name`, `mime`.
    pub announced: Vec<Map<String, Value>>,
    /// What the words say of the customer's consent.
    pub consent: Option<bool>,
    /// Whether the customer reads by a mailbox of ours, where it is entered.
    pub entered: bool,
    /// What the service answers at once, whatever the customer consents to; only where the words ask for it.
    pub reply: Option<String>,
}

impl Arrival {
    /// The records of it, for any open session of `participant`, and what follows outside.
    ///
    /// # Errors
    /// [`Rejection::TooMuch`].
    pub fn records(
        &self,
        participant: ParticipantId,
        at: Millis,
        fresh: &mut dyn FnMut() -> Uuid,
    ) -> Result<Vec<Record<SessionEvent>>, Rejection> {
        bounds::text(&self.text)?;
        if self.stored.len() + self.announced.len() > FILES_MAX {
            return Err(Rejection::TooMuch);
        }
        let mut records = Vec::new();
        let mut push = |event, body| {
            records.push(Record {
                at,
                cause: None,
                event,
                body,
            });
        };
        let files = self.stored.len() + self.announced.len();
        if !self.text.is_empty() || files == 0 {
            let event = SessionEvent::Message {
                id: self.id.unwrap_or_else(|| MessageId(fresh())),
                from: Some(participant),
                kind: MessageKind::Text,
                visibility: Visibility::All,
            };
            push(event, Body::Present(self.text.clone()));
        }
        if let Some(thread) = &self.thread {
            push(SessionEvent::Threaded, json(thread));
        }
        for file in &self.stored {
            let event = SessionEvent::File {
                id: MessageId(fresh()),
                from: participant,
                media: file.media,
                mime: file.mime.clone(),
                length: file.length,
                visibility: Visibility::All,
            };
            push(event, Body::text(&file.name));
        }
        for announced in &self.announced {
            push(SessionEvent::Announced { from: participant }, json(announced));
        }
        if let Some(given) = self.consent {
            push(SessionEvent::Consent { given }, Body::None);
        }
        if let Some(reply) = &self.reply {
            let event = SessionEvent::Message {
                id: MessageId(fresh()),
                from: None,
                kind: MessageKind::Text,
                visibility: Visibility::All,
            };
            push(event, Body::text(reply));
        }
        Ok(records)
    }
}

impl Arrival {
    /// What follows outside: the announced files are fetched, the reply is sent, the mailbox has it, and the session hears. Of a STOP or a START it
    /// does not: nobody need answer that, no bot and no agent who would be looked for.
    #[must_use]
    pub fn effects(&self, tenant: TenantId, channel: &str) -> Vec<Effect> {
        let files = self.stored.len() + self.announced.len();
        let said = usize::from(!self.text.is_empty() || files == 0);
        let first = (said + usize::from(self.thread.is_some()) + self.stored.len()) as u64;
        let fetch = (first..).zip(&self.announced);
        let fetch = fetch.map(|(after, _)| Notice::Fetch { after });
        let after = first + self.announced.len() as u64 + u64::from(self.consent.is_some());
        let reply = self.reply.as_ref().map(|_| Notice::Replied { after });
        let deliver = fetch.chain(reply).map(|notice| Effect::Deliver {
            tenant,
            target: Target::Channel(channel.to_owned()),
            notice,
        });
        let entered = self.entered.then(|| Effect::Deliver {
            tenant,
            target: Target::Channel(channel.to_owned()),
            notice: Notice::Arrived,
        });
        let heard = self.consent.is_none().then_some(Effect::Heard);
        deliver.chain(entered).chain(heard).collect()
    }
}

fn json(object: &Map<String, Value>) -> Body {
    Body::text(&Value::Object(object.clone()).to_string())
}

/// Sees to what follows from something that was admitted: a bot answers, a sleeping session wakes. A repeat finds it done.
pub(super) fn heard(draft: &mut Draft<'_>, n: u64) -> Result<(), Rejection> {
    if draft.state.is_closed() {
        return Err(Rejection::Closed);
    }
    if draft.state.outside().turn > n {
        return Err(Rejection::Stale);
    }
    customer::react(draft);
    Ok(())
}
