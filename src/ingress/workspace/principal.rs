//! Who an agent is, before anything is done for them.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use crate::model::{AgentId, LogId, TenantId};
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::AgentRole;

/// An authenticated agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPrincipal {
    /// Whose contact centre.
    pub tenant: TenantId,
    /// Which agent.
    pub agent: AgentId,
}

impl AgentPrincipal {
    /// The agent behind a static token in `Authorization: Bearer`, in tenants that permit them.
    ///
    /// # Errors
    /// The same for every reason a token is not good.
    pub fn of_static_token(snapshot: &Snapshot, headers: &HeaderMap) -> Result<Self, Fault> {
        let token = bearer(headers).ok_or(Code::NoCredentials)?;
        let grant = snapshot.agent_by_token(token).map_err(|_| Code::BadToken)?;
        Ok(Self {
            tenant: grant.tenant,
            agent: grant.login.clone(),
        })
    }

    /// The agent's desk.
    #[must_use]
    pub fn desk(&self) -> LogId {
        LogId::desk(self.tenant, &self.agent)
    }

    /// Whether the agent may still work: provisioned, enabled, in an enabled tenant.
    #[must_use]
    pub fn is_enabled(&self, snapshot: &Snapshot) -> bool {
        snapshot.tenant(self.tenant).is_some_and(|tenant| tenant.enabled)
            && snapshot
                .agent(self.tenant, &self.agent)
                .is_some_and(|agent| agent.enabled)
    }

    /// Whether the agent may watch others, as provisioned now.
    #[must_use]
    pub fn is_supervisor(&self, snapshot: &Snapshot) -> bool {
        snapshot
            .agent(self.tenant, &self.agent)
            .is_some_and(|agent| agent.enabled && agent.is(AgentRole::Supervisor))
    }
}

/// The token of a bearer scheme, in any case of the scheme's letters.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
