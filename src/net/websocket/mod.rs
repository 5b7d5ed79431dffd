//! RFC 6455, server side: handshake, frames, messages, and the socket that drives them.
//!
//! The reading side is our own: a pure decoder that is cancel-safe by construction, bounded by message, and
//! holds nothing while no message is half there. Opcodes and unmasking are fastwebsockets'. Server frames
//! carry no mask, so a message is encoded once and shared by every socket it goes to.
//!
//! What must never happen here: a buffer on an idle socket, a second write in flight, anything delivered
//! after a violation or a close.

pub mod deflate;
mod event;
pub mod frame;
pub mod handshake;
mod limits;
mod outgoing;
pub mod reader;
pub mod socket;

pub use event::{Closed, ClosedBy, Event, Message, SendError};
pub use frame::{encode_binary, encode_close, encode_text};
pub use handshake::{HandshakeError, Offer};
pub use limits::SocketLimits;
pub use reader::{Incoming, MessageLimits, Violation};
pub use socket::Socket;
