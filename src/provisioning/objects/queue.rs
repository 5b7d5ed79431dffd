//! Where sessions wait.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// Where sessions wait for an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Queue {
    /// Its name, such as `chat.inbound`.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// Higher is served first.
    pub priority: i32,
    /// Skill and least level an agent must have.
    pub skills: BTreeMap<String, u8>,
    /// Seconds an agent has to accept; absent means the node's `routing.offer_timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_timeout_sec: Option<u32>,
    /// Seconds a customer is remembered with the agent they had; absent means the node's `routing.last_agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_agent_sec: Option<u32>,
    /// Sessions that may wait; more are told so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<u32>,
    /// Name of its opening hours; absent means always open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening_hours: Option<String>,
    /// Off takes no sessions.
    pub enabled: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            name: String::new(),
            display_name: String::new(),
            priority: 0,
            skills: BTreeMap::new(),
            offer_timeout_sec: None,
            last_agent_sec: None,
            max_waiting: None,
            opening_hours: None,
            enabled: true,
        }
    }
}

impl Object for Queue {
    const KIND: Kind = Kind::Queue;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("name", &self.name);
        problems.bounded("displayName", &self.display_name, 128);
        problems.at_most("skills", self.skills.len(), 64);
        for (skill, level) in &self.skills {
            problems.within(&format!("skills.{skill}"), (*level).into(), 1, 10);
        }
        if let Some(timeout) = self.offer_timeout_sec {
            problems.within("offerTimeoutSec", timeout.into(), 3, 3600);
        }
        if let Some(remembered) = self.last_agent_sec {
            problems.within("lastAgentSec", remembered.into(), 0, 2_592_000);
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.queues
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.queues
    }
}
