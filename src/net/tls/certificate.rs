//! The certificate that is shown, replaced while connections go on.
//!
//! A replacement is loaded and checked in full before it takes over; a broken one changes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::runtime::drain::{DrainToken, Phase};

/// Where a certificate chain and its key are, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The private key of the leaf.
    pub key: PathBuf,
}

/// Why a certificate was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} holds no usable {what}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Key and certificate do not belong together.
    #[error("key does not belong to the certificate: {0}")]
    Mismatch(rustls::Error),
}

/// The present certificate, and where its successor will come from.
#[derive(Debug)]
pub struct Certificates {
    files: CertificateFiles,
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<Stamp>,
}

/// When the two files were last changed, as far as the file system tells.
type Stamp = [Option<SystemTime>; 2];

impl Certificates {
    /// Loads the certificate of `files`. Reads the disk.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn load(files: CertificateFiles) -> Result<Self, CertificateError> {
        let stamp = files.stamp();
        let current = ArcSwap::from_pointee(files.read()?);
        Ok(Self {
            files,
            current,
            seen: Mutex::new(stamp),
        })
    }

    /// Loads the files again. On an error the present certificate stays. Reads the disk.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn reload(&self) -> Result<(), CertificateError> {
        let stamp = self.files.stamp();
        let loaded = self.files.read();
        // A broken pair is not tried again until it changes again.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        self.current.store(Arc::new(loaded?));
        Ok(())
    }

    /// Reloads if a file has changed since it was last read. To be called every few seconds. Returns whether
    /// there is a new certificate. Reads the disk.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn reload_if_changed(&self) -> Result<bool, CertificateError> {
        let changed = *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != self.files.stamp();
        if changed {
            self.reload()?;
        }
        Ok(changed)
    }

    /// Looks for a change every `every`, until the process stops. A broken certificate is logged and the
    /// present one stays.
    pub async fn watch(self: Arc<Self>, every: Duration, mut drain: DrainToken) {
        loop {
            tokio::select! {
                () = drain.reached(Phase::Flushing) => return,
                () = tokio::time::sleep(every) => {}
            }
            let looked = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || looked.reload_if_changed()).await {
                Ok(Ok(true)) => tracing::info!(chain = %self.files.chain.display(), "certificate reloaded"),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => tracing::error!(%error, "certificate not reloaded"),
            }
        }
    }

    /// The chain that is shown now, leaf first, DER.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.load().cert.clone()
    }
}

/// The certificates of the authorities in the PEM file at `path`; at least one. Reads the disk.
///
/// # Errors
/// [`CertificateError`].
pub fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    read_chain(path)
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|source| CertificateError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn unusable(path: &Path, what: &'static str) -> CertificateError {
    CertificateError::Unusable {
        path: path.to_owned(),
        what,
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<Vec<_>, _>>();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| unusable(path, "certificate"))
}

impl CertificateFiles {
    fn stamp(&self) -> Stamp {
        let changed = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
        [changed(&self.chain), changed(&self.key)]
    }

    fn read(&self) -> Result<CertifiedKey, CertificateError> {
        let chain = read_chain(&self.chain)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .ok()
            .and_then(|key| any_supported_type(&key).ok())
            .ok_or_else(|| unusable(&self.key, "private key"))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
            Err(error) => Err(CertificateError::Mismatch(error)),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::development_certificate;

    #[test]
    fn a_changed_file_is_taken_and_a_broken_one_is_not() {
        let here = tempfile::tempdir().unwrap();
        let there = tempfile::tempdir().unwrap();
        let files = development_certificate(here.path()).unwrap();
        let certificates = Certificates::load(files.clone()).unwrap();
        let first = certificates.chain();
        assert!(!certificates.reload_if_changed().unwrap());

        let touch = |path: &Path, second: u64| {
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
                .unwrap();
        };
        let other = development_certificate(there.path()).unwrap();
        std::fs::copy(&other.chain, &files.chain).unwrap();
        touch(&files.chain, 1);
        assert!(matches!(
            certificates.reload_if_changed(),
            Err(CertificateError::Mismatch(_))
        ));
        assert_eq!(certificates.chain(), first);

        std::fs::copy(&other.key, &files.key).unwrap();
        touch(&files.key, 2);
        assert!(certificates.reload_if_changed().unwrap());
        assert_ne!(certificates.chain(), first);

        std::fs::write(&files.key, "not a key").unwrap();
        touch(&files.key, 3);
        assert!(matches!(
            certificates.reload_if_changed(),
            Err(CertificateError::Unusable { .. })
        ));
        assert!(!certificates.reload_if_changed().unwrap());
    }

    #[test]
    fn a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            chain: dir.path().join("chain.pem"),
            key: dir.path().join("key.pem"),
        };
        let error = Certificates::load(files).unwrap_err();
        assert!(error.to_string().contains("chain.pem"), "{error}");
    }
}
