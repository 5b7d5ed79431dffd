//! From configured limits to those of the network layer.

use std::rc::Rc;

use crate::config;
use crate::ingress::workspace::WorkspaceSettings;
use crate::net::http::{Floor, HeadLimits, HttpLimits};
use crate::net::websocket::{MessageLimits, SocketLimits};
use crate::net::{Cidr, ListenerLimits, ServeLimits};
use crate::runtime::Rate;

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
            proxies: proxies
                .iter()
                .filter_map(|range| range.to_string().parse::<Cidr>().ok())
                .collect(),
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
            body: Floor {
                bytes_per_second: floor(http.body_rate),
                grace: http.body_grace,
            },
            write: Floor {
                bytes_per_second: floor(http.write_rate),
                grace: http.write_grace,
            },
            linger: http.linger,
            streams: http.streams,
        },
    }
}

/// What one agent's socket and its HTTPS side are bound by.
pub(super) fn workspace(config: &config::Config) -> WorkspaceSettings {
    let socket = &config.limits.websocket;
    WorkspaceSettings {
        ticket_ttl: config.agent.ticket_ttl,
        resume_window: config.agent.resume_window,
        unauthenticated: socket.unauthenticated,
        reconnect_window: config.drain.window,
        allowed_origins: config.agent.allowed_origins.clone(),
        upload_limit: config.media.max_file.0,
        socket: Rc::new(SocketLimits {
            messages: MessageLimits {
                // A frame is part of a message, so the smaller bound holds for both.
                message: bytes(socket.message).min(bytes(socket.frame)),
                fragments: u16::try_from(socket.fragments).unwrap_or(u16::MAX),
                control: Rate::per_second(socket.control_per_second, socket.control_per_second),
            },
            rate: Some(config.limits.rates.commands.into()),
            ping: config.agent.ping,
            dead: config.agent.dead,
            stall: socket.write,
            deflate: socket.deflate,
            ..SocketLimits::default()
        }),
    }
}

fn bytes(size: config::ByteSize) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

fn floor(size: config::ByteSize) -> u32 {
    u32::try_from(size.0).unwrap_or(u32::MAX)
}
