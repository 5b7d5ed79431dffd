//! A person who answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::model::Media;
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A person who answers. `token` is a static token for development tenants, kept as a digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Agent {
    /// What they sign in as; unique in the tenant, at most 128 bytes.
    pub login: String,
    /// What customers see.
    pub nickname: String,
    /// For colleagues.
    pub first_name: String,
    /// For colleagues.
    pub last_name: String,
    /// Skill and level, 1 to 10.
    pub skills: BTreeMap<String, u8>,
    /// Sessions at once, per medium.
    pub capacity: BTreeMap<Media, u8>,
    /// Queues served; empty means every queue whose skills they have.
    pub queues: Vec<String>,
    /// Groups they belong to.
    pub groups: Vec<String>,
    /// What they may do.
    pub roles: Vec<AgentRole>,
    /// Whether offers are accepted for them.
    pub auto_accept: bool,
    /// Off refuses the sign-in and revokes what is open.
    pub enabled: bool,
}

/// What an agent may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AgentRole {
    /// Answer sessions.
    Agent,
    /// Monitor, coach and barge in.
    Supervisor,
    /// Write provisioning data of the tenant.
    Admin,
}

impl Agent {
    /// Whether they hold a role.
    pub fn is(&self, role: AgentRole) -> bool {
        self.roles.contains(&role)
    }
}

impl Default for Agent {
    fn default() -> Self {
        Agent {
            login: String::new(),
            nickname: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            skills: BTreeMap::new(),
            capacity: BTreeMap::from([(Media::Chat, 3)]),
            queues: Vec::new(),
            groups: Vec::new(),
            roles: vec![AgentRole::Agent],
            auto_accept: false,
            enabled: true,
        }
    }
}

impl Object for Agent {
    const KIND: Kind = Kind::Agent;

    fn name(&self) -> &str {
        &self.login
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("login", &self.login);
        problems.bounded("nickname", &self.nickname, 128);
        problems.bounded("firstName", &self.first_name, 128);
        problems.bounded("lastName", &self.last_name, 128);
        problems.at_most("skills", self.skills.len(), 256);
        for (skill, level) in &self.skills {
            problems.name("skills", skill);
            problems.within(&format!("skills.{skill}"), (*level).into(), 1, 10);
        }
        for (media, places) in &self.capacity {
            problems.within(&format!("capacity.{media}"), (*places).into(), 0, 100);
        }
        problems.at_most("queues", self.queues.len(), 256);
        problems.at_most("groups", self.groups.len(), 256);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.agents
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.agents
    }
}
