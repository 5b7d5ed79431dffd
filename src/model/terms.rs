//! What a tenant has settled for its sessions, as one session was opened with it.

use serde::{Deserialize, Serialize};

use super::links::Links;

/// What holds for the whole life of a session. Written down when it opens, so that every node goes by the same whatever
/// has been provisioned since. Durations in milliseconds; texts are in the customer's language, an empty one is not said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Silence after which a held session is told that it will end; 0: never.
    pub idle_alert_ms: u64,
    /// From there to its end.
    pub idle_close_ms: u64,
    /// How long a customer who is no longer heard of keeps a held session; one that waits ends at once.
    pub abandon_ms: u64,
    /// How long after an agent left the customer who speaks again is offered to them first; 0: to nobody in particular.
    pub last_agent_ms: u64,
    /// Files a customer may send.
    pub max_files: u32,
    /// Said when the silence is noticed.
    pub idle_text: String,
    /// Said when the session ends because of it.
    pub idle_close_text: String,
    /// Said when the session ends otherwise.
    pub closing_text: String,
    /// How long its log is kept after its last record where that is longer than usual.
    pub keep_ms: u64,
    /// Where it waits for an agent once its customer says something that asks for one; `None`: what opened it did, and it waits at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<Home>,
    /// Who outside is told of it.
    pub links: Links,
}

/// A place in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The queue.
    pub queue: String,
    /// Larger is served first.
    pub priority: u32,
    /// Abilities the agent must have.
    pub skills: Vec<String>,
    /// How long an agent has to accept, milliseconds.
    pub offer_ms: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            idle_alert_ms: 255_000,
            idle_close_ms: 45_000,
            abandon_ms: 180_000,
            last_agent_ms: 86_400_000,
            max_files: 100,
            idle_text: String::new(),
            idle_close_text: String::new(),
            closing_text: String::new(),
            keep_ms: 0,
            home: None,
            links: Links::default(),
        }
    }
}
