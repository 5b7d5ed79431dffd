//! A request's body: read whole into one owned buffer, or piece by piece, never slower than the floor.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, Sleep};

use super::guard::Connection;
use super::pace::{Floor, Pace};
use super::refusal::Refusal;

/// What came after the head of a request.
#[derive(Debug)]
pub struct Body(Source);

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Arriving(Box<Arriving>),
}

#[derive(Debug)]
struct Arriving {
    incoming: Incoming,
    floor: Floor,
    pace: Pace,
    timer: Option<Pin<Box<Sleep>>>,
    connection: Option<Rc<Connection>>,
}

/// Why a body could not be read. After any of these the connection is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the reader takes, by its declared length or by what came.
    #[error("body too large")]
    TooLarge,
    /// The peer sent slower than the floor.
    #[error("body arrived too slowly")]
    TooSlow,
    /// The peer went away in the middle.
    #[error("body cut off")]
    Cut,
    /// The chunked coding is broken.
    #[error("body coding broken")]
    Malformed,
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::BodyTooLarge,
            BodyError::TooSlow => Self::Timeout,
            BodyError::Cut => Self::Malformed("body cut off"),
            BodyError::Malformed => Self::Malformed("broken chunked coding"),
        }
    }
}

impl Body {
    /// A body that is already there.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Source::Whole(
            Some(bytes.into()).filter(|bytes| !bytes.is_empty()),
        ))
    }

    /// No body.
    pub fn empty() -> Self {
        Self(Source::Whole(None))
    }

    pub(crate) fn arriving(incoming: Incoming, floor: Floor, connection: Option<Rc<Connection>>) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        let pace = Pace::new(&floor);
        Self(Source::Arriving(Box::new(Arriving {
            incoming,
            floor,
            pace,
            timer: None,
            connection,
        })))
    }

    /// How long the body is, where the peer said so.
    pub fn declared_len(&self) -> Option<u64> {
        match &self.0 {
            Source::Whole(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Arriving(arriving) => arriving.incoming.size_hint().exact(),
        }
    }

    /// Whether there is certainly nothing to read.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Source::Whole(None))
    }

    /// The whole body in one buffer that belongs to the caller. A declared length above `limit` is refused
    /// before anything is read; memory grows with what arrives, not with what is declared.
    ///
    /// # Errors
    /// [`BodyError`].
    pub async fn collect(mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let declared = self.declared_len().unwrap_or(0);
        let declared = usize::try_from(declared).unwrap_or(usize::MAX);
        if declared > limit {
            return Err(BodyError::TooLarge);
        }
        let mut whole = Vec::with_capacity(declared.min(16 * 1024));
        while let Some(piece) = self.next().await? {
            if piece.len() > limit - whole.len() {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// The next piece, or `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// [`BodyError`], but never [`BodyError::TooLarge`]: who reads piece by piece also counts.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match &mut self.0 {
            Source::Whole(bytes) => Ok(bytes.take()),
            Source::Arriving(arriving) => poll_fn(|cx| arriving.poll_next(cx)).await,
        }
    }
}

impl Arriving {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.pace
                            .moved(&self.floor, data.len(), Instant::now().into_std());
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    let broken = self
                        .connection
                        .as_ref()
                        .is_some_and(|connection| connection.is_broken());
                    return Poll::Ready(Err(if broken {
                        BodyError::Malformed
                    } else {
                        BodyError::Cut
                    }));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Pending => break,
            }
        }
        let deadline = Instant::from_std(self.pace.wait(Instant::now().into_std()));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(BodyError::TooSlow)),
            Poll::Pending => Poll::Pending,
        }
    }
}
