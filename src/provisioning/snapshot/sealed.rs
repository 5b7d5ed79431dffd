//! The last snapshot on this node's disk, sealed, so that the node starts while the store is away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use thiserror::Error;

use crate::provisioning::row::Image;
use crate::provisioning::secret::{MasterKeys, Unopenable};

/// Where a node keeps its sealed image.
#[derive(Debug, Clone)]
pub(in crate::provisioning) struct SealedFile {
    path: PathBuf,
}

/// Why the sealed image is of no use.
#[derive(Debug, Error)]
pub(in crate::provisioning) enum SealedError {
    /// The file cannot be read or written.
    #[error("sealed snapshot {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not ours, was sealed under another master key, or has been changed.
    #[error("sealed snapshot: {0}")]
    Unopenable(#[from] Unopenable),
    /// It holds something else than an image.
    #[error("sealed snapshot is unreadable: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// What the seal is bound to.
const NAME: &str = "provisioning image 1";
/// More than any real installation; a wrong file must not exhaust memory.
const MAX_BYTES: u64 = 1 << 30;

impl SealedFile {
    pub(in crate::provisioning) fn new(path: PathBuf) -> Self {
        SealedFile { path }
    }

    /// Writes the image so that a crash leaves the old file or the new one. Blocks on the disk.
    pub(in crate::provisioning) fn write(
        &self,
        masters: &MasterKeys,
        image: &Image,
    ) -> Result<(), SealedError> {
        let sealed = masters.seal_file(NAME, &serde_json::to_vec(image)?)?;
        let draft = self.path.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&sealed)?;
            file.sync_all()?;
            fs::rename(&draft, &self.path)?;
            match self.path.parent() {
                Some(parent) => File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        };
        write().map_err(|source| self.failed(source))
    }

    /// Reads the image back; `None` where none was ever written. Blocks on the disk.
    pub(in crate::provisioning) fn read(&self, masters: &MasterKeys) -> Result<Option<Image>, SealedError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.failed(source)),
        };
        let mut sealed = Vec::new();
        file.take(MAX_BYTES)
            .read_to_end(&mut sealed)
            .map_err(|source| self.failed(source))?;
        let plain = masters.open_file(NAME, &sealed)?;
        Ok(Some(serde_json::from_slice(&plain)?))
    }

    fn failed(&self, source: io::Error) -> SealedError {
        SealedError::File {
            path: self.path.clone(),
            source,
        }
    }
}
