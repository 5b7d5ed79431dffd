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
    /// `None` where nothing is half done, which is nearly always.
    kept: Option<Box<Kept>>,
    said_last_word: bool,
    closed: bool,
}

/// What is half done.
#[derive(Debug, Default)]
struct Kept {
    /// The beginning of a record.
    partial: Vec<u8>,
    /// Plaintext that a small buffer had no room for.
    spilled: Vec<u8>,
    /// Records on their way out.
    outgoing: Vec<u8>,
}

impl Sealed {
    pub(crate) fn new(tcp: TcpStream, channel: Channel, spilled: Vec<u8>) -> Self {
        let mut sealed = Self {
            tcp,
            channel,
            kept: None,
            said_last_word: false,
            closed: false,
        };
        if !spilled.is_empty() {
            sealed.kept().spilled = spilled;
        }
        sealed
    }

    fn kept(&mut self) -> &mut Kept {
        self.kept.get_or_insert_default()
    }

    fn has_spilled(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| !kept.spilled.is_empty())
    }

    /// Keeps nothing where nothing is half done.
    fn tidy(&mut self) {
        self.kept
            .take_if(|kept| kept.partial.is_empty() && kept.spilled.is_empty() && kept.outgoing.is_empty());
    }

    /// Ready when there is something to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed || self.has_spilled() {
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
        if !self.has_spilled() && buffer.len() >= MAX_RECORD {
            return self.poll_open(cx, buffer);
        }
        if !self.has_spilled() {
            // Through a buffer of its own, for callers whose buffer no record would fit in.
            let mut own = vec![0; MAX_RECORD];
            let count = ready!(self.poll_open(cx, &mut own))?;
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            own.truncate(count);
            self.kept().spilled = own;
        }
        let kept = self.kept();
        let count = buffer.len().min(kept.spilled.len());
        buffer[..count].copy_from_slice(&kept.spilled[..count]);
        kept.spilled.drain(..count);
        self.tidy();
        Poll::Ready(Ok(count))
    }

    /// Reads and opens in `buffer`, which holds at least one record.
    fn poll_open(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.closed {
                return Poll::Ready(Ok(0));
            }
            let known = self.kept.as_ref().map_or(0, |kept| kept.partial.len());
            let mut fresh = ReadBuf::new(&mut buffer[known..]);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut fresh))?;
            let count = fresh.filled().len();
            if count == 0 {
                self.closed = true;
                // Ended without a last word: framing above decides whether anything is missing.
                return Poll::Ready(Ok(0));
            }
            if let Some(kept) = &mut self.kept {
                buffer[..known].copy_from_slice(&kept.partial);
                kept.partial = Vec::new();
            }
            let bytes = &mut buffer[..known + count];
            let mut answer = Vec::new();
            let opened = self.channel.open(bytes, &mut answer);
            if !answer.is_empty() {
                // Best effort here; whatever is left goes out in front of the next write.
                self.kept().outgoing.append(&mut answer);
                let _ = self.poll_drain(cx)?;
            }
            let opened = opened.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.closed = opened.closed;
            if opened.consumed < bytes.len() {
                self.kept().partial = bytes[opened.consumed..].to_vec();
            }
            self.tidy();
            if opened.plain > 0 {
                return Poll::Ready(Ok(opened.plain));
            }
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(kept) = &mut self.kept else {
            return Poll::Ready(Ok(()));
        };
        let (written, outcome) = poll_give(&mut self.tcp, cx, &kept.outgoing);
        kept.outgoing.drain(..written);
        self.tidy();
        outcome
    }

    /// Records of which nothing is out yet, behind none that wait. What the kernel does not take is kept.
    fn send(&mut self, cx: &mut Context<'_>, mut records: Vec<u8>) -> io::Result<()> {
        let (written, outcome) = poll_give(&mut self.tcp, cx, &records);
        if written < records.len() {
            records.drain(..written);
            self.kept().outgoing = records;
        }
        match outcome {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Ok(()),
        }
    }
}

/// How many bytes the kernel took, and whether that is all.
fn poll_give(tcp: &mut TcpStream, cx: &mut Context<'_>, bytes: &[u8]) -> (usize, Poll<io::Result<()>>) {
    let mut written = 0;
    let outcome = loop {
        if written == bytes.len() {
            break Poll::Ready(Ok(()));
        }
        match Pin::new(&mut *tcp).poll_write(cx, &bytes[written..]) {
            Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => written += count,
            Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
            Poll::Pending => break Poll::Pending,
        }
    };
    (written, outcome)
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
        let mut records = Vec::new();
        let sealed = this.channel.seal_data(data, &mut records);
        sealed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        this.send(cx, records)?;
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
            let mut record = Vec::new();
            let sealed = this.channel.seal_close(&mut record);
            sealed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            this.kept().outgoing.append(&mut record);
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}
