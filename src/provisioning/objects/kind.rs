//! The kinds of object, with what is known of each without looking at one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of provisioning object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Kind {
    /// A contact centre.
    Tenant = 0,
    /// A key for `x-api-key`.
    ApiKey = 1,
    /// An entrance for customers.
    Endpoint = 2,
    /// An address of a medium, connected to a provider.
    Channel = 3,
    /// An account with a provider.
    Service = 4,
    /// A sender id: short code, long code, e-mail address.
    Sender = 5,
    /// A third-party bot.
    Bot = 6,
    /// A subscription to state changes.
    Webhook = 7,
    /// A link to GWS or its authentication service.
    GapiLink = 8,
    /// A canned response.
    StandardResponse = 9,
    /// A placeholder in canned responses.
    FieldCode = 10,
    /// A value that field codes and templates may use.
    CustomVariable = 11,
    /// A pattern to mask in what is stored.
    PiiRule = 12,
    /// A person who answers.
    Agent = 13,
    /// Where sessions wait.
    Queue = 14,
    /// When somebody is there.
    OpeningHours = 15,
    /// A text the service itself says to a customer.
    MessageTemplate = 16,
    /// How long what is kept.
    Retention = 17,
    /// A customer who is not let in.
    BlockedCustomer = 18,
}

/// A write-only field of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretField {
    /// Name in REST bodies and declarative files.
    pub field: &'static str,
    /// What a read shows instead.
    pub shown_as: &'static str,
    /// Column in PostgreSQL; part of what the sealed value is bound to.
    pub column: &'static str,
    /// Whether we need it back.
    pub form: SecretForm,
}

/// How a write-only field is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretForm {
    /// Encrypted under the tenant's data key, because we present it to somebody.
    Sealed,
    /// As HMAC-SHA-256 under the pepper, because it is only ever compared. Unique in the whole store.
    Digest,
}

const fn sealed(field: &'static str, shown_as: &'static str, column: &'static str) -> SecretField {
    SecretField {
        field,
        shown_as,
        column,
        form: SecretForm::Sealed,
    }
}

const fn digest(field: &'static str, shown_as: &'static str, column: &'static str) -> SecretField {
    SecretField {
        field,
        shown_as,
        column,
        form: SecretForm::Digest,
    }
}

impl Kind {
    /// Every kind; a tenant first, because the rest refer to one.
    pub const ALL: [Kind; 19] = [
        Kind::Tenant,
        Kind::ApiKey,
        Kind::Endpoint,
        Kind::Channel,
        Kind::Service,
        Kind::Sender,
        Kind::Bot,
        Kind::Webhook,
        Kind::GapiLink,
        Kind::StandardResponse,
        Kind::FieldCode,
        Kind::CustomVariable,
        Kind::PiiRule,
        Kind::Agent,
        Kind::Queue,
        Kind::OpeningHours,
        Kind::MessageTemplate,
        Kind::Retention,
        Kind::BlockedCustomer,
    ];

    /// The collection's name in REST paths and declarative files.
    pub const fn path(self) -> &'static str {
        match self {
            Kind::Tenant => "tenants",
            Kind::ApiKey => "apikeys",
            Kind::Endpoint => "endpoints",
            Kind::Channel => "channels",
            Kind::Service => "services",
            Kind::Sender => "senders",
            Kind::Bot => "bots",
            Kind::Webhook => "webhooks",
            Kind::GapiLink => "gapis",
            Kind::StandardResponse => "standard-responses",
            Kind::FieldCode => "field-codes",
            Kind::CustomVariable => "custom-variables",
            Kind::PiiRule => "pii-rules",
            Kind::Agent => "agents",
            Kind::Queue => "queues",
            Kind::OpeningHours => "opening-hours",
            Kind::MessageTemplate => "templates",
            Kind::Retention => "retention",
            Kind::BlockedCustomer => "blocked",
        }
    }

    /// The kind whose collection has this name.
    pub fn from_path(path: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.path() == path)
    }

    /// The kind with this discriminant.
    pub fn from_u8(n: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(n)).copied()
    }

    /// The write-only fields.
    pub const fn secrets(self) -> &'static [SecretField] {
        const API_KEY: &[SecretField] = &[digest("key", "hasKey", "key_hash")];
        const CHANNEL: &[SecretField] = &[
            sealed("secret", "hasSecret", "secret_enc"),
            sealed("credentials", "hasCredentials", "credentials_enc"),
        ];
        const CREDENTIALS: &[SecretField] = &[sealed("credentials", "hasCredentials", "credentials_enc")];
        const WEBHOOK: &[SecretField] = &[
            sealed("secret", "hasSecret", "secret_enc"),
            sealed("signingSecret", "hasSigningSecret", "signing_secret_enc"),
        ];
        const GAPI: &[SecretField] = &[
            sealed("apikey", "hasApikey", "apikey"),
            sealed("clientsecret", "hasClientsecret", "clientsecret"),
        ];
        const AGENT: &[SecretField] = &[digest("token", "hasToken", "token_hash")];
        match self {
            Kind::ApiKey => API_KEY,
            Kind::Channel => CHANNEL,
            Kind::Service | Kind::Bot => CREDENTIALS,
            Kind::Webhook => WEBHOOK,
            Kind::GapiLink => GAPI,
            Kind::Agent => AGENT,
            _ => &[],
        }
    }

    /// Whether ids are unique in the whole store, because callers name the object without naming a tenant
    /// (an aggregator's callback carries a channel id only).
    pub const fn has_global_id(self) -> bool {
        matches!(self, Kind::Tenant | Kind::Channel)
    }

    /// The table in PostgreSQL; part of what sealed values are bound to in every store.
    pub const fn table(self) -> &'static str {
        match self {
            Kind::Tenant => "nex_tenants",
            Kind::ApiKey => "nex_apikeys",
            Kind::Endpoint => "nex_endpoints",
            Kind::Channel => "nex_channels",
            Kind::Service => "nex_services",
            Kind::Sender => "nex_senders",
            Kind::Bot => "nex_bots",
            Kind::Webhook => "nex_webhooks",
            Kind::GapiLink => "nex_gapis",
            Kind::StandardResponse => "nex_standard_responses",
            Kind::FieldCode => "nex_field_codes",
            Kind::CustomVariable => "nex_custom_variables",
            Kind::PiiRule => "nex_pii_rules",
            Kind::Agent => "nex_agents",
            Kind::Queue => "nex_queues",
            Kind::OpeningHours => "nex_opening_hours",
            Kind::MessageTemplate => "nex_templates",
            Kind::Retention => "nex_retention",
            Kind::BlockedCustomer => "nex_blocked",
        }
    }

    /// The permission area that guards the kind (`nexus:<area>:…`).
    pub const fn area(self) -> &'static str {
        match self {
            Kind::Channel | Kind::Service | Kind::Sender => "channels",
            Kind::StandardResponse | Kind::FieldCode | Kind::CustomVariable | Kind::PiiRule => "routing",
            _ => "admin",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back_to_the_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_path(kind.path()), Some(kind));
            assert_eq!(Kind::from_u8(kind as u8), Some(kind));
        }
        assert_eq!(Kind::from_u8(19), None);
    }
}
