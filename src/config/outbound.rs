//! `[outbound]`: requests the service makes itself, to customers' URLs and to other services.

use std::path::PathBuf;
use std::time::Duration;

use super::host_range::HostRange;
use super::range::IpRange;
use super::reader::section;
use super::size::ByteSize;

section! {
    /// `[outbound]`.
    pub struct Outbound {
        /// The longest a TCP connection may take to come about, and again the TLS handshake.
        pub connect_timeout: Duration = Duration::from_secs(3),
        /// The longest a whole call may take that does not ask for another time. At most two minutes.
        pub deadline: Duration = Duration::from_secs(10),
        /// The most of an answer's body that is read, unless the call asks for another size.
        pub max_response: ByteSize = ByteSize::kib(64),
        /// Inside addresses and names that even URLs given by customers may reach, on any port and without TLS.
        pub allow: Vec<HostRange> = Vec::new(),
        /// Inside addresses and names that links set up by the operator may reach besides.
        pub peers: Vec<HostRange> = Vec::new(),
        /// Addresses nobody may reach, whatever else is allowed: our own public ones.
        pub deny: Vec<IpRange> = Vec::new(),
        /// Ports that URLs given by customers may name.
        pub ports: Vec<u16> = vec![443],
        /// Whether URLs given by customers may be without TLS.
        pub plain_http: bool = false,
        /// Authorities besides those of the system, PEM.
        pub ca_file: Option<PathBuf> = None,
        /// The certificate chain that is shown to links set up by the operator, PEM. Never to customers' URLs.
        pub client_cert_file: Option<PathBuf> = None,
        /// Its private key, PEM.
        pub client_key_file: Option<PathBuf> = None,
        /// Connections of one core at once.
        pub connections: usize = 1_024,
        /// Idle connections of one core kept for one peer.
        pub pool: usize = 8,
        /// How long one is kept.
        pub pool_idle: Duration = Duration::from_secs(30),
    }
}
