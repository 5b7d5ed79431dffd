//! Stands between the socket and hyper on an HTTP/1 connection and lets only judged bytes through.
//!
//! A head passes when it is complete and sound; a body as far as it is sound. For a refused head a stand-in
//! request passes instead, and its service call answers the refusal, so answers keep their order. After that
//! nothing is read but to be thrown away. The guard also holds the clocks of reading: the time a head may
//! take and the time a connection may idle.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use super::framing::{Framing, Verdict};
use super::limits::HttpLimits;
use super::refusal::Refusal;
use super::response::OnUpgrade;
use super::writing::WritePace;
use crate::net::scratch::Scratch;
use crate::net::stream::Stream;

/// How long after a request hyper is kept for the next one. A browser's requests follow one another faster; polls do not.
const REST_AFTER: Duration = Duration::from_millis(100);

const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";
const STAND_IN_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// What the guard, the service calls and the bodies of one connection tell each other.
#[derive(Default)]
pub(crate) struct Connection {
    passed_heads: Cell<u64>,
    calls: Cell<u64>,
    /// Calls whose answers hyper has not taken whole.
    under_way: Cell<u32>,
    /// Whether the kernel has everything hyper has written.
    flushed: Cell<bool>,
    /// Whether nothing was heard for [`REST_AFTER`] since the last request.
    quiet: Cell<bool>,
    refusal: RefCell<Option<Box<Refused>>>,
    broken: Cell<bool>,
    upgrade: RefCell<Option<OnUpgrade>>,
}

/// The refusal that ends a connection, and the place of its answer among the answers.
struct Refused {
    call: u64,
    refusal: Refusal,
    target: Option<String>,
}

impl Connection {
    /// Counts a service call. `Some` when it stands for the refused request.
    pub(crate) fn next_call(&self) -> (u64, Option<(Refusal, Option<String>)>) {
        let call = self.calls.get();
        self.calls.set(call + 1);
        let refused = self.refusal.borrow_mut().take_if(|refused| refused.call == call);
        (call, refused.map(|refused| (refused.refusal, refused.target)))
    }

    /// Whether hyper holds nothing that anybody waits for, and has held nothing for a while.
    pub(crate) fn may_rest(&self) -> bool {
        self.quiet.get()
            && self.under_way.get() == 0
            && self.flushed.get()
            && !self.broken.get()
            && self.refusal.borrow().is_none()
            && self.upgrade.borrow().is_none()
    }

    /// Whether the coding of the body was broken.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    pub(crate) fn set_upgrade(&self, then: OnUpgrade) {
        *self.upgrade.borrow_mut() = Some(then);
    }

    pub(crate) fn take_upgrade(&self) -> Option<OnUpgrade> {
        self.upgrade.borrow_mut().take()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

/// An answer that is being made or written.
pub(crate) struct UnderWay(Rc<Connection>);

impl UnderWay {
    pub(crate) fn on(connection: &Rc<Connection>) -> Self {
        connection.under_way.set(connection.under_way.get() + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get().saturating_sub(1));
    }
}

/// A connection between two requests: all that it keeps where nothing is asked and nothing answered.
pub(crate) struct Resting {
    stream: Stream,
    /// Sound bytes that nobody has looked at yet.
    already: Vec<u8>,
    /// Until the connection is given up; of a fresh one, until its first head must be there.
    timer: Pin<Box<Sleep>>,
}

impl Resting {
    /// A fresh connection.
    pub(crate) fn new(stream: Stream, limits: &HttpLimits) -> Self {
        Self {
            stream,
            already: Vec::new(),
            timer: Box::pin(tokio::time::sleep(limits.header)),
        }
    }

    /// Ready when the peer says something, with `true`, or has been silent for too long.
    pub(crate) fn poll_stirring(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.already.is_empty() || self.stream.poll_readable(cx).is_ready() {
            return Poll::Ready(true);
        }
        self.timer.as_mut().poll(cx).map(|()| false)
    }

    /// The connection itself.
    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }
}

/// The judged connection, as hyper sees it.
pub(crate) struct Guard {
    stream: Stream,
    scratch: Scratch,
    limits: Rc<HttpLimits>,
    connection: Rc<Connection>,
    framing: Framing,
    /// The incomplete head.
    held: Vec<u8>,
    /// Judged bytes that did not fit into hyper's buffer.
    staged: Vec<u8>,
    staged_from: usize,
    refused: bool,
    ended: bool,
    reading: Clocks,
    writing: WritePace,
}

/// The deadline that runs while hyper waits for bytes of a head.
struct Clocks {
    timer: Pin<Box<Sleep>>,
    at: Waiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// For the first byte of the next request; the clock is set when hyper asks for it.
    Next,
    /// The same, for less than [`REST_AFTER`].
    Quiet,
    /// For the first byte of a request, until the connection is given up.
    Idle,
    /// For the rest of a head.
    Head,
    /// For a body, whose pace is kept by its reader.
    Body,
}

impl Clocks {
    fn set(&mut self, after: Duration) {
        self.timer.as_mut().reset(Instant::now() + after);
    }
}

impl Guard {
    pub(crate) fn new(
        from: Resting,
        scratch: Scratch,
        limits: Rc<HttpLimits>,
        connection: Rc<Connection>,
    ) -> Self {
        let Resting {
            stream,
            already,
            timer,
        } = from;
        Self {
            framing: Framing::new(limits.head),
            held: Vec::new(),
            staged: already,
            staged_from: 0,
            refused: false,
            ended: false,
            reading: Clocks {
                timer,
                at: Waiting::Idle,
            },
            writing: WritePace::new(limits.write),
            stream,
            scratch,
            limits,
            connection,
        }
    }

    /// Whether the peer may be in the middle of sending something that nobody will read.
    pub(crate) fn may_hold_back_bytes(&self) -> bool {
        let between_requests = self.framing.in_head() && self.held.is_empty() && self.staged.is_empty();
        !self.ended && !between_requests
    }

    /// Nothing is asked and nothing answered: what is left is a connection between two requests. `already`: sound bytes that were
    /// taken and not looked at.
    ///
    /// # Errors
    /// When its keys cannot be taken over; the connection is lost.
    pub(crate) fn rest(self, already: &[u8]) -> io::Result<Resting> {
        debug_assert!(self.framing.in_head() && self.held.is_empty() && !self.refused);
        Ok(Resting {
            stream: self.stream.slim()?,
            already: [already, &self.staged[self.staged_from..]].concat(),
            timer: self.reading.timer,
        })
    }

    /// The connection itself.
    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    fn poll_judged(
        &mut self,
        cx: &mut Context<'_>,
        mut to: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.staged_from < self.staged.len() {
                let ready = &self.staged[self.staged_from..];
                let here = ready.len().min(to.remaining());
                to.put_slice(&ready[..here]);
                self.staged_from += here;
                if self.staged_from == self.staged.len() {
                    self.staged = Vec::new();
                    self.staged_from = 0;
                }
                return Poll::Ready(Ok(()));
            }
            if self.connection.is_broken() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if self.refused {
                return self.poll_discard(cx);
            }
            if self.framing.is_over() {
                return Poll::Pending;
            }
            let scratch = self.scratch.clone();
            let read = scratch.with(|buffer| {
                match self.stream.poll_read_into(cx, fitting(buffer, to.remaining())) {
                    Poll::Ready(Ok(0)) => {
                        self.ended = true;
                        Some(Ok(0))
                    }
                    Poll::Ready(Ok(count)) => Some(Ok(self.judge(&buffer[..count], &mut to))),
                    Poll::Ready(Err(error)) => Some(Err(error)),
                    Poll::Pending => None,
                }
            });
            match read {
                Some(Err(error)) => return Poll::Ready(Err(error)),
                Some(Ok(0)) if self.ended => return Poll::Ready(Ok(())),
                Some(Ok(0)) => {}
                Some(Ok(_)) => return Poll::Ready(Ok(())),
                None => std::task::ready!(self.poll_clocks(cx)),
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Judges fresh bytes. What may pass goes to `to` as far as it fits; returns how much went there.
    fn judge(&mut self, fresh: &[u8], to: &mut hyper::rt::ReadBufCursor<'_>) -> usize {
        self.connection.quiet.set(false);
        let mut held = std::mem::take(&mut self.held);
        let bytes = if held.is_empty() {
            fresh
        } else {
            held.extend_from_slice(fresh);
            held.as_slice()
        };
        let mut passed = 0;
        let mut refused = None;
        let mut heads = 0;
        while passed < bytes.len() {
            let in_head = self.framing.in_head();
            match self.framing.advance(&bytes[passed..]) {
                Verdict::Pass(count) => {
                    heads += u64::from(in_head);
                    passed += count;
                }
                Verdict::More => break,
                Verdict::Broken(count) => {
                    passed += count;
                    self.connection.broken.set(true);
                    break;
                }
                Verdict::Refuse(refusal) => {
                    refused = Some(refusal);
                    break;
                }
            }
        }
        self.connection
            .passed_heads
            .set(self.connection.passed_heads.get() + heads);
        let here = passed.min(to.remaining());
        to.put_slice(&bytes[..here]);
        self.staged.extend_from_slice(&bytes[here..passed]);
        let rest = &bytes[passed..];
        match refused {
            Some(refusal) => self.refuse(refusal, rest),
            None if self.framing.in_head() && !rest.is_empty() => {
                self.wait_for_head();
                self.held = rest.to_vec();
            }
            None if self.framing.in_head() => self.reading.at = Waiting::Next,
            None => self.reading.at = Waiting::Body,
        }
        here
    }

    /// Lets a stand-in pass for the request that begins with `head`, and ends reading.
    fn refuse(&mut self, refusal: Refusal, head: &[u8]) {
        let judge = self.framing.end().unwrap_or_default();
        let refused = Refused {
            call: self.connection.passed_heads.get(),
            refusal,
            target: judge.target(head).map(str::to_owned),
        };
        *self.connection.refusal.borrow_mut() = Some(Box::new(refused));
        self.staged.extend_from_slice(if judge.is_head_method() {
            STAND_IN_HEAD
        } else {
            STAND_IN
        });
        self.refused = true;
    }

    fn wait_for_head(&mut self) {
        let first = self.connection.passed_heads.get() == 0;
        // The very first head is timed from the connection on; that clock is running.
        if self.reading.at != Waiting::Head && !first {
            self.reading.set(self.limits.header);
        }
        self.reading.at = Waiting::Head;
    }

    /// Ready when a clock ran out and its consequence is in place.
    fn poll_clocks(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.reading.at {
            Waiting::Body => return Poll::Pending,
            Waiting::Next => {
                self.reading.set(REST_AFTER.min(self.limits.idle));
                self.reading.at = Waiting::Quiet;
            }
            Waiting::Quiet | Waiting::Idle | Waiting::Head => {}
        }
        std::task::ready!(self.reading.timer.as_mut().poll(cx));
        if self.reading.at == Waiting::Quiet {
            self.connection.quiet.set(true);
            self.reading.set(self.limits.idle.saturating_sub(REST_AFTER));
            self.reading.at = Waiting::Idle;
            std::task::ready!(self.reading.timer.as_mut().poll(cx));
        }
        if self.reading.at == Waiting::Head {
            let held = std::mem::take(&mut self.held);
            self.refuse(Refusal::Timeout, &held);
        } else {
            self.ended = true;
        }
        Poll::Ready(())
    }

    /// Reads on, so that the peer is not reset before it has read the answer, and passes nothing.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let scratch = self.scratch.clone();
        scratch.with(|buffer| {
            // A peer that sends faster than this is read gets no more attention than one round a wake.
            if !self.ended
                && let Poll::Ready(read) = self.stream.poll_read_into(cx, buffer)
            {
                match read {
                    Ok(0) | Err(_) => self.ended = true,
                    Ok(_) => cx.waker().wake_by_ref(),
                }
            }
        });
        Poll::Pending
    }
}

/// As much of `buffer` as hyper has room for, so that sound bytes rarely have to be kept back.
fn fitting(buffer: &mut [u8], room: usize) -> &mut [u8] {
    let most = buffer.len().min(room.max(4096));
    &mut buffer[..most]
}

impl hyper::rt::Read for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().poll_judged(cx, to)
    }
}

impl hyper::rt::Write for Guard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let flushed = guard.writing.poll_flush(&mut guard.stream, cx);
        guard
            .connection
            .flushed
            .set(matches!(flushed, Poll::Ready(Ok(()))));
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        guard.connection.flushed.set(false);
        guard.writing.poll_write(&mut guard.stream, cx, slices)
    }
}
