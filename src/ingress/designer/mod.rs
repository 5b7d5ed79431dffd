//! Connection 4: Designer (`contracts/connections.md` section 4).
//!
//! **Owns** the HTTP side under `/nexus/v3/routing`: what a routing application may read of a conversation, the data it
//! attaches, where it sends the session, and the tenant's prepared answers with their field codes filled in. **Leaves** to
//! [`crate::session`] what is possible in a session, to [`crate::routing`] who is meant by a target.
//!
//! **Must never happen**: a word of another tenant's session; a secret in an answer; an expression that does more than name
//! a value; a masked pattern in clear in what is given out.

mod catalogue;
mod handler;
mod interaction;
mod preview;
mod query;
mod route;
mod target;

pub use handler::Designer;
pub use preview::Preview;
