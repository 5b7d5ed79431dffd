//! What goes out by a channel.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::inbound::{Attachment, Thread};
use crate::model::{Card, Millis};

/// A message to a customer, whatever the dialect it is put in. The same message is always put in the same bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbound {
    /// Our id of it over all attempts: ASCII letters, digits, `.` and `-`, at most 64.
    pub id: String,
    /// Our number or mailbox.
    pub from: String,
    /// The name beside it, for a mail.
    pub from_name: Option<String>,
    /// The customer's address.
    pub to: String,
    /// The words.
    pub text: String,
    /// Of a mail.
    pub subject: Option<String>,
    /// HTML of a mail, where a campaign brings its own.
    pub html: Option<String>,
    /// Where answers to a mail go, if not to its sender.
    pub reply_to: Option<String>,
    /// Files; sources are [`super::AttachmentSource::Url`] that the provider may fetch, or inline bytes for mail.
    pub attachments: Vec<Attachment>,
    /// Of a mail.
    pub thread: Thread,
    /// When it was written: the `Date` of a mail.
    pub at: Option<Millis>,
    /// Whether a program wrote it and no person: said in a mail, so that no program answers.
    pub automatic: bool,
    /// Choices offered, where the other side can show them: (label, payload).
    pub quick_replies: Vec<(String, String)>,
    /// Cards, where the other side can show them.
    pub cards: Vec<Card>,
    /// Where the provider is to report what became of it.
    pub status_url: Option<String>,
    /// What else travels, for a custom client.
    pub user_data: Map<String, Value>,
}

/// A request to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// `POST`, mostly.
    pub method: &'static str,
    /// The absolute address.
    pub url: String,
    /// Names in lower case. May hold credentials: never logged.
    pub headers: Vec<(&'static str, String)>,
    /// Byte-identical over all attempts.
    pub body: Bytes,
}

impl std::fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpCall({}, {} bytes)", self.method, self.body.len())
    }
}

/// What a provider's answer to a send means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// It has the message; the id is what later receipts name.
    Accepted {
        /// The provider's id of it.
        reference: Option<String>,
    },
    /// It will never take it.
    Refused {
        /// The provider's error code, or the status.
        code: String,
        /// Its words, at most 300 characters.
        detail: String,
    },
    /// Not now.
    Later {
        /// Not before that, where the provider says so.
        after: Option<Duration>,
    },
}
