//! Connection 7: GWS. Events of interactions in by Bayeux, operations out, configuration objects, and routing by GWS.
//!
//! **Owns** the tokens and sessions of tenants, their cookies, the long poll and its faults, what was read of the configuration,
//! and for how long GWS has not been there. **Leaves** the conversation itself to [`crate::protocol::bayeux`], bodies to
//! [`crate::protocol::gws`], sockets to [`crate::net::client`], and who gets a session to [`crate::routing`].
//!
//! **Must never happen**: a cookie or a token at another host; a tenant's event in another tenant's session; two attempts a
//! second at a service that is away; a node without its cores because a peer is slow.
//!
//! Each core has a session of its own for operations. Events come to one node of the cluster, on its first core: the one whose
//! hash with the tenant is highest among those that live.

mod account;
mod cookies;
mod events;
mod leader;
mod link;
mod read;
mod session;
mod standing;

pub use account::Account;
pub use cookies::Jar;
pub use events::{Told, follow};
pub use leader::{Configurations, Leader, lead};
pub use link::GwsLink;
pub use read::read_objects;
pub use session::{Away, Session};
