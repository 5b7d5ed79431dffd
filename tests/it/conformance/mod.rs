//! The real binary's echoes, which answer through exactly the product's network layer, before public judges: the cases of the
//! Autobahn suite for WebSocket, requests that are smuggled or badly framed for HTTP/1.1, and a scanner for TLS.

mod http;
mod tls;
mod websocket;

use std::net::SocketAddr;

use crate::support::process::Nexus;

/// A node with two echoes: without TLS, and with.
struct Echoes {
    nexus: Nexus,
    plain: SocketAddr,
    tls: SocketAddr,
}

impl Echoes {
    fn start(settings: &[&str]) -> Self {
        let mut all = vec!["store.mode=memory", "store.durability=none"];
        all.extend(settings);
        let (mut nexus, plain, tls) = Nexus::start_echoing(&all);
        let admin = nexus.address("admin");
        nexus.ready(admin);
        Self { nexus, plain, tls }
    }
}
