//! Connection 3: agent desktops, over HTTPS and one WebSocket each (DESIGN section 5, `docs/asyncapi.yaml`).
//!
//! **Owns** tickets and resume tokens, the stream's connection as a pure machine with a dull driver, the HTTPS mirror of its commands, files
//! of agents. **Leaves** to [`crate::session`] what an agent may do in a session, and to [`crate::shard`] when it is safe.
//!
//! **Must never happen**: an event told twice, out of order, or left out without a `gap`; a session told before the desk record that
//! names it, or to an agent who is out of it; a queue of events for a socket that does not read; a credential in a URL.

mod act;
mod admission;
mod batch;
mod capabilities;
mod connection;
mod counts;
mod cursor;
mod driver;
mod fitting;
mod frames;
mod looks_back;
mod origin;
mod picture;
mod principal;
mod questions;
mod service;
mod stay;
mod telling;
mod turn;

pub use looks_back::LooksBack;
pub use principal::AgentPrincipal;
pub use service::{Workspace, WorkspaceParts, WorkspaceSettings};
