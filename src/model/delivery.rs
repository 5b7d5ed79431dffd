//! What becomes of something that left by a channel.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a message got on its way to a customer (contract 11.4). Later ones are larger.
///
/// A status never moves backwards: see [`DeliveryStatus::follows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryStatus {
    /// The provider has it and has not sent it yet.
    Queued,
    /// The provider has sent it.
    Sent,
    /// It reached the customer's device or mailbox.
    Delivered,
    /// The customer has seen it.
    Read,
    /// The customer has followed a link in it.
    Clicked,
    /// The customer has answered it: said of messages of campaigns.
    Replied,
    /// It could not be handed over.
    Undelivered,
    /// It was refused, by the provider or by us.
    Failed,
    /// The mailbox sent it back.
    Bounced,
    /// The customer reported it as unwanted.
    Complaint,
    /// The customer wants no messages from us.
    OptOut,
}

impl DeliveryStatus {
    /// Whether this status may stand where `before` stood. What has ended stays ended, except that a reader may still
    /// complain or opt out.
    #[must_use]
    pub fn follows(self, before: Option<Self>) -> bool {
        match before {
            None => true,
            Some(Self::Undelivered | Self::Failed | Self::Bounced | Self::OptOut | Self::Complaint) => {
                matches!(self, Self::Complaint | Self::OptOut) && Some(self) != before
            }
            Some(before) => self > before,
        }
    }

    /// Whether the customer did not get it.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Undelivered | Self::Failed | Self::Bounced)
    }

    /// The name on every wire of ours.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Sent => "Sent",
            Self::Delivered => "Delivered",
            Self::Read => "Read",
            Self::Clicked => "Clicked",
            Self::Replied => "Replied",
            Self::Undelivered => "Undelivered",
            Self::Failed => "Failed",
            Self::Bounced => "Bounced",
            Self::Complaint => "Complaint",
            Self::OptOut => "OptOut",
        }
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_never_moves_backwards_and_a_failure_stays() {
        use DeliveryStatus::{
            Bounced, Clicked, Complaint, Delivered, Failed, OptOut, Queued, Read, Replied, Sent,
        };
        assert!(Queued.follows(None) && Sent.follows(Some(Queued)) && Read.follows(Some(Delivered)));
        assert!(!Sent.follows(Some(Delivered)) && !Sent.follows(Some(Sent)));
        assert!(!Delivered.follows(Some(Failed)) && !Failed.follows(Some(Bounced)));
        assert!(Clicked.follows(Some(Read)) && Replied.follows(None) && !Read.follows(Some(Replied)));
        assert!(
            !Replied.follows(Some(Replied))
                && !Replied.follows(Some(Failed))
                && OptOut.follows(Some(Replied))
        );
        assert!(Failed.follows(Some(Sent)) && Complaint.follows(Some(Delivered)));
    }
}
