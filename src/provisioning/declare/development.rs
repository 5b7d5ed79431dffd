//! The development tenant: a declarative file like any other, compiled in, with well-known credentials.

use serde::Deserialize;

use crate::model::TenantId;

/// The declarative file. Its credentials are public: apply it only where nobody else can connect.
pub const DEVELOPMENT: &str = include_str!("../../../config/tenants/development.toml");

/// What a developer needs to use the development tenant, for the terminal and for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Development {
    /// Its id.
    pub tenant: TenantId,
    /// The key of the chat widget.
    pub api_key: String,
    /// The key of an administrator and of services of the contact centre.
    pub service_key: String,
    /// The endpoint chats enter by.
    pub endpoint: String,
    /// Login and static token of each agent.
    pub agents: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct File {
    tenant: Vec<TenantPart>,
}

#[derive(Deserialize)]
struct TenantPart {
    ccid: TenantId,
    apikeys: Vec<KeyPart>,
    endpoints: Vec<EndpointPart>,
    agents: Vec<AgentPart>,
}

#[derive(Deserialize)]
struct KeyPart {
    key: String,
    #[serde(rename = "type")]
    usage: String,
}

#[derive(Deserialize)]
struct EndpointPart {
    name: String,
}

#[derive(Deserialize)]
struct AgentPart {
    login: String,
    token: String,
}

/// Reads the well-known credentials out of [`DEVELOPMENT`]. `None` only if the compiled-in file lacks one, which a test
/// rules out.
pub fn development() -> Option<Development> {
    let file: File = toml::from_str(DEVELOPMENT).ok()?;
    let tenant = file.tenant.into_iter().next()?;
    let key = |usage| {
        tenant
            .apikeys
            .iter()
            .find(|key| key.usage == usage)
            .map(|key| key.key.clone())
    };
    Some(Development {
        tenant: tenant.ccid,
        api_key: key("chat")?,
        service_key: key("service")?,
        endpoint: tenant.endpoints.first()?.name.clone(),
        agents: tenant
            .agents
            .into_iter()
            .map(|agent| (agent.login, agent.token))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_tenant_is_acceptable_and_complete() {
        super::super::parse(DEVELOPMENT).unwrap();
        let development = development().unwrap();
        let logins: Vec<&str> = development
            .agents
            .iter()
            .map(|(login, _)| login.as_str())
            .collect();
        assert_eq!(logins, ["alice", "bob", "sue"]);
    }
}
