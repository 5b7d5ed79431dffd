//! TLS 1.3 and 1.2 with rustls: what is offered, which certificate, which ticket keys.

mod certificate;
mod development;
mod record;
mod sealed;
mod secrets;
mod tickets;
mod whole;

use std::io::{self, Read as _};
use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{KeyLog, RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use certificate::{CertificateError, CertificateFiles, Certificates, read_authorities};
pub use development::development_certificate;
pub use sealed::Sealed;
use secrets::{TrafficSecrets, can_take_over, take_over};
pub use tickets::{TicketKey, TicketKeys};
use whole::Whole;

/// Most plaintext that may have come before the record layer is taken over.
const MOST_EARLY: u64 = 64 * 1024;

/// The TLS side of a listener, shared by all cores. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    records: Records,
}

/// Who reads and writes the records of a connection that is silent most of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// Our own layer, which keeps no buffer and needs a fraction of the memory. Only of TLS 1.3.
    #[default]
    Own,
    /// rustls, as it does before.
    Rustls,
}

/// A connection as rustls drives it, with what it takes to take its record layer over.
#[derive(Debug)]
pub struct Encrypted {
    pub(crate) stream: TlsStream<Whole>,
    /// `None`: rustls keeps the record layer.
    secrets: Option<Arc<TrafficSecrets>>,
}

impl Encrypted {
    /// The same connection on our own record layer, which needs a fraction of the memory; or as it is, where
    /// that cannot or shall not be: TLS 1.2, bytes still on their way out, a record of which rustls holds only a part, or
    /// [`Records::Rustls`].
    ///
    /// # Errors
    /// When the keys cannot be taken over; the connection is lost.
    pub(crate) fn into_sealed(self) -> io::Result<Result<Sealed, Self>> {
        let Self { stream, secrets } = self;
        let (below, session) = stream.get_ref();
        let secrets = match secrets {
            Some(secrets) if below.is_whole() && can_take_over(session) => secrets,
            secrets => return Ok(Err(Self { stream, secrets })),
        };
        let (below, mut session) = stream.into_inner();
        let mut early = Vec::new();
        match session.reader().take(MOST_EARLY).read_to_end(&mut early) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let lost = || io::Error::new(io::ErrorKind::InvalidData, "keys cannot be taken over");
        let channel = take_over(session, &secrets).ok_or_else(lost)?;
        Ok(Ok(Sealed::new(below.into_tcp(), channel, early)))
    }
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
        config.enable_secret_extraction = true;
        Ok(Self {
            config: Arc::new(config),
            records: Records::Own,
        })
    }

    /// The same, with the records of silent connections left to whom `records` names.
    #[must_use]
    pub fn with_records(self, records: Records) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.enable_secret_extraction = records == Records::Own;
        Self {
            config: Arc::new(config),
            records,
        }
    }

    /// The handshake. The caller bounds its time.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Encrypted> {
        let (config, secrets) = match self.records {
            Records::Rustls => (Arc::clone(&self.config), None),
            Records::Own => {
                let secrets = Arc::new(TrafficSecrets::default());
                let mut config = ServerConfig::clone(&self.config);
                config.key_log = Arc::clone(&secrets) as Arc<dyn KeyLog>;
                (Arc::new(config), Some(secrets))
            }
        };
        let stream = TlsAcceptor::from(config).accept(Whole::new(stream)).await?;
        Ok(Encrypted { stream, secrets })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
