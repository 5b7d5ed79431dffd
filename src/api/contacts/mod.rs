//! All that is kept of a contact: looked for by agents, given out and erased for administrators.
//!
//! | path | who | what |
//! |---|---|---|
//! | `POST /nexus/v3/history/search` | agents; `nexus:admin:read` | sessions whose words are kept, by contact and by words |
//! | `GET /nexus/v3/history/{sessionId}` | the same | what was said in one |
//! | `POST /nexus/v3/contacts/export` | `nexus:admin:export` | everything of a contact |
//! | `POST /nexus/v3/contacts/erase` | `nexus:admin:erase` | erases it |
//!
//! A contact stands in the body, never in a path. Both are written down in the audit, by a digest that names nobody.
//!
//! **Must never happen**: a part of a contact that is left when an erasure says that it is complete; another tenant's session; an
//! address in a log or in the audit.

mod asked;
mod erase;
mod handler;

pub use handler::{Contacts, ContactsParts};
