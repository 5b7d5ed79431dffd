//! What provisioning needs to know of its surroundings.

use std::path::{Path, PathBuf};

use super::secret::{MasterKeyError, MasterKeys};
use super::usual::Usual;
use crate::config;
use crate::postgres::PostgresSettings;

/// What provisioning needs to know of its surroundings.
pub struct Settings {
    /// Where the data is.
    pub backend: Backend,
    /// The keys that wrap all others.
    pub masters: MasterKeys,
    /// Where this node keeps its last snapshot, sealed; absent keeps none.
    pub sealed_snapshot: Option<PathBuf>,
    /// What holds where an object does not say.
    pub usual: Usual,
}

/// Which store.
pub enum Backend {
    /// A file of this node.
    Embedded(PathBuf),
    /// A database that nodes share.
    Postgres(PostgresSettings),
}

impl Settings {
    /// Settings as configured. Makes `data_dir` if it is not there, and in it the master key if none is configured.
    ///
    /// # Errors
    /// Any [`MasterKeyError`].
    pub fn from_config(
        postgres: &config::Postgres,
        provisioning: &config::Provisioning,
        data_dir: &Path,
    ) -> Result<Self, MasterKeyError> {
        let made = std::fs::create_dir_all(data_dir);
        made.map_err(|source| MasterKeyError::File {
            path: data_dir.to_owned(),
            source,
        })?;
        let masters = match (provisioning.master_key.expose(), &provisioning.master_key_file) {
            (Some(text), _) => MasterKeys::from_text(text)?,
            (None, Some(path)) => MasterKeys::read(path)?,
            (None, None) => MasterKeys::read_or_create(&data_dir.join("master.key"))?,
        };
        let backend = match PostgresSettings::from_config(postgres, provisioning.poll) {
            None => Backend::Embedded(data_dir.join("provisioning.redb")),
            Some(settings) => Backend::Postgres(settings),
        };
        let snapshot = provisioning.snapshot_file.clone();
        let sealed_snapshot = Some(snapshot.unwrap_or_else(|| data_dir.join("provisioning.snapshot")));
        Ok(Settings {
            backend,
            masters,
            sealed_snapshot,
            usual: Usual::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_configuration_is_embedded_with_a_key_made_in_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let made = || {
            let (postgres, own) = (config::Postgres::default(), config::Provisioning::default());
            Settings::from_config(&postgres, &own, &data).unwrap()
        };
        let settings = made();
        assert!(matches!(&settings.backend, Backend::Embedded(path) if path.starts_with(&data)));
        let wrapped = settings.masters.wrap(b"", b"x").unwrap();
        assert!(
            made().masters.unwrap(b"", &wrapped).is_ok(),
            "the same key at the next start"
        );
    }

    #[test]
    fn a_configured_key_file_that_is_missing_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let own = config::Provisioning {
            master_key_file: Some(dir.path().join("nowhere")),
            ..config::Provisioning::default()
        };
        let made = Settings::from_config(&config::Postgres::default(), &own, dir.path());
        assert!(matches!(made, Err(MasterKeyError::File { .. })));
    }
}
