//! `[listen.*]`: addresses, certificates, and who may speak for others.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::range::IpRange;
use super::reader::{Reader, Section, section};

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The three listeners.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listen {
    /// Customers, agents, aggregators.
    pub public: PublicListener,
    /// The other services of the contact centre.
    pub internal: InternalListener,
    /// Health and metrics.
    pub admin: AdminListener,
}

impl Section for Listen {
    fn read(section: &str, reader: &mut Reader<'_>) -> Self {
        Self {
            public: PublicListener::read(&format!("{section}.public"), reader),
            internal: InternalListener::read(&format!("{section}.internal"), reader),
            admin: AdminListener::read(&format!("{section}.admin"), reader),
        }
    }
}

section! {
    /// `[listen.public]`: connections 1, 2, 3 and 11, the pages.
    pub struct PublicListener {
        /// Where TLS is spoken (h2, http/1.1, WSS).
        pub address: SocketAddr = loopback(8443),
        /// Where the same is served without TLS, if anywhere.
        pub plain_address: Option<SocketAddr> = Some(loopback(8080)),
        /// The base of URLs told to others, without a slash at the end; absent takes the `Host` of the request.
        pub url: Option<String> = None,
        /// Certificate chain, PEM. Absent: a development certificate is made below the data directory.
        pub certificate_file: Option<PathBuf> = None,
        /// Private key of the certificate, PEM.
        pub key_file: Option<PathBuf> = None,
        /// Balancers whose connections begin with a PROXY header.
        pub proxies: Vec<IpRange> = Vec::new(),
    }
}

section! {
    /// `[listen.internal]`: connections 4, 5 and 6.
    pub struct InternalListener {
        /// Where; plain unless a certificate is given.
        pub address: SocketAddr = loopback(8081),
        /// The base of URLs told to the Tenant Service (`urlFromEsv`), without a slash at the end; absent takes the `Host`.
        pub url: Option<String> = None,
        /// Certificate chain, PEM.
        pub certificate_file: Option<PathBuf> = None,
        /// Private key of the certificate, PEM.
        pub key_file: Option<PathBuf> = None,
        /// Peers must show a certificate of one of these authorities, PEM.
        pub client_ca_file: Option<PathBuf> = None,
        /// Balancers whose connections begin with a PROXY header.
        pub proxies: Vec<IpRange> = Vec::new(),
    }
}

section! {
    /// `[listen.admin]`: `/health/*` and `/metrics`, on a thread of its own.
    pub struct AdminListener {
        /// Where; always plain.
        pub address: SocketAddr = loopback(4004),
    }
}
