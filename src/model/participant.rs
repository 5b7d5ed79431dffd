//! Who takes part in a session and who may see what.

use serde::{Deserialize, Serialize};

/// The part somebody plays in a session; the names are those of chat v3 `from.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The person who asked.
    Customer,
    /// An agent of the contact centre.
    Agent,
    /// A supervisor who listens, coaches or has barged in.
    Supervisor,
    /// A bot.
    Bot,
    /// The service itself; its texts are plain lines in the widget.
    External,
}

/// Who may see a record. What a customer may see is decided in one function, `session::visible_to_customer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Visibility {
    /// Everybody in the session.
    #[default]
    All,
    /// Agents and supervisors.
    Agent,
    /// Supervisors only.
    Supervisor,
}

/// Why a participant is no longer in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaveReason {
    /// Asked to leave.
    Left,
    /// Gave the session to somebody else.
    Transferred,
    /// Was taken out by another participant.
    Removed,
    /// Has not been heard of for longer than the tenant's grace.
    Lost,
    /// The session ended.
    Closed,
}
