//! Every bound of an HTTP connection, with the default it has in the product.

use std::time::Duration;

use super::head::HeadLimits;
use super::pace::Floor;
use crate::config::{self, ByteSize};

/// The bounds of one HTTP connection.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// From connect to the first complete head, and from the first byte of any later head to its end.
    pub header: Duration,
    /// How long a connection may be idle between requests.
    pub idle: Duration,
    /// After so many requests the connection is closed.
    pub max_requests: u32,
    /// Sizes of a request head.
    pub head: HeadLimits,
    /// The least rate at which a body must arrive.
    pub body: Floor,
    /// The least rate at which the peer must take what we send.
    pub write: Floor,
    /// How long bytes of a refused or unread request are read and thrown away, so that the peer gets to read
    /// the answer before its own unsent bytes reset the connection.
    pub linger: Duration,
    /// Most HTTP/2 streams at once.
    pub streams: u32,
}

impl HttpLimits {
    /// The bounds of the settings.
    pub fn new(limits: &config::HttpLimits) -> Self {
        let floor = |rate: ByteSize, grace| Floor {
            bytes_per_second: u32::try_from(rate.0).unwrap_or(u32::MAX),
            grace,
        };
        Self {
            header: limits.header,
            idle: limits.idle,
            max_requests: limits.max_requests,
            head: HeadLimits {
                request_line: limits.request_line.len(),
                bytes: limits.header_bytes.len(),
                fields: limits.header_count,
            },
            body: floor(limits.body_rate, limits.body_grace),
            write: floor(limits.write_rate, limits.write_grace),
            linger: limits.linger,
            streams: limits.streams,
        }
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            max_requests: 10_000,
            head: HeadLimits {
                request_line: 8 * 1024,
                bytes: 16 * 1024,
                fields: 100,
            },
            body: Floor {
                bytes_per_second: 500,
                grace: Duration::from_secs(10),
            },
            write: Floor {
                bytes_per_second: 500,
                grace: Duration::from_secs(30),
            },
            linger: Duration::from_secs(2),
            streams: 100,
        }
    }
}
