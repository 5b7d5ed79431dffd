//! Connection 5: Tenant Service (`contracts/connections.md` section 5).
//!
//! **Owns** the HTTP side under `/nexus/v3/esp`: a routing strategy speaks in a chat, waits for what the customer says,
//! names itself, attaches data, sends the session on and ends it. **Leaves** to [`crate::protocol::esp`] what calls and
//! answers look like, to [`crate::session`] what is possible.
//!
//! **Must never happen**: a word of another tenant's chat; an `ok` before the append is safe; a fault in any form but the
//! protocol's; a waiting call that reads the store.

mod handler;
mod poll;

pub use handler::{TenantOptions, TenantService};
