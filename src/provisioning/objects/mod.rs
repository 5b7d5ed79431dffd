//! The kinds of object an administrator owns, one file a kind.
//!
//! A type here is what may be read back: it never holds a secret. The secrets a kind carries are named by
//! [`Kind::secrets`] and travel beside the object, sealed or as a digest. Field names are those of the REST API
//! (camel case), and unknown fields are refused.

mod agent;
mod api_key;
mod blocked;
mod bot;
mod channel;
mod custom_variable;
mod endpoint;
mod field_code;
mod gapi;
mod kind;
mod object;
mod opening_hours;
mod permission;
mod pii_rule;
mod problem;
mod queue;
mod retention;
mod sender;
mod service;
mod standard_response;
mod template;
mod tenant;
mod verification;
mod webhook;

pub use agent::{Agent, AgentRole};
pub use api_key::{ApiKey, ApiKeyUse};
pub use blocked::BlockedCustomer;
pub use bot::Bot;
pub use channel::Channel;
pub use custom_variable::CustomVariable;
pub use endpoint::Endpoint;
pub use field_code::FieldCode;
pub use gapi::GapiLink;
pub use kind::{Kind, SecretField, SecretForm};
pub use object::{Object, Stored};
pub use opening_hours::{Holiday, OpeningHours};
pub use permission::{Permission, PermissionError};
pub use pii_rule::PiiRule;
pub use problem::{Fault, Problem, Problems};
pub use queue::Queue;
pub use retention::Retention;
pub use sender::Sender;
pub use service::Service;
pub use standard_response::StandardResponse;
pub use template::{MessageTemplate, Texts};
pub use tenant::{Tenant, TenantLimits};
pub use verification::{Verification, VerificationState};
pub use webhook::Webhook;
