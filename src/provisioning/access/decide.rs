//! From a presented credential to a principal, or a refusal.

use thiserror::Error;

use super::jwt::{TokenRefused, TokenVerifier};
use super::principal::{Bearer, Principal, of_roles};
use super::refresh::Refresh;
use crate::model::{AgentId, Millis};
use crate::provisioning::snapshot::{KeyRefusal, Snapshot};

/// Decides who a caller is. Holds what the snapshot does not: how tokens of the auth service are verified.
#[derive(Default)]
pub struct Access {
    verifier: Option<TokenVerifier>,
    refresh: Option<Refresh>,
}

/// Why a caller is not let in. Tell them only which kind of credential was refused; the reason is for our log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccessRefusal {
    /// The API key.
    #[error("{0}")]
    Key(KeyRefusal),
    /// The bearer token.
    #[error("bad token: {0}")]
    Token(&'static str),
}

impl Access {
    /// Accepts API keys and static tokens, and with a verifier tokens of the auth service.
    pub fn new(verifier: Option<TokenVerifier>) -> Self {
        Access {
            verifier,
            refresh: None,
        }
    }

    /// The same with keys that somebody fetches, whenever `refresh` says so.
    pub fn fetching(verifier: TokenVerifier, refresh: Refresh) -> Self {
        Access {
            verifier: Some(verifier),
            refresh: Some(refresh),
        }
    }

    /// When keys are fetched, where they are.
    pub fn refresh(&self) -> Option<&Refresh> {
        self.refresh.as_ref()
    }

    /// Waits a moment for the key of a bearer token whose key is not known, where keys are fetched. What the token is worth is
    /// then for [`Access::bearer`] to say.
    pub async fn await_key(&self, presented: &str) {
        if let (Some(verifier), Some(refresh)) = (&self.verifier, &self.refresh)
            && verifier.lacks_key_of(presented)
        {
            refresh.ask().await;
        }
    }

    /// The verifier, to replace its keys.
    pub fn verifier(&self) -> Option<&TokenVerifier> {
        self.verifier.as_ref()
    }

    /// Who presents this `x-api-key`.
    ///
    /// # Errors
    /// [`AccessRefusal::Key`].
    pub fn api_key(
        &self,
        snapshot: &Snapshot,
        presented: &str,
        now: Millis,
    ) -> Result<Principal, AccessRefusal> {
        let grant = snapshot.api_key(presented, now).map_err(AccessRefusal::Key)?;
        Ok(Principal {
            tenant: grant.tenant,
            bearer: Bearer::ApiKey(grant.id.clone()),
            permissions: grant.permissions.clone(),
        })
    }

    /// Who presents this bearer token: one of the auth service, or an agent's static token.
    ///
    /// # Errors
    /// [`AccessRefusal::Token`].
    pub fn bearer(
        &self,
        snapshot: &Snapshot,
        presented: &str,
        now: Millis,
    ) -> Result<Principal, AccessRefusal> {
        if let (Some(verifier), 2) = (&self.verifier, presented.matches('.').count())
            && presented.starts_with("ey")
        {
            return Self::signed(verifier, snapshot, presented, now);
        }
        let grant = snapshot
            .agent_by_token(presented)
            .map_err(|_| AccessRefusal::Token("unknown"))?;
        Ok(Principal {
            tenant: grant.tenant,
            bearer: Bearer::Agent(grant.login.clone()),
            permissions: of_roles(&grant.agent),
        })
    }

    fn signed(
        verifier: &TokenVerifier,
        snapshot: &Snapshot,
        presented: &str,
        now: Millis,
    ) -> Result<Principal, AccessRefusal> {
        let claims = verifier
            .verify(presented, now)
            .map_err(|TokenRefused(why)| AccessRefusal::Token(why))?;
        if !snapshot
            .tenant(claims.tenant)
            .is_some_and(|tenant| tenant.enabled)
        {
            return Err(AccessRefusal::Token("unknown or disabled tenant"));
        }
        let mut permissions: Vec<_> = claims
            .permissions
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let login: Option<AgentId> = claims.login.as_ref().unwrap_or(&claims.subject).parse().ok();
        let agent = login
            .as_ref()
            .and_then(|login| snapshot.agent(claims.tenant, login));
        let bearer = match (agent, login) {
            (Some(agent), Some(_)) if !agent.enabled => return Err(AccessRefusal::Token("disabled agent")),
            (Some(agent), Some(login)) => {
                permissions.extend(of_roles(agent));
                Bearer::Agent(login)
            }
            _ => Bearer::Subject(claims.subject),
        };
        Ok(Principal {
            tenant: claims.tenant,
            bearer,
            permissions,
        })
    }
}
