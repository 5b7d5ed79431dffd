//! The master key: wraps every other key and the snapshot on disk.
//!
//! It lives outside the stores, in a file or in configuration: one key a line, 32 bytes in base64, the first the current
//! one and the others readable. To rotate online: add the new key as second line on every node, then make it the
//! first on every node, then wrap anew ([`crate::provisioning::Directory::rewrap_keys`]), then remove the old line.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use thiserror::Error;
use zeroize::Zeroizing;

use super::cipher::{Cipher, Unopenable};

/// The current master key and those that are still readable.
pub struct MasterKeys {
    /// Never empty; the first is current.
    keys: Vec<MasterKey>,
}

struct MasterKey {
    id: [u8; 4],
    wrapping: Cipher,
    files: Cipher,
}

/// Why there is no master key.
#[derive(Debug, Error)]
pub enum MasterKeyError {
    /// The text is not one or more keys.
    #[error("a master key is 32 bytes in base64, one key a line, the current one first")]
    Malformed,
    /// The file cannot be read or made.
    #[error("master key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("master key file {0} is readable by others: make its mode 0600")]
    TooOpen(PathBuf),
}

/// Layout of wrapped values: this byte, the master key's id, nonce, ciphertext, tag.
const FORMAT: u8 = 1;
const HEADER: usize = 5;

impl MasterKeys {
    /// Reads keys from text: lines, or separated by commas.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`].
    pub fn from_text(text: &str) -> Result<Self, MasterKeyError> {
        let keys = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let bytes = STANDARD.decode(line).or_else(|_| URL_SAFE_NO_PAD.decode(line));
                let bytes = Zeroizing::new(bytes.map_err(|_| MasterKeyError::Malformed)?);
                let bytes: &[u8; 32] = bytes
                    .as_slice()
                    .try_into()
                    .map_err(|_| MasterKeyError::Malformed)?;
                MasterKey::new(bytes).map_err(|_| MasterKeyError::Malformed)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            Err(MasterKeyError::Malformed)
        } else {
            Ok(MasterKeys { keys })
        }
    }

    /// Reads the key file, which only its owner may read.
    ///
    /// # Errors
    /// Any [`MasterKeyError`].
    pub fn read(path: &Path) -> Result<Self, MasterKeyError> {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |source| MasterKeyError::File {
            path: path.to_owned(),
            source,
        };
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::TooOpen(path.to_owned()));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        Self::from_text(&text)
    }

    /// Reads the key file, and makes one with a random key where there is none. For the embedded store, whose data
    /// and key share a directory; a cluster is given its key.
    ///
    /// # Errors
    /// Any [`MasterKeyError`].
    pub fn read_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = |source| MasterKeyError::File {
            path: path.to_owned(),
            source,
        };
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut file) => {
                let mut key = Zeroizing::new([0u8; 32]);
                aws_lc_rs::rand::fill(key.as_mut_slice())
                    .map_err(|_| failed(io::Error::other("no random bytes")))?;
                let line = Zeroizing::new(format!("{}\n", STANDARD.encode(*key)));
                file.write_all(line.as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(failed)?;
                Self::from_text(&line)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(failed(error)),
        }
    }

    /// Wraps under the current key.
    pub(in crate::provisioning) fn wrap(&self, bound_to: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let key = self.current()?;
        key.wrapping.seal(&header(key.id), bound_to, plain)
    }

    /// Unwraps, whichever of the readable keys wrapped it.
    pub(in crate::provisioning) fn unwrap(
        &self,
        bound_to: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unopenable> {
        let (key, body) = self.key_of(wrapped)?;
        key.wrapping.open(bound_to, body)
    }

    /// Whether the current key wrapped it.
    pub(in crate::provisioning) fn is_current(&self, wrapped: &[u8]) -> bool {
        self.current()
            .is_ok_and(|key| wrapped.starts_with(&header(key.id)))
    }

    /// Seals a file of this node.
    pub(in crate::provisioning) fn seal_file(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let key = self.current()?;
        key.files.seal(&header(key.id), name.as_bytes(), plain)
    }

    /// Opens a file of this node.
    pub(in crate::provisioning) fn open_file(
        &self,
        name: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unopenable> {
        let (key, body) = self.key_of(sealed)?;
        key.files.open(name.as_bytes(), body)
    }

    fn current(&self) -> Result<&MasterKey, Unopenable> {
        self.keys.first().ok_or(Unopenable)
    }

    fn key_of<'a>(&self, wrapped: &'a [u8]) -> Result<(&MasterKey, &'a [u8]), Unopenable> {
        let (head, body) = wrapped.split_at_checked(HEADER).ok_or(Unopenable)?;
        let key = self
            .keys
            .iter()
            .find(|key| head == header(key.id))
            .ok_or(Unopenable)?;
        Ok((key, body))
    }
}

fn header(id: [u8; 4]) -> [u8; HEADER] {
    let [a, b, c, d] = id;
    [FORMAT, a, b, c, d]
}

impl MasterKey {
    fn new(bytes: &[u8; 32]) -> Result<Self, Unopenable> {
        let derive = |label: &str| -> Result<Zeroizing<[u8; 32]>, Unopenable> {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), label.as_bytes());
            tag.as_ref()
                .try_into()
                .map(Zeroizing::new)
                .map_err(|_| Unopenable)
        };
        let name = derive("nexus master key id")?;
        Ok(MasterKey {
            id: [name[0], name[1], name[2], name[3]],
            wrapping: Cipher::new(&*derive("nexus wrapping")?)?,
            files: Cipher::new(&*derive("nexus node files")?)?,
        })
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.keys.first().map_or(0, |key| u32::from_be_bytes(key.id));
        write!(f, "MasterKeys({} keys, current {id:08x})", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn both_keys_read_while_the_first_writes() {
        let old = MasterKeys::from_text(&line(1)).unwrap();
        let both = MasterKeys::from_text(&format!("{}\n{}\n", line(2), line(1))).unwrap();
        let new = MasterKeys::from_text(&line(2)).unwrap();
        let by_old = old.wrap(b"place", b"key").unwrap();
        assert_eq!(both.unwrap(b"place", &by_old).unwrap().as_slice(), b"key");
        assert!(!both.is_current(&by_old));
        let by_both = both.wrap(b"place", b"key").unwrap();
        assert_eq!(new.unwrap(b"place", &by_both).unwrap().as_slice(), b"key");
        assert_eq!(new.unwrap(b"place", &by_old), Err(Unopenable));
    }

    #[test]
    fn a_made_key_file_is_private_and_read_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let made = MasterKeys::read_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let wrapped = made.wrap(b"", b"x").unwrap();
        assert!(
            MasterKeys::read_or_create(&path)
                .unwrap()
                .unwrap(b"", &wrapped)
                .is_ok()
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(MasterKeys::read(&path), Err(MasterKeyError::TooOpen(_))));
    }

    #[test]
    fn short_and_empty_keys_are_refused() {
        for text in ["", "# only a comment", "AAAA", "not base64 at all"] {
            assert!(
                matches!(MasterKeys::from_text(text), Err(MasterKeyError::Malformed)),
                "{text}"
            );
        }
    }
}
