//! What came back.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};

/// An answer, complete unless it was cut. Any status: a redirect is an answer like any other, and a `5xx` no error of
/// the call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body as it was sent; nothing is decompressed.
    pub body: Bytes,
    pub(super) cut: bool,
}

impl Answer {
    /// Whether the body was longer than was asked for and its rest was not read.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The media type the peer claims, without parameters, as it was written.
    pub fn content_type(&self) -> Option<&str> {
        let value = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next().unwrap_or_default().trim())
    }

    /// How long the peer asks to be left alone, at `now_ms` (Unix time). The caller bounds it.
    pub fn retry_after(&self, now_ms: u64) -> Option<Duration> {
        super::retry_after(self.headers.get(RETRY_AFTER)?.to_str().ok()?, now_ms)
    }
}
