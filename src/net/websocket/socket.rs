//! Drives one WebSocket: readiness, reading through the shared buffer, one write at a time, heartbeats, and
//! the closing handshake.
//!
//! An idle socket is this struct, one timer and whatever the stream itself keeps. Reading borrows the core's
//! buffer inside a poll; writing keeps bytes only while the peer does not take them, and meanwhile nothing is
//! read, so a peer that does not read cannot make us collect answers for it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use super::event::{Closed, ClosedBy, Event, Message, SendError};
use super::frame::{self, OpCode};
use super::limits::SocketLimits;
use super::outgoing::Outgoing;
use super::reader::{Incoming, Reader, Violation};
use crate::net::http::Upgraded;
use crate::net::listener::Admission;
use crate::net::scratch::Scratch;
use crate::net::stream::Stream;
use crate::runtime::backoff::spread;
use crate::runtime::limit::Bucket;

/// Most bytes thrown away after the last frame, before the peer is reset after all.
const MOST_DISCARDED: u32 = 1024 * 1024;

/// One WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    scratch: Scratch,
    limits: Rc<SocketLimits>,
    reader: Reader,
    rate: Bucket,
    deflate: bool,
    kept_waiting: bool,
    outgoing: Outgoing,
    state: State,
    ending: Option<Box<Closed>>,
    deferred: Option<Box<Ending>>,
    timer: Pin<Box<Sleep>>,
    ping_at: Instant,
    heard_at: Instant,
    paused_until: Option<Instant>,
    _admission: Admission,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Our close frame is on its way; the peer's is waited for.
    Closing {
        until: Instant,
    },
    /// Both close frames are dealt with, or the stream is beyond reading: what is left is to let the peer
    /// read our last frame, and to be the first to close TCP.
    Finishing {
        until: Instant,
        shut: bool,
        discarded: u32,
    },
    Over,
}

/// What the peer did that ends the connection.
#[derive(Debug)]
enum Ending {
    PeerClose(Option<u16>, String),
    Violation(Violation),
}

impl Socket {
    /// A socket on a connection that has left HTTP. `random` spreads the first ping.
    pub fn new(upgraded: Upgraded, limits: Rc<SocketLimits>, deflate: bool, random: u64) -> Self {
        let Upgraded {
            stream,
            already_read,
            scratch,
            permits,
            ..
        } = upgraded;
        let now = Instant::now();
        let ping_at = now + spread(limits.ping, random);
        // The guard lets nothing pass behind an upgrade request.
        debug_assert!(already_read.is_empty());
        Self {
            stream,
            scratch,
            reader: Reader::new(deflate),
            rate: Bucket::new(),
            deflate,
            kept_waiting: false,
            outgoing: Outgoing::default(),
            state: State::Open,
            ending: None,
            deferred: None,
            timer: Box::pin(tokio::time::sleep_until(ping_at.min(now + limits.dead))),
            ping_at,
            heard_at: now,
            paused_until: None,
            limits,
            _admission: permits,
        }
    }

    /// Whether frames with compressed payloads may be sent.
    pub fn is_compressed(&self) -> bool {
        self.deflate
    }

    /// Whether nothing is half read and nothing waits to be written, so that the socket holds no buffer.
    pub fn is_idle(&self) -> bool {
        self.reader.is_idle() && self.outgoing.is_idle()
    }

    /// Whether, since this was asked last, the peer had to be waited for until it took a write.
    pub fn has_kept_waiting(&mut self) -> bool {
        std::mem::take(&mut self.kept_waiting)
    }

    /// The next thing that happens. Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Sends whole frames, made by [`encode_text`](frame::encode_text) and its siblings, in one write together
    /// with any control frame that waits. Resolves when the kernel has all of it. If the future is dropped, the
    /// rest goes out with the next call of [`Socket::next`] or this.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&mut self, frames: &[Bytes]) -> Result<(), SendError> {
        if self.state != State::Open {
            return Err(SendError::Closed);
        }
        let mut frames = Some(frames);
        poll_fn(|cx| {
            if let Some(frames) = frames.take()
                && let Err(error) = self.outgoing.write(&mut self.stream, frames, cx)
            {
                self.lose(&error);
            }
            match ready!(self.poll_outgoing(cx)) {
                Ok(()) if self.state == State::Open => Poll::Ready(Ok(())),
                Ok(()) => Poll::Ready(Err(SendError::Closed)),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => Poll::Ready(Err(SendError::Stalled)),
                Err(_) => Poll::Ready(Err(SendError::Closed)),
            }
        })
        .await
    }

    /// Closes with `code` and waits for the closing handshake, as long as its deadline allows. Messages that
    /// still arrive are thrown away.
    pub async fn close(mut self, code: u16, reason: &str) -> Closed {
        self.start_close(code, reason);
        loop {
            if let Event::Closed(closed) = self.next().await {
                return closed;
            }
        }
    }

    /// Puts a close frame behind what is being written; [`Socket::next`] then leads to [`Event::Closed`].
    pub fn start_close(&mut self, code: u16, reason: &str) {
        if self.state == State::Open {
            self.outgoing.push(&frame::encode_close(code, reason));
            self.state = State::Closing {
                until: Instant::now() + self.limits.close,
            };
            self.end(Closed {
                code,
                reason: reason.to_owned(),
                by: ClosedBy::Us,
            });
        }
    }

    /// The same, for a task that waits for other things too.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if self.state == State::Over {
                return Poll::Ready(Event::Closed(self.closed()));
            }
            if let Some(ending) = self.deferred.take() {
                self.begin_to_end(*ending);
            }
            if ready!(self.poll_outgoing(cx)).is_err() {
                continue;
            }
            if let State::Finishing {
                shut: false, until, ..
            } = self.state
            {
                if Pin::new(&mut self.stream).poll_shutdown(cx).is_pending() {
                    ready!(self.poll_timer(cx));
                    continue;
                }
                self.state = State::Finishing {
                    until,
                    shut: true,
                    discarded: 0,
                };
            }
            match self.poll_read(cx) {
                Poll::Ready(Some(event)) => return Poll::Ready(event),
                Poll::Ready(None) => {}
                Poll::Pending => ready!(self.poll_timer(cx)),
            }
        }
    }

    /// One read, and everything in it. `None` when there is nothing to tell. An end that comes behind messages
    /// takes effect after they were told, so that they can still be answered.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(until) = self.paused_until {
            if Instant::now() < until {
                return Poll::Pending;
            }
            self.paused_until = None;
        }
        let mut incoming = Vec::new();
        let scratch = self.scratch.clone();
        let violation = ready!(scratch.with(|buffer| {
            let count = match ready!(self.stream.poll_read_into(cx, buffer)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => count,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let now = Instant::now();
            self.heard_at = now;
            if let State::Finishing { discarded, .. } = &mut self.state {
                *discarded = discarded.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                let too_much = *discarded > MOST_DISCARDED;
                return Poll::Ready(if too_much {
                    Err(io::ErrorKind::Other.into())
                } else {
                    Ok(None)
                });
            }
            let (reader, limits) = (&mut self.reader, &self.limits.messages);
            Poll::Ready(Ok(reader
                .feed(&mut buffer[..count], now.into_std(), limits, &mut incoming)
                .err()))
        }));
        let violation = match violation {
            Ok(violation) => violation,
            Err(error) => {
                self.lose(&error);
                return Poll::Ready(None);
            }
        };
        let (event, closed) = self.take(incoming);
        if let Some(ending) = violation.map(Ending::Violation).or(closed) {
            if event.is_some() {
                self.deferred = Some(Box::new(ending));
            } else {
                self.begin_to_end(ending);
            }
        }
        Poll::Ready(event)
    }

    /// Deals with what was read: control frames here, messages above.
    fn take(&mut self, incoming: Vec<Incoming>) -> (Option<Event>, Option<Ending>) {
        let mut messages = Vec::with_capacity(incoming.len());
        let (mut pong, mut closed) = (false, None);
        for one in incoming {
            match one {
                Incoming::Text(text) => messages.push(Message::Text(text)),
                Incoming::Binary(bytes) => messages.push(Message::Binary(bytes)),
                Incoming::Ping(payload) if self.state == State::Open => {
                    frame::encode_header(self.outgoing.buffer(), OpCode::Pong, false, payload.len());
                    self.outgoing.push(&payload);
                }
                Incoming::Ping(_) => {}
                Incoming::Pong(_) => pong = true,
                Incoming::Close(code, reason) => closed = Some(Ending::PeerClose(code, reason)),
            }
        }
        if self.state != State::Open {
            return (None, closed);
        }
        self.pause_if_too_fast(messages.len());
        let event = if messages.is_empty() {
            pong.then_some(Event::Pong)
        } else {
            Some(Event::Messages(messages))
        };
        (event, closed)
    }

    fn pause_if_too_fast(&mut self, messages: usize) {
        if let Some(rate) = &self.limits.rate
            && messages > 0
        {
            let now = Instant::now();
            let count = u32::try_from(messages).unwrap_or(u32::MAX);
            let wait = self.rate.charge(rate, count, now.into_std());
            self.paused_until = (!wait.is_zero()).then(|| now + wait);
        }
    }

    /// The peer said its last word, or broke a rule: one close frame, and nothing is read any more.
    fn begin_to_end(&mut self, ending: Ending) {
        if self.state == State::Open {
            let (frame, closed) = match ending {
                Ending::PeerClose(Some(code), reason) => (
                    frame::encode_close(code, ""),
                    Closed {
                        code,
                        reason,
                        by: ClosedBy::Peer,
                    },
                ),
                Ending::PeerClose(None, reason) => {
                    let empty = frame::encode(OpCode::Close, false, &[]);
                    (
                        empty,
                        Closed {
                            code: 1005,
                            reason,
                            by: ClosedBy::Peer,
                        },
                    )
                }
                Ending::Violation(violation) => {
                    let (code, reason) = (violation.code(), violation.to_string());
                    (
                        frame::encode_close(code, &reason),
                        Closed {
                            code,
                            reason,
                            by: ClosedBy::Us,
                        },
                    )
                }
            };
            self.outgoing.push(&frame);
            self.end(closed);
        }
        self.finish();
    }

    fn finish(&mut self) {
        let until = match self.state {
            State::Closing { until } | State::Finishing { until, .. } => until,
            State::Open | State::Over => Instant::now() + self.limits.close,
        };
        self.paused_until = None;
        self.state = State::Finishing {
            until,
            shut: false,
            discarded: 0,
        };
    }

    /// The connection is gone, one way or the other.
    fn lose(&mut self, error: &io::Error) {
        let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
            "connection ended without a close frame".to_owned()
        } else {
            error.to_string()
        };
        self.end(Closed {
            code: 1006,
            reason,
            by: ClosedBy::Lost,
        });
        self.outgoing.clear();
        self.state = State::Over;
    }

    /// Keeps the first reason.
    fn end(&mut self, closed: Closed) {
        self.ending.get_or_insert_with(|| Box::new(closed));
    }

    fn closed(&self) -> Closed {
        let lost = || Closed {
            code: 1006,
            reason: String::new(),
            by: ClosedBy::Lost,
        };
        self.ending.as_deref().cloned().unwrap_or_else(lost)
    }

    /// Ready when everything is with the kernel, or the connection is lost.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_idle() && !self.stream.is_tls() {
            return Poll::Ready(Ok(()));
        }
        let waited = self.outgoing.late_at().is_some();
        let (limits, ping_at) = (&self.limits, self.ping_at);
        let patience = || limits.patience(ping_at.saturating_duration_since(Instant::now()));
        let error = match self.outgoing.poll_drain(&mut self.stream, patience, cx) {
            Poll::Ready(Ok(())) => {
                if waited {
                    // Whoever takes bytes is alive, even if we were too busy writing to hear it.
                    self.heard_at = Instant::now();
                    self.kept_waiting = true;
                }
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) => error,
            Poll::Pending => {
                while self.state != State::Over && !self.outgoing.is_late() {
                    ready!(self.poll_timer(cx));
                }
                let late = io::ErrorKind::TimedOut.into();
                if self.state == State::Open {
                    let code = self.limits.slow;
                    self.start_close(code, "reads too slowly");
                    self.outgoing.wait_until(Instant::now() + self.limits.close);
                    return Poll::Ready(Err(late));
                }
                late
            }
        };
        self.lose(&error);
        Poll::Ready(Err(error))
    }

    /// When the timer has something to do next.
    fn due(&self) -> Instant {
        let mut due = match self.state {
            State::Closing { until } | State::Finishing { until, .. } => until,
            State::Open if self.outgoing.late_at().is_some() => self.ping_at,
            State::Open => self.ping_at.min(self.heard_at + self.limits.dead),
            State::Over => self.ping_at,
        };
        for other in [self.outgoing.late_at(), self.paused_until].into_iter().flatten() {
            due = due.min(other);
        }
        due
    }

    /// Waits for the timer. It is only ever moved closer here; when it fires early it is set again.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let due = self.due();
            if self.timer.deadline() > due || self.timer.is_elapsed() {
                self.timer.as_mut().reset(due);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            if Instant::now() >= self.due() {
                return true;
            }
        }
    }

    /// Ready when time has changed something.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.poll_due(cx) {
            return Poll::Pending;
        }
        let now = Instant::now();
        if let State::Closing { until } | State::Finishing { until, .. } = self.state
            && now >= until
        {
            self.outgoing.clear();
            self.state = State::Over;
        } else if self.state == State::Open && self.outgoing.late_at().is_none() {
            if now >= self.heard_at + self.limits.dead {
                self.lose(&io::Error::new(io::ErrorKind::TimedOut, "peer is silent"));
            } else if now >= self.ping_at {
                self.outgoing.push(&frame::encode(OpCode::Ping, false, &[]));
            }
        }
        if now >= self.ping_at {
            self.ping_at = now + self.limits.ping;
        }
        self.paused_until = self.paused_until.filter(|until| now < *until);
        Poll::Ready(())
    }
}
