//! What can happen in a customer's mailbox of secure e-mail: a feed that only grows and is read from its newest entry.

use serde::{Deserialize, Serialize};

use super::ids::LogId;
use super::kinds::Kinds;

/// One entry of a mailbox. The mail itself stays in its session; the comment on each variant names the body it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum MailEvent {
    /// A mail lies here. Body: a JSON object with `subject` and `from`, the writer's name.
    Mail {
        /// The session it was written in.
        session: LogId,
        /// Its number there.
        n: u64,
        /// Which of the customer's conversations it belongs to.
        conversation: String,
        /// Who wrote it.
        author: MailAuthor,
        /// Files that came with it.
        files: u32,
    },
    /// The customer has read a mail.
    Read {
        /// The mail's session.
        session: LogId,
        /// Its number there.
        n: u64,
    },
    /// Something of a newer release that may be passed over. Never written by this one.
    Passed,
}

/// Who wrote a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailAuthor {
    /// The customer whose mailbox it is.
    Customer,
    /// The contact centre.
    Centre,
}

impl Kinds for MailEvent {
    const KINDS: &'static [&'static str] = &["mail", "read", "passed"];

    fn is_ignorable(&self) -> bool {
        // A reader that does not know an entry shows the others.
        true
    }

    fn passed() -> Self {
        Self::Passed
    }
}
