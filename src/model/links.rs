//! Who outside is told of a session, and what they are told (DESIGN 3.4). Settled when the session opens.

use serde::{Deserialize, Serialize};

/// The connections of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Links {
    /// The channel by which the customer writes and is answered; `None`: the customer reads here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Webhooks that hear that it started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub started: Vec<String>,
    /// Webhooks that hear that it finished.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finished: Vec<String>,
    /// Whether contact history is kept elsewhere (UCS).
    #[serde(skip_serializing_if = "is_false")]
    pub history: bool,
    /// Whether we keep it by its contact, and what was said in it unless somebody else does.
    #[serde(skip_serializing_if = "is_false")]
    pub archive: bool,
    /// The bot that answers first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape serde takes")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "to", content = "id", rename_all = "kebab-case")]
pub enum Target {
    /// The customer, by a channel with this id.
    Channel(String),
    /// A subscriber, by a webhook with this id.
    Webhook(String),
    /// Contact history (UCS).
    History,
    /// Our own history.
    Archive,
    /// A bot by its name.
    Bot(String),
    /// Somebody on a campaign's list, by a channel with this id.
    Campaign(String),
    /// The campaign service, by the tenant's feed of statuses.
    Statuses,
}

/// What they are told: a reference, so that it is rendered in the same bytes each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Notice {
    /// The message or file of this record was said; of contact history: the file was sent, or the remark
    /// made after the end.
    Said {
        /// Its number.
        n: u64,
    },
    /// The service answers a word of the customer's about messages themselves (STOP, HELP, START): that goes out even to who wants
    /// none.
    Replied {
        /// Its message stands this many records after the first of its append.
        after: u64,
    },
    /// An announced file is to be fetched.
    Fetch {
        /// Its announcement stands this many records after the first of its append: an admitted record's number is the
        /// store's to give.
        after: u64,
    },
    /// The message of a batch got further. The record that says so is the first of its append.
    Status {
        /// Number of the message.
        of: u64,
    },
    /// The customer's own message, which this append begins with, came in; it is entered in the mailbox they read by.
    Arrived,
    /// The interaction was created and waits in a queue.
    Started,
    /// The interaction is over.
    Finished,
    /// The bot owes an answer to what is before this record.
    Turn {
        /// Number of the record that says so.
        n: u64,
    },
}
