//! What the machine is told, what it says, and where it stands.

use crate::model::Millis;

use super::fault::Fault;
use super::live::Live;
use super::open::{Exchange, Open};

/// What the machine is told. Time stands beside it: see [`super::Client::step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A request was answered with 2xx and this body.
    Answer {
        /// Which.
        exchange: Exchange,
        /// As received.
        body: &'a [u8],
    },
    /// A request ended otherwise: no connection, cut, late, too long, or another status.
    Failed {
        /// Which.
        exchange: Exchange,
        /// `Retry-After`, in milliseconds.
        retry_after: Option<u64>,
    },
    /// The time of the last [`Output::WaitUntil`] has come, or any other.
    Timer,
    /// These channels are wanted from now on, and no others; at most [`super::MAX_CHANNELS`] are taken.
    Want(&'a [&'a str]),
    /// Say goodbye and stop.
    Stop,
}

/// What the machine says, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Post this JSON array.
    Send {
        /// Names the request; its answer is told with it.
        exchange: Exchange,
        /// Below the server's address: `/handshake`, `/connect` and so on.
        path: &'static str,
        /// `application/json`.
        body: Vec<u8>,
        /// The request has failed when there is no whole answer after this many milliseconds.
        deadline_ms: u64,
    },
    /// A message on a wanted channel; in the server's order.
    Deliver {
        /// Its channel.
        channel: String,
        /// Its `data`, JSON.
        data: String,
    },
    /// Messages may have been missed: read everything afresh. All that comes after this is newer than a read begun now.
    Reread(Cause),
    /// The server does not let us have this channel.
    Refused {
        /// Which.
        channel: String,
        /// Its words.
        fault: Fault,
    },
    /// The machine has ended and says nothing more.
    Stopped(Stopped),
    /// Nothing will happen before this time unless something is told. Always last.
    WaitUntil(Millis),
}

/// Why everything must be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The first session.
    First,
    /// The server lost the session before.
    SessionLost,
    /// An answer was lost, and the server keeps none.
    AnswerLost,
}

/// Why the machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It was told to.
    Asked,
    /// The server's advice is not to come back.
    Advised(Fault),
    /// The server does not offer long polling.
    NoTransport,
}

/// Where the machine stands.
#[derive(Debug)]
pub(super) enum State {
    /// Never connected yet; shakes hands at this time.
    Unconnected { due: Millis },
    /// The first handshake is on its way.
    Handshaking { open: Open },
    /// There is a session.
    Connected(Box<Live>),
    /// The session was lost.
    Rehandshaking { next: Next },
    /// Over.
    Stopped,
}

/// A new handshake: when, or that it is on its way.
#[derive(Debug)]
pub(super) enum Next {
    Due(Millis),
    Open(Open),
}
