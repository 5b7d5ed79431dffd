//! A TLS 1.3 connection on our own record layer: for sockets that are many, long-lived and mostly silent.
//!
//! Holds no buffer while idle: ciphertext is read into the caller's buffer and opened there in place; only
//! the beginning of a record that is not all there, or records the kernel does not take, are kept.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::record::{Channel, MAX_PLAIN, MAX_RECORD};

/// Most plaintext sealed by one write.
const MOST: usize = 4 * MAX_PLAIN;

/// A connection whose handshake rustls has done.
#[derive(Debug)]
pub struct Sealed {
    tcp: TcpStream,
    channel: Channel,
    /// The beginning of a record.
    partial: Vec<u8>,
    /// Plaintext that a small buffer had no room for.
    spilled: Vec<u8>,
    /// Records on their way out.
    outgoing: Vec<u8>,
    said_last_word: bool,
    closed: bool,
}

impl Sealed {
    pub(crate) fn new(tcp: TcpStream, channel: Channel, spilled: Vec<u8>) -> Self {
        let (partial, outgoing) = (Vec::new(), Vec::new());
        Self {
            tcp,
            channel,
            partial,
            spilled,
            outgoing,
            said_last_word: false,
            closed: false,
        }
    }

    /// Ready when there is something to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed || !self.spilled.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.tcp.poll_read_ready(cx)
    }

    /// One read into `buffer`, plaintext. `Ok(0)` is the end.
    pub(crate) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.spilled.is_empty() || buffer.len() < MAX_RECORD {
            return self.poll_read_spilled(cx, buffer);
        }
        self.poll_open(cx, buffer)
    }

    /// Reads through a buffer of its own, for callers whose buffer no record would fit in.
    fn poll_read_spilled(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.spilled.is_empty() {
            let mut own = vec![0; MAX_RECORD];
            let count = ready!(self.poll_open(cx, &mut own))?;
            own.truncate(count);
            self.spilled = own;
        }
        let count = buffer.len().min(self.spilled.len());
        buffer[..count].copy_from_slice(&self.spilled[..count]);
        self.spilled.drain(..count);
        if self.spilled.is_empty() {
            self.spilled = Vec::new();
        }
        Poll::Ready(Ok(count))
    }

    /// Reads and opens in `buffer`, which holds at least one record.
    fn poll_open(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.closed {
                return Poll::Ready(Ok(0));
            }
            let known = self.partial.len();
            let mut fresh = ReadBuf::new(&mut buffer[known..]);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut fresh))?;
            let count = fresh.filled().len();
            if count == 0 {
                self.closed = true;
                // Ended without a last word: framing above decides whether anything is missing.
                return Poll::Ready(Ok(0));
            }
            buffer[..known].copy_from_slice(&self.partial);
            self.partial = Vec::new();
            let bytes = &mut buffer[..known + count];
            let answered = self.outgoing.len();
            let opened = self.channel.open(bytes, &mut self.outgoing);
            if self.outgoing.len() > answered {
                // Best effort here; whatever is left goes out in front of the next write.
                let _ = self.poll_drain(cx)?;
            }
            let opened = opened.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.closed = opened.closed;
            if opened.consumed < bytes.len() {
                self.partial = bytes[opened.consumed..].to_vec();
            }
            if opened.plain > 0 {
                return Poll::Ready(Ok(opened.plain));
            }
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let outcome = loop {
            if written == self.outgoing.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.tcp).poll_write(cx, &self.outgoing[written..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if written == self.outgoing.len() {
            self.outgoing = Vec::new();
        } else {
            self.outgoing.drain(..written);
        }
        outcome
    }
}

impl AsyncRead for Sealed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(self.get_mut().poll_read_into(cx, buffer.initialize_unfilled()))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sealed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Everything given goes into as few records and one system call. Taken bytes may still wait for the
    /// kernel; [`AsyncWrite::poll_flush`] waits for it.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        let mut plain = Vec::new();
        let data: &[u8] = match slices {
            [one] => &one[..one.len().min(MOST)],
            many => {
                for slice in many {
                    plain.extend_from_slice(&slice[..slice.len().min(MOST - plain.len())]);
                }
                &plain
            }
        };
        let sealed = this.channel.seal_data(data, &mut this.outgoing);
        sealed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let _ = this.poll_drain(cx)?;
        Poll::Ready(Ok(data.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.said_last_word, true) {
            let sealed = this.channel.seal_close(&mut this.outgoing);
            sealed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}
