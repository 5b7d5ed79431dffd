//! A contact centre.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A contact centre. Its object id is its `ccid`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Tenant {
    /// Short id, such as `t100`.
    pub sid: String,
    /// Name shown to people.
    pub name: String,
    /// Home region.
    pub region: String,
    /// Every region it may run in.
    pub all_regions: Vec<String>,
    /// Address of its contact history service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ucs_url: Option<String>,
    /// How that service is spoken to: `ucsx`, or `classic` for release 9.1; absent means `ucsx`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ucs_dialect: Option<String>,
    /// Whether anything of it is served. Off refuses every key and token of the tenant.
    pub enabled: bool,
    /// IANA zone of opening hours and quiet hours.
    pub time_zone: String,
    /// Language of texts where the customer's is unknown or has no text.
    pub default_language: String,
    /// Origins a browser may call from; empty means any for widgets, none but our own for desktops.
    pub allowed_origins: Vec<String>,
    /// Whether agents may sign in with static tokens. For development only.
    pub static_agent_tokens: bool,
    /// Seconds a lost agent keeps their sessions before they are offered again; absent means the node's `agent.grace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_grace_sec: Option<u32>,
    /// What the tenant may use.
    pub limits: TenantLimits,
}

/// Upper bounds of one tenant; absent means the node's own limit only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct TenantLimits {
    /// Sessions open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_sessions: Option<u32>,
    /// New sessions a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_sessions_per_minute: Option<u32>,
    /// Customer messages a second, over all sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_second: Option<u32>,
    /// Weight among tenants that compete for a node; 1 is ordinary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

impl Default for Tenant {
    fn default() -> Self {
        Tenant {
            sid: String::new(),
            name: String::new(),
            region: String::new(),
            all_regions: Vec::new(),
            ucs_url: None,
            ucs_dialect: None,
            enabled: true,
            time_zone: "Etc/UTC".to_owned(),
            default_language: "en".to_owned(),
            allowed_origins: Vec::new(),
            static_agent_tokens: false,
            agent_grace_sec: None,
            limits: TenantLimits::default(),
        }
    }
}

impl Object for Tenant {
    const KIND: Kind = Kind::Tenant;

    #[expect(
        clippy::misnamed_getters,
        reason = "the natural key of a tenant is its short id"
    )]
    fn name(&self) -> &str {
        &self.sid
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("sid", &self.sid);
        problems.required("name", &self.name, 256);
        problems.bounded("region", &self.region, 64);
        problems.at_most("allRegions", self.all_regions.len(), 64);
        if let Some(url) = &self.ucs_url {
            problems.url("ucsUrl", url);
        }
        if let Some(dialect) = &self.ucs_dialect {
            problems.one_of("ucsDialect", dialect, &["ucsx", "classic"]);
        }
        problems.time_zone("timeZone", &self.time_zone);
        problems.language("defaultLanguage", &self.default_language);
        problems.at_most("allowedOrigins", self.allowed_origins.len(), 64);
        for origin in &self.allowed_origins {
            let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
            problems.url("allowedOrigins", origin);
            if authority.contains(['/', '?', '#']) {
                problems.bad("allowedOrigins", "an origin has no path");
            }
        }
        if let Some(grace) = self.agent_grace_sec {
            problems.within("agentGraceSec", grace.into(), 0, 3600);
        }
        if let Some(weight) = self.limits.weight {
            problems.within("limits.weight", weight.into(), 1, 1000);
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.tenant
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.tenant
    }
}
