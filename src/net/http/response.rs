//! What a handler answers: nothing, bytes, a stream of bytes, or the wish to leave HTTP.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{LocalBoxStream, Stream as ByteStream, StreamExt};
use hyper::body::{Body, Frame, SizeHint};

use super::guard::UnderWay;
use crate::net::address::Peer;
use crate::net::scratch::Scratch;
use crate::net::stream::Stream;

/// An answer.
pub type Response = hyper::Response<ResponseBody>;

/// The body of an answer.
pub struct ResponseBody(Kind);

enum Kind {
    Empty,
    Full(Bytes),
    Stream {
        pieces: LocalBoxStream<'static, io::Result<Bytes>>,
        left: Option<u64>,
    },
    Upgrade(OnUpgrade),
}

/// What to do with the connection after a `101`.
pub(crate) type OnUpgrade = Box<dyn FnOnce(Upgraded)>;

/// A connection that has left HTTP.
#[derive(Debug)]
pub struct Upgraded {
    /// The connection.
    pub stream: Stream,
    /// Bytes that were read after the upgrade request. They come before anything read from `stream`.
    pub already_read: Bytes,
    /// Who is at the other end.
    pub peer: Peer,
    /// The read buffer of this core.
    pub scratch: Scratch,
    /// Held while the connection is open; dropping it gives the connection's permits back.
    pub permits: crate::net::listener::Admission,
}

impl ResponseBody {
    /// No body.
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() {
            Kind::Empty
        } else {
            Kind::Full(bytes)
        })
    }

    /// The pieces of `pieces`, `len` bytes in all where that is known. An error in the middle cuts the
    /// connection, so that the peer cannot take half a file for a whole one.
    pub fn stream(pieces: impl ByteStream<Item = io::Result<Bytes>> + 'static, len: Option<u64>) -> Self {
        Self(Kind::Stream {
            pieces: pieces.boxed_local(),
            left: len,
        })
    }

    /// Goes with status 101: once the head of the answer is sent, `then` gets the connection. It should only
    /// spawn a task, so that what served HTTP can be freed.
    pub fn upgrade(then: impl FnOnce(Upgraded) + 'static) -> Self {
        Self(Kind::Upgrade(Box::new(then)))
    }

    /// Takes the upgrade out, leaving no body.
    pub(crate) fn take_upgrade(&mut self) -> Option<OnUpgrade> {
        match std::mem::replace(&mut self.0, Kind::Empty) {
            Kind::Upgrade(then) => Some(then),
            other => {
                self.0 = other;
                None
            }
        }
    }

    /// How many bytes there are, where that is known.
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Kind::Empty | Kind::Upgrade(_) => Some(0),
            Kind::Full(bytes) => Some(bytes.len() as u64),
            Kind::Stream { left, .. } => *left,
        }
    }

    /// Whether there is certainly nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The bytes, where they are all there; for tests and for whoever wraps an answer.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Empty => Some(&[]),
            Kind::Full(bytes) => Some(bytes),
            Kind::Stream { .. } | Kind::Upgrade(_) => None,
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Empty => "Empty",
            Kind::Full(_) => "Full",
            Kind::Stream { .. } => "Stream",
            Kind::Upgrade(_) => "Upgrade",
        };
        write!(f, "ResponseBody::{kind}({:?})", self.len())
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.0 {
            Kind::Empty | Kind::Upgrade(_) => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Stream { pieces, left } => match pieces.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    if let Some(left) = left {
                        *left = left.saturating_sub(piece.len() as u64);
                    }
                    Poll::Ready(Some(Ok(Frame::data(piece))))
                }
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Empty | Kind::Upgrade(_))
    }

    fn size_hint(&self) -> SizeHint {
        self.len().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body with the mark that it is being written; hyper drops it when it has taken all of it.
pub(crate) struct Answering {
    body: ResponseBody,
    _under_way: UnderWay,
}

impl Answering {
    pub(crate) fn new(body: ResponseBody, under_way: UnderWay) -> Self {
        Self {
            body,
            _under_way: under_way,
        }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
