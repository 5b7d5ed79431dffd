//! Somebody who was let in.

use crate::model::{AgentId, TenantId};
use crate::provisioning::objects::{Agent, AgentRole, Permission};
use crate::provisioning::row::ObjectId;

/// Somebody who was let in, and what they may do.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Whose caller. Operators act for other tenants only by naming them, see [`Principal::is_operator`].
    pub tenant: TenantId,
    /// What they showed.
    pub bearer: Bearer,
    pub(super) permissions: Vec<Permission>,
}

/// What a principal showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// An API key, by its id.
    ApiKey(ObjectId),
    /// An agent's token.
    Agent(AgentId),
    /// A token of the auth service that names no agent of ours, by its subject.
    Subject(String),
}

impl Principal {
    /// Whether they may do `action` in `area` within their tenant.
    pub fn allows(&self, area: &str, action: &str) -> bool {
        self.permissions
            .iter()
            .any(|permission| permission.allows(area, action))
    }

    /// Whether they may act for any tenant.
    pub fn is_operator(&self) -> bool {
        self.allows("platform", "*")
    }

    /// The agent they are, if they are one.
    pub fn agent(&self) -> Option<&AgentId> {
        match &self.bearer {
            Bearer::Agent(login) => Some(login),
            Bearer::ApiKey(_) | Bearer::Subject(_) => None,
        }
    }

    /// Their name in the audit.
    pub fn actor(&self) -> String {
        match &self.bearer {
            Bearer::ApiKey(id) => format!("apikey:{id}"),
            Bearer::Agent(login) => format!("agent:{login}"),
            Bearer::Subject(subject) => format!("subject:{subject}"),
        }
    }
}

/// What an agent's roles permit.
pub(super) fn of_roles(agent: &Agent) -> Vec<Permission> {
    let texts: &[&str] = if agent.is(AgentRole::Admin) {
        &["nexus:admin:*", "nexus:channels:*", "nexus:routing:*"]
    } else if agent.is(AgentRole::Supervisor) {
        &["nexus:routing:*"]
    } else {
        &["nexus:routing:read"]
    };
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
