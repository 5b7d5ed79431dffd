//! Declarative files: what should be there, applied idempotently.
//!
//! A file holds `[[tenant]]` tables. Each has the tenant's own fields, its `ccid`, and lists of objects named as
//! the REST collections are (`[[tenant.queues]]`, `[[tenant.apikeys]]` …) with the fields of the REST API. An object
//! may give its `id`; otherwise it is known by its name. What a file does not mention stays as it is.

mod apply;
mod development;
mod parse;

pub use apply::{ApplyError, Item, Outcome, Report, apply};
pub use development::{DEVELOPMENT, Development, development};
pub use parse::{Declaration, DeclaredObject, DeclaredTenant, parse};
