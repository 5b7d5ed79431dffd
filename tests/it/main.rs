//! Integration tests against real parts: one binary, a module per area.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may end at the first surprise and say so"
)]

mod aggregators;
mod bots;
mod chaos;
mod conformance;
mod contacts;
mod designer;
mod esp;
mod gws;
mod internal_tls;
mod journey;
mod key_set;
mod log;
mod matrix;
mod mixed;
mod net_client;
mod net_http;
mod net_server;
mod net_tls;
mod net_websocket;
mod outward;
mod plugins;
mod privacy;
mod process;
mod provisioning;
mod redis_faults;
mod routing;
mod scan;
mod securemail;
mod support;
mod tls_tickets;
mod widgets;
mod workspace;
mod workspace_frames;
