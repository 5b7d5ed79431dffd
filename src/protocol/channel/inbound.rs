//! What comes in by a channel.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::model::{DeliveryStatus, Millis};

/// One thing a provider's callback says; a callback may say several.
#[derive(Debug, Clone, PartialEq)]
pub enum Callback {
    /// A customer wrote.
    Message(Box<Inbound>),
    /// Something we sent got further, or did not.
    Receipt(Receipt),
    /// Something that concerns no session; the name is for a metric.
    Ignored(&'static str),
}

/// A customer's message, whatever its dialect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inbound {
    /// The provider's id of it, 1 to 200 bytes: what makes a repeat recognisable.
    pub id: String,
    /// Who wrote: `+` and digits for a number, a lower-case mailbox, or the messenger's opaque id.
    pub from: String,
    /// Our number or mailbox, where the dialect says it.
    pub to: String,
    /// The customer's name, where the dialect says it.
    pub nickname: Option<String>,
    /// When the provider says it was written.
    pub at: Option<Millis>,
    /// The words; of HTML only what is safe as text.
    pub text: String,
    /// Of a mail.
    pub subject: Option<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Where a mail belongs.
    pub thread: Thread,
    /// Which of several conversations of this address, where a channel has more than one; each has a session of its own.
    pub conversation: Option<String>,
    /// `WhatsApp`, `FacebookPrivate` and so on, as the interaction subtype of contract section 12.
    pub subtype: Option<String>,
    /// What else is attached to the session.
    pub user_data: Map<String, Value>,
    /// Written by a program (an auto-reply, a list, a bounce): shown, never answered by one.
    pub automatic: bool,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Where its bytes are.
    pub source: AttachmentSource,
    /// Its name as the sender gave it; not trusted.
    pub name: Option<String>,
    /// Its type as the sender gave it; not trusted.
    pub mime: Option<String>,
}

/// Where the bytes of an attachment are.
#[derive(Debug, Clone, PartialEq)]
pub enum AttachmentSource {
    /// At an address of the provider, to be fetched by the guarded client.
    Url(String),
    /// In the callback itself.
    Inline(Bytes),
    /// Uploaded before: the `mediaId` of `genesys://nexus/<mediaId>`.
    Media(String),
}

/// Where a mail stands among others (RFC 5322 3.6.4). Ids without angle brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its own.
    pub message_id: Option<String>,
    /// The one it answers.
    pub in_reply_to: Option<String>,
    /// Those before it, oldest first.
    pub references: Vec<String>,
}

/// What became of something we sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which.
    pub reference: Reference,
    /// How far it got.
    pub status: DeliveryStatus,
    /// The provider's error code.
    pub code: Option<String>,
    /// The provider's words; shown to agents, never to customers.
    pub detail: Option<String>,
    /// When.
    pub at: Option<Millis>,
}

/// How a receipt names what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The [`super::Outbound::id`] that was handed over and came back.
    Ours(String),
    /// The id the provider gave when it accepted the message.
    Theirs(String),
}
