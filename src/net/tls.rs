//! TLS 1.3 and 1.2 with rustls: what is offered, which certificate, which ticket keys.

mod certificate;
mod development;
mod tickets;

use std::io;
use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use certificate::{CertificateError, CertificateFiles, Certificates, read_authorities};
pub use development::development_certificate;
pub use tickets::{TicketKey, TicketKeys};

/// The TLS side of a listener, shared by all cores. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Offers TLS 1.3 and 1.2, `h2` and `http/1.1`, with the present certificate of `certificates`; sessions
    /// resume by tickets under `tickets`, and the node remembers none. With `authorities`, a peer must show a
    /// certificate that one of them issued.
    ///
    /// # Errors
    /// When the cryptographic provider lacks a protocol version, or `authorities` holds none that can be used.
    pub fn new(
        certificates: Arc<Certificates>,
        tickets: Arc<TicketKeys>,
        authorities: Option<Vec<CertificateDer<'static>>>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let config = match authorities {
            None => config.with_no_client_auth(),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in authorities {
                    roots.add(authority)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
                config.with_client_cert_verifier(verifier)
            }
        };
        let mut config = config.with_cert_resolver(certificates);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = tickets;
        config.send_tls13_tickets = 1;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// The handshake. The caller bounds its time.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
