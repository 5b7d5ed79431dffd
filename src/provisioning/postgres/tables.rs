//! Which field of a kind has a column of its own. Everything else of an object is in `settings`.

use crate::provisioning::objects::Kind;

/// A field with a column of its own.
pub(super) struct Column {
    pub(super) field: &'static str,
    pub(super) name: &'static str,
    /// Type in SQL.
    pub(super) sql: &'static str,
}

/// A kind's table.
pub(super) struct Table {
    /// Column of the tenant's id.
    pub(super) owner: &'static str,
    /// Column of the natural key, one of `columns`.
    pub(super) key: &'static str,
    pub(super) columns: &'static [Column],
}

macro_rules! columns {
    ($($field:literal $name:literal $sql:literal),* $(,)?) => {
        &[$(Column { field: $field, name: $name, sql: $sql }),*]
    };
}

/// The table of a kind.
pub(super) fn table(kind: Kind) -> Table {
    let named = |columns| Table {
        owner: "ccid",
        key: "name",
        columns,
    };
    match kind {
        Kind::Tenant => Table {
            key: "sid",
            ..named(TENANT)
        },
        Kind::ApiKey => Table {
            owner: "tenant",
            ..named(API_KEY)
        },
        Kind::Endpoint => named(ENDPOINT),
        Kind::Channel => named(CHANNEL),
        Kind::Service => named(SERVICE),
        Kind::Sender => Table {
            key: "address",
            ..named(SENDER)
        },
        Kind::Bot => named(BOT),
        Kind::Webhook => named(WEBHOOK),
        Kind::GapiLink => named(GAPI),
        Kind::StandardResponse => named(STANDARD_RESPONSE),
        Kind::FieldCode => named(FIELD_CODE),
        Kind::CustomVariable => named(CUSTOM_VARIABLE),
        Kind::PiiRule => named(PII_RULE),
        Kind::Agent => Table {
            key: "login",
            ..named(AGENT)
        },
        Kind::Queue => named(QUEUE),
        Kind::OpeningHours => named(columns!["name" "name" "text"]),
        Kind::MessageTemplate => named(columns!["name" "name" "text", "texts" "texts" "jsonb"]),
        Kind::Retention => named(RETENTION),
        Kind::BlockedCustomer => Table {
            key: "address",
            ..named(BLOCKED)
        },
    }
}

const TENANT: &[Column] = columns![
    "sid" "sid" "text", "name" "name" "text", "region" "region" "text", "allRegions" "all_regions" "text[]",
    "ucsUrl" "ucs_url" "text", "enabled" "enabled" "boolean",
];
const API_KEY: &[Column] = columns![
    "name" "name" "text", "enabled" "enabled" "boolean", "type" "type" "text",
    "permissions" "permissions" "text[]", "expires" "expires" "timestamptz",
];
const ENDPOINT: &[Column] = columns![
    "name" "name" "text", "stream" "stream" "text", "mediaType" "media_type" "text",
    "channelId" "channel_id" "text", "queue" "queue" "text", "enabled" "enabled" "boolean",
];
const CHANNEL: &[Column] = columns![
    "name" "name" "text", "media" "media" "text", "provider" "provider" "text", "address" "address" "text",
    "serviceId" "service_id" "text", "endpoint" "endpoint" "text", "webhookUrl" "webhook_url" "text",
    "retryTimeoutMs" "retry_timeout_ms" "bigint", "retryAttempts" "retry_attempts" "bigint",
    "enabled" "enabled" "boolean", "config" "config" "jsonb",
];
const SERVICE: &[Column] = columns![
    "name" "name" "text", "kind" "kind" "text", "provider" "provider" "text", "url" "url" "text",
    "config" "config" "jsonb", "enabled" "enabled" "boolean",
];
const SENDER: &[Column] = columns![
    "serviceId" "service_id" "text", "address" "address" "text", "kind" "kind" "text",
    "enabled" "enabled" "boolean",
];
const BOT: &[Column] = columns![
    "name" "name" "text", "type" "type" "text", "url" "url" "text", "config" "config" "jsonb",
    "enabled" "enabled" "boolean",
];
const WEBHOOK: &[Column] = columns![
    "name" "name" "text", "url" "url" "text", "events" "events" "text[]", "mediaTypes" "media_types" "text[]",
    "retryTimeoutMs" "retry_timeout_ms" "bigint", "retryAttempts" "retry_attempts" "bigint",
    "enabled" "enabled" "boolean",
];
const GAPI: &[Column] = columns![
    "name" "name" "text", "url" "url" "text", "clientid" "clientid" "text", "authinturl" "authinturl" "text",
    "authexturl" "authexturl" "text", "region" "region" "text",
];
const STANDARD_RESPONSE: &[Column] = columns![
    "name" "name" "text", "category" "category" "text", "shortcut" "shortcut" "text", "texts" "texts" "jsonb",
    "mediaTypes" "media_types" "text[]", "keywords" "keywords" "text[]",
];
const FIELD_CODE: &[Column] = columns![
    "name" "name" "text", "expression" "expression" "text", "description" "description" "text",
];
const CUSTOM_VARIABLE: &[Column] = columns![
    "name" "name" "text", "value" "value" "text", "description" "description" "text",
];
const PII_RULE: &[Column] = columns![
    "name" "name" "text", "pattern" "pattern" "text", "replacement" "replacement" "text",
    "enabled" "enabled" "boolean", "description" "description" "text",
];
const AGENT: &[Column] = columns![
    "login" "login" "text", "nickname" "nickname" "text", "firstName" "first_name" "text",
    "lastName" "last_name" "text", "skills" "skills" "jsonb", "capacity" "capacity" "jsonb",
    "queues" "queues" "text[]", "groups" "groups" "text[]", "roles" "roles" "text[]",
    "autoAccept" "auto_accept" "boolean", "enabled" "enabled" "boolean",
];
const QUEUE: &[Column] = columns![
    "name" "name" "text", "displayName" "display_name" "text", "priority" "priority" "bigint",
    "skills" "skills" "jsonb", "enabled" "enabled" "boolean",
];
const RETENTION: &[Column] = columns![
    "name" "name" "text", "transcriptDays" "transcript_days" "bigint", "mediaDays" "media_days" "bigint",
    "deadLetterDays" "dead_letter_days" "bigint", "auditDays" "audit_days" "bigint",
];
const BLOCKED: &[Column] = columns![
    "address" "address" "text", "media" "media" "text", "reason" "reason" "text", "until" "until" "timestamptz",
];
