//! What kind of conversation a session is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The medium of a session; an agent is ready, busy and limited per medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Media {
    /// The browser widget.
    Chat,
    /// Text messages through an aggregator.
    Sms,
    /// Mail through an aggregator.
    Email,
    /// Any third-party messenger.
    Social,
}

impl Media {
    /// Every medium, in the order they are shown.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Sms, Self::Email, Self::Social];

    /// The name on every wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Sms => "sms",
            Self::Email => "email",
            Self::Social => "social",
        }
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no medium of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown medium")]
pub struct UnknownMedia;

impl FromStr for Media {
    type Err = UnknownMedia;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|media| media.as_str() == text)
            .ok_or(UnknownMedia)
    }
}
