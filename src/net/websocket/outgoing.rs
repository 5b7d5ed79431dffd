//! The one write in flight: bytes that the peer has not taken yet, and until when it must have.
//!
//! Empty most of the time, and then without a buffer. Bounded by its users: nothing is read while it waits,
//! and the next frames are only taken once it is empty.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use crate::net::stream::Stream;

/// Most frames handed to the kernel in one write.
const MOST_SLICES: usize = 64;

/// What waits to be written. Small, since nearly always nothing does.
#[derive(Debug, Default)]
pub(super) struct Outgoing(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    late_at: Option<Instant>,
}

impl Outgoing {
    fn waiting(&mut self) -> &mut Waiting {
        self.0.get_or_insert_default()
    }

    /// Puts a frame behind what waits.
    pub(super) fn push(&mut self, frame: &[u8]) {
        self.buffer().extend_from_slice(frame);
    }

    /// Where a frame can be encoded behind what waits.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.waiting().bytes
    }

    /// Throws everything away.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Whether nothing waits and no buffer is held.
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// When the peer will have taken too long; `None` while it keeps up.
    pub(super) fn late_at(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|waiting| waiting.late_at)
    }

    /// Whether the peer has taken too long.
    pub(super) fn is_late(&self) -> bool {
        self.late_at().is_some_and(|at| at <= Instant::now())
    }

    /// Gives a peer that is late another moment.
    pub(super) fn wait_until(&mut self, at: Instant) {
        self.waiting().late_at = Some(at);
    }

    /// One write of what waits and of `frames`; keeps what the kernel does not take.
    pub(super) fn write(
        &mut self,
        stream: &mut Stream,
        frames: &[Bytes],
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        if self.late_at().is_some() {
            frames.iter().for_each(|frame| self.push(frame));
            return Ok(());
        }
        let waiting = self.0.take().map_or_else(Vec::new, |waiting| waiting.bytes);
        let parts = || std::iter::once(waiting.as_slice()).chain(frames.iter().map(Bytes::as_ref));
        let some = parts().filter(|part| !part.is_empty()).take(MOST_SLICES);
        let slices: SmallVec<[IoSlice<'_>; 8]> = some.map(IoSlice::new).collect();
        let mut written = match Pin::new(stream).poll_write_vectored(cx, &slices) {
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => 0,
        };
        for part in parts() {
            let done = written.min(part.len());
            written -= done;
            if done < part.len() {
                self.push(&part[done..]);
            }
        }
        Ok(())
    }

    /// Ready when the kernel has everything. The peer has its `patience` from now, or from when it first was waited for: a byte
    /// now and then buys no time.
    pub(super) fn poll_drain(
        &mut self,
        stream: &mut Stream,
        patience: impl FnOnce() -> Duration,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = self.0.as_ref().map_or(&[][..], |waiting| &waiting.bytes);
        let mut written = 0;
        let outcome = loop {
            if written == bytes.len() {
                break Pin::new(&mut *stream).poll_flush(cx);
            }
            match Pin::new(&mut *stream).poll_write(cx, &bytes[written..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if let Poll::Ready(Ok(())) = outcome {
            self.0 = None;
            return outcome;
        }
        let waiting = self.waiting();
        waiting.bytes.drain(..written);
        if outcome.is_pending() {
            waiting.late_at.get_or_insert_with(|| Instant::now() + patience());
        }
        outcome
    }
}
