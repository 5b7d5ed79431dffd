//! From configured limits to those of the network layer.

use crate::config;
use crate::net::http::{Floor, HeadLimits, HttpLimits};
use crate::net::{Cidr, ListenerLimits, ServeLimits};

/// What one public or internal address lets through.
pub(super) fn serve(limits: &config::Limits, proxies: &[config::IpRange], total: usize) -> ServeLimits {
    let http = &limits.http;
    ServeLimits {
        listener: ListenerLimits {
            backlog: i32::from(limits.connections.backlog),
            connections: total,
            per_address: limits.connections.per_address,
            per_neighbourhood: limits.connections.per_neighbourhood,
            user_timeout: limits.connections.user_timeout,
            keepalive: limits.connections.keepalive,
            proxies: proxies.iter().filter_map(|range| range.to_string().parse::<Cidr>().ok()).collect(),
        },
        handshake: http.handshake,
        http: HttpLimits {
            header: http.header,
            idle: http.idle,
            max_requests: http.max_requests,
            head: HeadLimits {
                request_line: bytes(http.request_line),
                bytes: bytes(http.header_bytes),
                fields: http.header_count,
            },
            body: Floor { bytes_per_second: rate(http.body_rate), grace: http.body_grace },
            write: Floor { bytes_per_second: rate(http.write_rate), grace: http.write_grace },
            linger: http.linger,
            streams: http.streams,
        },
    }
}

fn bytes(size: config::ByteSize) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

fn rate(size: config::ByteSize) -> u32 {
    u32::try_from(size.0).unwrap_or(u32::MAX)
}
