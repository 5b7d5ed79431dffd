//! What a socket tells whoever drives it.

/// A message from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8, checked.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// What [`Socket::next`](super::Socket::next) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Every message that one read brought, in order; never empty.
    Messages(Vec<Message>),
    /// The peer answered a ping.
    Pong,
    /// The connection is over; told again at every further call.
    Closed(Closed),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The close code, 1005 for a close without one, 1006 for none at all.
    pub code: u16,
    /// The reason that came with it.
    pub reason: String,
    /// Who ended it.
    pub by: ClosedBy,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The peer's close frame.
    Peer,
    /// Our close frame: asked for, or in answer to a violation.
    Us,
    /// Nobody: it broke, or the peer is silent.
    Lost,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The connection is closing or over.
    #[error("socket closed")]
    Closed,
    /// The peer takes too long. It is told so behind what it has not taken yet, if it takes that before the time for
    /// closing has passed.
    #[error("peer reads too slowly")]
    Stalled,
}
