//! What must happen outside a log because of a record in it (DESIGN 3.4). Written in the same append as its cause.

use serde::{Deserialize, Serialize};

use super::channel::Media;
use super::crossing::Crossing;
use super::ids::{AgentId, LogId, TenantId};
use super::links::{Notice, Target};
use super::time::Millis;

/// Messages of one batch on their way at once.
const CAMPAIGN_LANES: u64 = 8;

/// One thing to be done, at least once, under one id: (log, number of the record, place in the append).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "snake_case")]
pub enum Effect {
    /// Tell another log.
    Cross {
        /// Which.
        target: LogId,
        /// What.
        message: Crossing,
    },
    /// Write the matching tables of a tenant.
    Match {
        /// Whose tables.
        tenant: TenantId,
        /// What to write.
        op: MatchOp,
    },
    /// Something was admitted into this log unread: let its machine see to what follows.
    Heard,
    /// Tell somebody outside.
    Deliver {
        /// Whose session.
        tenant: TenantId,
        /// Whom.
        target: Target,
        /// What.
        notice: Notice,
    },
}

impl Effect {
    /// Effects of one log with the same lane are carried out in order; different lanes do not wait for each other.
    #[must_use]
    pub fn lane(&self) -> String {
        match self {
            Self::Cross { target, .. } => format!("x{}", target.uuid().simple()),
            Self::Match { tenant, .. } => format!("m{}", tenant.0.simple()),
            Self::Heard => "h".to_owned(),
            Self::Deliver { target, notice, .. } => match (target, notice) {
                // What is fetched does not wait for what is said.
                (Target::Channel(id), Notice::Fetch { .. }) => format!("f{id}"),
                (Target::Channel(id), _) => format!("c{id}"),
                (Target::Webhook(id), _) => format!("w{id}"),
                (Target::History, _) => "u".to_owned(),
                (Target::Archive, _) => "a".to_owned(),
                (Target::Bot(name), _) => format!("b{name}"),
                // Messages of a batch do not wait for each other; one lane for all would send them one by one.
                (Target::Campaign(id), Notice::Said { n }) => format!("k{id}.{}", n % CAMPAIGN_LANES),
                (Target::Campaign(id), _) => format!("k{id}"),
                (Target::Statuses, Notice::Status { of }) => format!("s{}", of % CAMPAIGN_LANES),
                (Target::Statuses, _) => "s".to_owned(),
            },
        }
    }
}

/// A write to the matching tables. `n` orders the writes of one log: an older one never overwrites a newer one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum MatchOp {
    /// A session waits for an agent.
    Wait(WaitingSession),
    /// A session no longer waits. `assigned`: because an agent took it (counts for the estimated wait).
    Unwait {
        /// Which.
        session: LogId,
        /// Number of the record that says so.
        n: u64,
        /// Whether an agent took it.
        assigned: bool,
    },
    /// A desk has this much room.
    Ready(ReadyDesk),
    /// A desk takes nothing.
    Unready {
        /// Which.
        desk: LogId,
        /// Number of the record that says so.
        n: u64,
    },
    /// A desk was named for a session that does not want it, and is there for others. Not kept: it only ends a hold.
    Release {
        /// Which.
        desk: LogId,
    },
}

/// A session as the matching tables know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingSession {
    /// Which.
    pub session: LogId,
    /// Number of the record that says so.
    pub n: u64,
    /// Where it waits.
    pub queue: String,
    /// Its medium.
    pub media: Media,
    /// Larger is served first.
    pub priority: u32,
    /// Among equals the longest waiting is served first.
    pub since: Millis,
    /// Skills the agent must have.
    pub skills: Vec<String>,
    /// Preferred while ready.
    pub prefer: Option<LogId>,
    /// Desks that said no to it, or nothing; not asked again while another is ready.
    pub avoid: Vec<LogId>,
    /// Until when a desk is being asked for it, if one is. It keeps its turn meanwhile, and nobody else is named with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_until: Option<Millis>,
}

/// A desk as the matching tables know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadyDesk {
    /// Which.
    pub desk: LogId,
    /// Number of the record that says so.
    pub n: u64,
    /// Whose.
    pub agent: AgentId,
    /// Queues served.
    pub queues: Vec<String>,
    /// Skills.
    pub skills: Vec<String>,
    /// Free places per medium; a medium that is not ready is absent.
    pub free: Vec<(Media, u16)>,
    /// The longest idle is asked first.
    pub idle_since: Millis,
}
