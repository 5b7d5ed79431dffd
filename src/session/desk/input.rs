//! What a desk is asked, and what it answers.

use uuid::Uuid;

use crate::model::{AgentId, ChannelState, Crossing, Media, Millis, TenantId};

/// A question to a desk.
#[derive(Debug, Clone)]
pub enum DeskInput {
    /// A socket of this login connects; it replaces every earlier one.
    Connect {
        /// Whose contact centre.
        tenant: TenantId,
        /// Whose desk.
        agent: AgentId,
        /// What they are provisioned for now.
        profile: DeskProfile,
    },
    /// The agent's provisioning changed.
    Provisioned(DeskProfile),
    /// The agent commands something about themselves.
    Act {
        /// `cmdId`.
        command: Uuid,
        /// What.
        act: DeskAct,
    },
    /// A session says or asks something.
    Crossing(Crossing),
    /// One of the desk's deadlines has come.
    Timer {
        /// Which.
        timer: DeskTimer,
        /// When it was due.
        due: Millis,
    },
    /// Nothing was heard of the agent for the liveness deadline.
    Lapsed,
    /// The agent was heard again.
    Returned,
}

/// What an agent commands about themselves.
#[derive(Debug, Clone)]
pub enum DeskAct {
    /// Changes the state of one medium, or of all they are provisioned for.
    Channel {
        /// Which; `None`: all.
        media: Option<Media>,
        /// To what.
        state: ChannelState,
    },
    /// Offers are taken without asking, or no longer.
    AutoAccept(bool),
}

/// What an agent is provisioned for.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeskProfile {
    /// Display name.
    pub name: String,
    /// Places per medium.
    pub capacity: Vec<(Media, u16)>,
    /// Abilities.
    pub skills: Vec<String>,
    /// Queues served.
    pub queues: Vec<String>,
    /// May monitor, coach and barge in.
    pub supervisor: bool,
    /// How long they keep their sessions once they are lost, milliseconds.
    #[serde(default = "crate::model::usual_grace_ms")]
    pub grace_ms: u64,
    /// Whether offers are taken without asking, until the agent says otherwise.
    #[serde(default)]
    pub auto_accept: bool,
}

/// The deadlines of a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum DeskTimer {
    /// A reservation is past its deadline: ask the session.
    Reservation = 1,
    /// The agent is lost for longer than the grace.
    Grace = 2,
    /// A medium has rested from an offer that was rejected.
    Rest = 3,
}

impl DeskTimer {
    /// The timer a store knows by this number.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Reservation),
            2 => Some(Self::Grace),
            3 => Some(Self::Rest),
            _ => None,
        }
    }
}

/// What a desk tells its asker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeskReply {
    /// Number of the last record written, or the top when nothing was.
    pub n: u64,
    /// The socket's connection number, where one connected.
    pub conn: Option<u64>,
    /// What to answer the session that asked.
    pub answer: Option<Crossing>,
    /// The same command was carried out before.
    pub repeated: bool,
}

/// Why a desk said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeskRejection {
    /// Nobody has ever worked here.
    #[error("not a desk")]
    NoDesk,
    /// The agent is not provisioned for this medium.
    #[error("not provisioned for this medium")]
    NoSuchMedium,
    /// A deadline or a message that no longer means anything.
    #[error("stale")]
    Stale,
}
