//! How the server's certificate is judged.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Why no authority can be named.
#[derive(Debug, thiserror::Error)]
pub enum BadAuthorities {
    /// The file cannot be read, or holds no certificate.
    #[error("authorities for redis in {path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system has none.
    #[error("this system names no authorities")]
    NoneOfSystem,
    /// The library refused.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// What verifies a server by the authorities in `ca_file` (PEM), or by those of the system.
///
/// # Errors
/// [`BadAuthorities`].
pub fn verifying(ca_file: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, BadAuthorities> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(BadAuthorities::NoneOfSystem);
            }
        }
        Some(path) => {
            let refused = |reason: String| BadAuthorities::File {
                path: path.display().to_string(),
                reason,
            };
            let found = CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
            for certificate in found {
                roots.add(certificate.map_err(|error| refused(error.to_string()))?)?;
            }
            if roots.is_empty() {
                return Err(refused("none found".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
