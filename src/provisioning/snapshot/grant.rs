//! What a presented key or token stands for.

use std::sync::Arc;

use thiserror::Error;

use crate::model::{AgentId, Millis, TenantId};
use crate::provisioning::objects::{Agent, ApiKeyUse, Permission, Stored};
use crate::provisioning::row::ObjectId;
use crate::provisioning::secret::SecretDigest;

/// What an API key stands for.
#[derive(Clone)]
pub struct ApiKeyGrant {
    /// The key's id; safe to log.
    pub id: ObjectId,
    /// Whose key.
    pub tenant: TenantId,
    /// The name administrators gave it.
    pub name: String,
    /// What it is for.
    pub usage: ApiKeyUse,
    /// What its bearer may do.
    pub permissions: Vec<Permission>,
    pub(super) enabled: bool,
    pub(super) expires: Option<Millis>,
    pub(super) digest: SecretDigest,
}

impl ApiKeyGrant {
    /// Whether its bearer may do `action` in `area`.
    pub fn allows(&self, area: &str, action: &str) -> bool {
        self.permissions
            .iter()
            .any(|permission| permission.allows(area, action))
    }

    pub(super) fn check(&self, now: Millis) -> Result<(), KeyRefusal> {
        match (self.enabled, self.expires) {
            (false, _) => Err(KeyRefusal::Disabled),
            (true, Some(expires)) if now >= expires => Err(KeyRefusal::Expired),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for ApiKeyGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKeyGrant({} of {})", self.id, self.tenant)
    }
}

/// What a static agent token stands for.
#[derive(Debug, Clone)]
pub struct AgentGrant {
    /// Whose agent.
    pub tenant: TenantId,
    /// Their login.
    pub login: AgentId,
    /// What is known of them.
    pub agent: Arc<Stored<Agent>>,
}

/// Why a key or token is not accepted. The caller is told one thing for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyRefusal {
    /// It has not the form of a key.
    #[error("malformed key")]
    Malformed,
    /// Nobody has it.
    #[error("unknown key")]
    Unknown,
    /// It, or its bearer, is switched off.
    #[error("disabled key")]
    Disabled,
    /// Its time is over.
    #[error("expired key")]
    Expired,
    /// Its tenant is switched off.
    #[error("disabled tenant")]
    TenantDisabled,
}
