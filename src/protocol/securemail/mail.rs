//! A mail as its mailbox knows it: where it is, and what stands on its line of a list.

use serde_json::{Map, Value, json};

use crate::model::{Body, LogId, MailAuthor, MailEvent, Millis, Record};

/// A mail as its mailbox lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The session it was written in.
    pub session: LogId,
    /// Its number there.
    pub n: u64,
    /// Which of the customer's conversations it belongs to.
    pub conversation: String,
    /// Who wrote it.
    pub author: MailAuthor,
    /// The writer's name; empty once it was erased.
    pub from: String,
    /// What it is about; empty once it was erased.
    pub subject: String,
    /// Files that came with it.
    pub files: u32,
    /// When it was written.
    pub at: Millis,
}

impl Mail {
    /// The entry that stands for it.
    #[must_use]
    pub fn entry(&self) -> Record<MailEvent> {
        let event = MailEvent::Mail {
            session: self.session,
            n: self.n,
            conversation: self.conversation.clone(),
            author: self.author,
            files: self.files,
        };
        Record {
            at: self.at,
            cause: None,
            event,
            body: Body::text(&json!({"subject": self.subject, "from": self.from}).to_string()),
        }
    }

    /// The mail an entry stands for; `None` for an entry that stands for none.
    #[must_use]
    pub fn of(entry: &Record<MailEvent>) -> Option<Self> {
        let MailEvent::Mail {
            session,
            n,
            conversation,
            author,
            files,
        } = &entry.event
        else {
            return None;
        };
        let about: Map<String, Value> = serde_json::from_str(entry.body.as_str()).unwrap_or_default();
        let text = |name: &str| about.get(name).and_then(Value::as_str).unwrap_or_default();
        Some(Self {
            session: *session,
            n: *n,
            conversation: conversation.clone(),
            author: *author,
            from: text("from").to_owned(),
            subject: text("subject").to_owned(),
            files: *files,
            at: entry.at,
        })
    }
}
