//! Whether an endpoint has shown that it wants what is sent to it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of the challenge to an endpoint. The service's own to write: what a caller sends of it counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Where it stands.
    pub state: VerificationState,
    /// The address that was asked. For another one it says nothing.
    pub url: String,
    /// When it was asked last; absent before the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why it has not answered, in words of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Where a challenge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VerificationState {
    /// The endpoint has not answered, and gets nothing.
    Pending,
    /// It has.
    Verified,
}

impl Verification {
    /// Before the first challenge to an address.
    #[must_use]
    pub fn pending(url: &str) -> Self {
        Self {
            state: VerificationState::Pending,
            url: url.to_owned(),
            at: None,
            detail: None,
        }
    }

    /// Whether this says that the endpoint at `url` has answered.
    #[must_use]
    pub fn holds_for(&self, url: &str) -> bool {
        self.state == VerificationState::Verified && self.url == url
    }
}
