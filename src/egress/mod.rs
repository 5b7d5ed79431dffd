//! What we ask of peers, one file or folder a connection, and the effect dispatcher.
//!
//! **Owns** the rendering of effects into requests and the judgement of the answers. **Leaves** leases, order within a lane and
//! the store of dead letters to [`crate::shard`] and [`crate::log`], sockets and deadlines to [`crate::net`].
//!
//! **Must never happen**: a body that differs between two attempts; an effect taken for done without its receiver's word; one
//! target holding up another.

pub mod bots;
pub mod campaign;
pub mod channels;
pub mod dispatcher;
pub mod gws;
pub mod history;
pub mod webhooks;

pub use bots::Bots;
pub use dispatcher::Dispatcher;
