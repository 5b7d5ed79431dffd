//! TCP below rustls, with an eye on where records end.
//!
//! rustls keeps what it has of an incomplete record to itself. Whoever takes a connection over from it must know that there is
//! no such piece, or its bytes would be lost.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection whose incoming records are counted out.
#[derive(Debug)]
pub(crate) struct Whole {
    tcp: TcpStream,
    incoming: Records,
}

impl Whole {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            incoming: Records::default(),
        }
    }

    /// Whether everything that was read ends with a whole record.
    pub(crate) fn is_whole(&self) -> bool {
        self.incoming.are_whole()
    }

    /// Ready when there is something to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_read_ready(cx)
    }

    pub(crate) fn into_tcp(self) -> TcpStream {
        self.tcp
    }
}

impl AsyncRead for Whole {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.tcp).poll_read(cx, buffer);
        this.incoming.pass(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Whole {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}

/// Where a stream of records stands (RFC 8446 section 5.1: five bytes of header, the last two of which are the length).
#[derive(Debug, Default)]
struct Records {
    /// Bytes of the header that have passed.
    header: u8,
    /// Bytes of the payload that have not.
    left: u16,
}

impl Records {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 && self.header == 0 {
                let here = bytes.len().min(usize::from(self.left));
                self.left -= u16::try_from(here).unwrap_or(self.left);
                bytes = &bytes[here..];
                continue;
            }
            match self.header {
                3 => self.left = u16::from(*first) << 8,
                4 => self.left |= u16::from(*first),
                _ => {}
            }
            self.header = (self.header + 1) % 5;
            bytes = rest;
        }
    }

    fn are_whole(&self) -> bool {
        self.header == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(length: u16) -> Vec<u8> {
        let mut record = vec![23, 3, 3];
        record.extend(length.to_be_bytes());
        record.extend(std::iter::repeat_n(0xff, usize::from(length)));
        record
    }

    proptest! {
        #[test]
        fn records_are_whole_exactly_at_their_ends(
            lengths in prop::collection::vec(0u16..700, 1..6),
            cuts in prop::collection::vec(1usize..400, 1..40),
        ) {
            let stream: Vec<u8> = lengths.iter().copied().flat_map(record).collect();
            let ends: Vec<usize> = lengths
                .iter()
                .scan(0, |end, length| {
                    *end += 5 + usize::from(*length);
                    Some(*end)
                })
                .collect();
            let (mut records, mut at) = (Records::default(), 0);
            for cut in cuts {
                let to = (at + cut).min(stream.len());
                records.pass(&stream[at..to]);
                at = to;
                prop_assert_eq!(records.are_whole(), at == 0 || ends.contains(&at), "at {}", at);
            }
        }
    }
}
