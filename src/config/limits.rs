//! `[limits.*]`: what a peer may do to us. Every row is on by default.

use std::time::Duration;

use super::rate::Rate;
use super::reader::{Reader, Section, section};
use super::setting::Auto;
use super::size::ByteSize;

/// Every bound on a peer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Connections.
    pub connections: ConnectionLimits,
    /// HTTP.
    pub http: HttpLimits,
    /// JSON and form bodies.
    pub json: JsonLimits,
    /// WebSockets.
    pub websocket: WebSocketLimits,
    /// Requests in a time.
    pub rates: RateLimits,
    /// Text messages.
    pub texts: TextLimits,
    /// Our own queues.
    pub queues: QueueLimits,
}

impl Section for Limits {
    fn read(section: &str, reader: &mut Reader<'_>) -> Self {
        Self {
            connections: ConnectionLimits::read(&format!("{section}.connections"), reader),
            http: HttpLimits::read(&format!("{section}.http"), reader),
            json: JsonLimits::read(&format!("{section}.json"), reader),
            websocket: WebSocketLimits::read(&format!("{section}.websocket"), reader),
            rates: RateLimits::read(&format!("{section}.rates"), reader),
            texts: TextLimits::read(&format!("{section}.texts"), reader),
            queues: QueueLimits::read(&format!("{section}.queues"), reader),
        }
    }
}

section! {
    /// `[limits.connections]`.
    pub struct ConnectionLimits {
        /// Open connections of the node. Auto: 90 % of the open files the process may have.
        pub total: Auto<usize> = Auto::Auto,
        /// Open connections from one address.
        pub per_address: usize = 200,
        /// Open connections from one /24 (IPv4) or /56 (IPv6).
        pub per_neighbourhood: usize = 1_000,
        /// Connections the kernel completes before we accept them.
        pub backlog: u16 = 4_096,
        /// Sent bytes unacknowledged for so long end the connection.
        pub user_timeout: Duration = Duration::from_secs(30),
        /// An idle connection is probed after so long.
        pub keepalive: Duration = Duration::from_secs(60),
        /// Whether silent TLS 1.3 connections go on with our own record layer, or with rustls.
        pub own_tls_records: bool = true,
    }
}

impl ConnectionLimits {
    /// The bound of the node when the process may have `open_files` files open.
    pub fn total_within(&self, open_files: u64) -> usize {
        let nine_tenths = open_files / 10 * 9;
        self.total.or(usize::try_from(nine_tenths).unwrap_or(usize::MAX))
    }
}

section! {
    /// `[limits.http]`.
    pub struct HttpLimits {
        /// A PROXY header and the TLS handshake together.
        pub handshake: Duration = Duration::from_secs(5),
        /// A complete request head.
        pub header: Duration = Duration::from_secs(10),
        /// Idle between requests.
        pub idle: Duration = Duration::from_secs(60),
        /// Requests on one connection.
        pub max_requests: u32 = 10_000,
        /// The request line.
        pub request_line: ByteSize = ByteSize::kib(8),
        /// The whole head.
        pub header_bytes: ByteSize = ByteSize::kib(16),
        /// Header fields.
        pub header_count: usize = 100,
        /// The least bytes a second of a body that arrives.
        pub body_rate: ByteSize = ByteSize(500),
        /// A body may be slower than that at its start.
        pub body_grace: Duration = Duration::from_secs(10),
        /// The least bytes a second a peer takes of an answer.
        pub write_rate: ByteSize = ByteSize(500),
        /// An answer may be taken slower than that at its start.
        pub write_grace: Duration = Duration::from_secs(30),
        /// A refused request's bytes are read and dropped for so long.
        pub linger: Duration = Duration::from_secs(2),
        /// HTTP/2 streams of a connection at once.
        pub streams: u32 = 100,
        /// Characters of an `Idempotency-Key`.
        pub idempotency_key: usize = 128,
    }
}

section! {
    /// `[limits.json]`: bodies of requests, forms included.
    pub struct JsonLimits {
        /// A body.
        pub body: ByteSize = ByteSize::kib(64),
        /// Objects and lists inside one another.
        pub depth: usize = 32,
        /// Keys and list items in all.
        pub keys: usize = 1_000,
        /// One text.
        pub string: ByteSize = ByteSize::kib(32),
        /// Characters of one number.
        pub number: usize = 32,
    }
}

section! {
    /// `[limits.websocket]`.
    pub struct WebSocketLimits {
        /// One frame.
        pub frame: ByteSize = ByteSize::kib(64),
        /// One message, all its frames together.
        pub message: ByteSize = ByteSize::kib(64),
        /// Frames of one message.
        pub fragments: usize = 64,
        /// Control frames a second.
        pub control_per_second: u32 = 10,
        /// From the handshake to a proof of who it is.
        pub unauthenticated: Duration = Duration::from_secs(5),
        /// The time a peer may take for one write of ours, and up to a quarter more, before it is closed as slow.
        pub write: Duration = Duration::from_secs(30),
        /// `permessage-deflate`; costs memory on each socket.
        pub deflate: bool = false,
    }
}

section! {
    /// `[limits.rates]`: beyond them the answer is 429.
    pub struct RateLimits {
        /// Requests with one API key.
        pub api_key: Rate = Rate::per_second(5_000, 10_000),
        /// Requests from one address.
        pub address: Rate = Rate::per_second(200, 400),
        /// Requests about one session.
        pub session: Rate = Rate::per_second(10, 40),
        /// New sessions from one address.
        pub create: Rate = Rate::per_minute(300, 150),
        /// Commands of one agent's socket.
        pub commands: Rate = Rate::per_second(20, 60),
        /// Refused credentials from one address.
        pub refused: Rate = Rate::per_minute(30, 30),
        /// Keys, addresses or sessions remembered for each rate on a core.
        pub remembered: usize = 65_536,
    }
}

section! {
    /// `[limits.texts]`: text messages of each core, where a channel does not say otherwise.
    pub struct TextLimits {
        /// From one number to one channel.
        pub received: Option<Rate> = Some(Rate::per_minute(60, 120)),
        /// To one number by one channel.
        pub sent: Option<Rate> = Some(Rate::per_minute(20, 40)),
        /// By one channel to all numbers.
        pub channel: Option<Rate> = None,
        /// Short messages that one text may be.
        pub segments: usize = 10,
    }
}

section! {
    /// `[limits.queues]`: our own queues; when one is full the answer is 503.
    pub struct QueueLimits {
        /// Questions from other cores that may wait at a core.
        pub mailbox: usize = 4_096,
        /// Requests that may wait for one log.
        pub per_log: usize = 256,
    }
}
