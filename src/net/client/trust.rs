//! TLS as a client: whom we believe, and what we show of ourselves to whom.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::Outbound;
use crate::net::tls::{CertificateError, read_authorities};

use super::Guard;

/// The TLS side of the client, shared by all cores. Cheap to clone.
#[derive(Clone)]
pub struct Trust {
    public: Arc<ClientConfig>,
    operator: Arc<ClientConfig>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A private key that cannot be read or used.
    #[error("{path} holds no usable private key")]
    Key {
        /// Where.
        path: std::path::PathBuf,
    },
    /// An authority, or a certificate and its key that do not belong together.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// Believes the authorities of the system and those of the settings, verifies names and dates, speaks TLS 1.3 and
    /// 1.2, `h2` and `http/1.1`. Reads the disk.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn load(settings: &Outbound) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            tracing::warn!("this system names no authorities; only those of outbound.ca_file are believed");
        }
        if let Some(path) = &settings.ca_file {
            for authority in read_authorities(path)? {
                roots.add(authority)?;
            }
        }
        let public = verifying(&roots)?.with_no_client_auth();
        let operator = match (&settings.client_cert_file, &settings.client_key_file) {
            (Some(chain), Some(key)) => {
                let chain = read_authorities(chain)?;
                let key =
                    PrivateKeyDer::from_pem_file(key).map_err(|_| TrustError::Key { path: key.clone() })?;
                verifying(&roots)?.with_client_auth_cert(chain, key)?
            }
            _ => public.clone(),
        };
        Ok(Self {
            public: offering(public),
            operator: offering(operator),
        })
    }

    pub(super) fn for_guard(&self, guard: Guard) -> Arc<ClientConfig> {
        Arc::clone(match guard {
            Guard::Public => &self.public,
            Guard::Operator => &self.operator,
        })
    }
}

type Verifying = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn verifying(roots: &RootCertStore) -> Result<Verifying, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots.clone()))
}

fn offering(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}
