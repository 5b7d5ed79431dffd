//! Bytes to model and back, one dialect a file. No sockets, no clock.
//!
//! **Must never happen**: a decoder that panics, allocates more than a small multiple of its input, or accepts what its
//! contract refuses. Every decoder that faces the network has a property test.

pub mod agent;
pub mod bayeux;
pub mod body;
pub mod bot;
pub mod campaign;
pub mod channel;
pub mod clamd;
pub mod client_token;
pub mod dense;
mod depth;
pub mod entry;
pub mod envelope;
pub mod esp;
pub mod expression;
pub mod file;
pub mod gws;
pub mod hub_signature;
pub mod media_address;
pub mod plugin_session;
pub mod sealed;
pub mod securemail;
pub mod ucs;
pub mod webhook;
pub mod widget;
