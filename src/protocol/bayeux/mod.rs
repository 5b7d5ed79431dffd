//! The client side of Bayeux 1.0 over long polling (contract 7.4), as a machine without sockets, clock or randomness.
//!
//! **Owns** the conversation: handshake, connect, subscribe, disconnect; what a server's advice may do to us; which messages are
//! believed; when to try again; and when what we know must be read afresh ([`Output::Reread`]). **Leaves** HTTP, cookies and
//! credentials to `egress`, and what a message means to the dialect that subscribed.
//!
//! **Must never happen**: two attempts a second at a server that gives nothing; a message on a channel nobody asked for; a
//! batch acknowledged that was not delivered; a loss that nobody is told of; advice that makes us wait for ever or not at all.

mod advice;
mod channel;
mod client;
mod fault;
mod live;
mod message;
mod open;
mod pace;
mod request;
mod state;
mod subscriptions;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use fault::Fault;
pub use live::MAX_CHANNELS;
pub use message::{MAX_BODY, MAX_DEPTH};
pub use open::Exchange;
pub use state::{Cause, Input, Output, Stopped};
