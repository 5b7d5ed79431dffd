//! Everything that can be written down in a feed: a campaign's batch with what became of its records, and the statuses a tenant's
//! campaign service reads.

use serde::{Deserialize, Serialize};

use super::channel::Media;
use super::delivery::DeliveryStatus;
use super::ids::TenantId;
use super::kinds::Kinds;

/// One fact of a feed's history. A batch has a feed of its own; its statuses are told in the tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum FeedEvent {
    /// The feed exists.
    Opened {
        /// Whose.
        tenant: TenantId,
    },
    /// A record's status, to be told to the consumer.
    Told(RecordStatus),
    /// A rebuild may begin here: what is before is past its time.
    Kept,
    /// A batch was asked for; its messages follow.
    Batch(BatchHead),
    /// A message of the batch, accepted. Body: its address and words.
    Message {
        /// The caller's name of it.
        record: String,
    },
    /// A message of the batch that will not be sent.
    Refused {
        /// The caller's name of it; empty where it had none.
        record: String,
        /// Why, in one word.
        code: String,
    },
    /// How far a message of the batch got.
    Status {
        /// Number of the message.
        of: u64,
        /// How far.
        status: DeliveryStatus,
        /// The provider's error code, or ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Its words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// Something a newer release wrote and this one may pass over.
    Passed,
}

/// What a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHead {
    /// Whose.
    pub tenant: TenantId,
    /// The campaign's id.
    pub campaign: String,
    /// The batch's id within the campaign.
    pub batch: String,
    /// By which medium.
    pub media: Media,
    /// By which channel, by its id.
    pub channel: String,
    /// Whether it only tries the campaign out.
    pub test: bool,
    /// Messages, refused ones among them.
    pub total: u32,
    /// What makes two requests the same: a digest of the request.
    pub fingerprint: String,
}

/// A status as the campaign service is told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordStatus {
    /// The campaign's id.
    pub campaign: String,
    /// The batch's id.
    pub batch: String,
    /// The caller's name of the message.
    pub record: String,
    /// By which medium.
    pub media: Media,
    /// Whether it was of a test.
    #[serde(default)]
    pub test: bool,
    /// How far it got.
    pub status: DeliveryStatus,
    /// The provider's error code, or ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Kinds for FeedEvent {
    const KINDS: &'static [&'static str] = &[
        "opened", "told", "kept", "batch", "message", "refused", "status", "passed",
    ];

    fn is_ignorable(&self) -> bool {
        matches!(self, Self::Passed)
    }

    fn passed() -> Self {
        Self::Passed
    }
}
