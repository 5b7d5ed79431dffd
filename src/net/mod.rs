//! Sockets: listener, TLS, HTTP connections, WebSocket. Bytes in, bytes out.
//!
//! Owns everything between a TCP connection and a request or a message whose bytes are known to be sound:
//! who may connect, how fast a peer must be, how large things may be, which bytes are one unambiguous
//! message. Knows nothing of tenants, sessions or dialects: a [`http::Service`] answers, and also words the
//! refusals this layer makes. What must never happen here: answering anything after a framing error, a
//! buffer that an idle socket holds, a wait without a deadline.
//!
//! The way of a connection: [`listener`] (permit, accept, PROXY header) → [`tls`] → [`http`] → a handler, or,
//! after a `101`, a fresh small task with a [`websocket::Socket`].

pub mod address;
pub mod balance;
pub mod client;
pub mod echo;
pub mod http;
pub mod listener;
mod proxy;
mod scratch;
pub mod serve;
pub mod stream;
pub mod tls;
mod turns;
pub mod websocket;

pub use address::Peer;
pub use balance::{Balance, Seat};
pub use listener::{Gate, Listener, ListenerLimits};
pub use scratch::Scratch;
pub use serve::{ServeLimits, Server};
pub use stream::Stream;
