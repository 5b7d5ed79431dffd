//! A customer who is not let in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::model::Media;
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A customer who is not let in, by the address they come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct BlockedCustomer {
    /// Their address in the medium: a number, a mailbox, or for chat an IP address.
    pub address: String,
    /// The medium; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// For administrators.
    pub reason: String,
    /// When the block ends; absent means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl BlockedCustomer {
    /// Whether the block holds for a medium at a time.
    pub fn holds(&self, media: Media, now: Timestamp) -> bool {
        self.media.is_none_or(|blocked| blocked == media) && self.until.is_none_or(|until| now < until)
    }
}

impl Object for BlockedCustomer {
    const KIND: Kind = Kind::BlockedCustomer;

    fn name(&self) -> &str {
        &self.address
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("address", &self.address, 320);
        problems.bounded("reason", &self.reason, 1024);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.blocked
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.blocked
    }
}
