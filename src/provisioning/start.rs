//! From settings to a running directory: store, keys, first snapshot, and the task that follows the store.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::task::AbortHandle;
use tracing::warn;

use super::directory::{Directory, DirectoryError};
use super::embedded::EmbeddedStore;
use super::postgres::PostgresStore;
use super::rotation::ensure_shared_keys;
use super::secret::MasterKeys;
use super::settings::{Backend, Settings};
use super::snapshot::{BuildError, Publisher, SealedError, SealedFile, Snapshot, Snapshots};
use super::store::{Store, StoreError};
use super::usual::Usual;
use crate::model::Millis;

/// Running provisioning. Dropping it stops following the store.
pub struct Provisioning {
    directory: Arc<Directory>,
    follower: AbortHandle,
}

/// Why provisioning cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store must not or cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's keys cannot be made or used.
    #[error(transparent)]
    Keys(#[from] DirectoryError),
    /// The store's keys and this node's master key do not fit.
    #[error(transparent)]
    Snapshot(#[from] BuildError),
    /// The store is away, and there is no sealed snapshot to start from.
    #[error("{store}, and no snapshot to start from: {sealed}")]
    NothingToStartFrom {
        /// What the store says.
        store: StoreError,
        /// What is wrong with the sealed snapshot.
        sealed: String,
    },
}

impl Provisioning {
    /// Opens the store and publishes the first snapshot; from the sealed one if the store is away. Spawns onto the
    /// current runtime, which must outlive the value.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub async fn start(settings: Settings, now: Millis) -> Result<Self, StartError> {
        let store: Arc<dyn Store> = match settings.backend {
            Backend::Embedded(path) => Arc::new(EmbeddedStore::open(&path)?),
            Backend::Postgres(settings) => Arc::new(PostgresStore::connect(settings)?),
        };
        Self::start_with(
            store,
            settings.masters,
            settings.sealed_snapshot,
            settings.usual,
            now,
        )
        .await
    }

    /// The same on a store that is open, with the usual settings of a node.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub async fn start_on(
        store: Arc<dyn Store>,
        masters: MasterKeys,
        sealed_snapshot: Option<PathBuf>,
        now: Millis,
    ) -> Result<Self, StartError> {
        Self::start_with(store, masters, sealed_snapshot, Usual::default(), now).await
    }

    async fn start_with(
        store: Arc<dyn Store>,
        masters: MasterKeys,
        sealed_snapshot: Option<PathBuf>,
        usual: Usual,
        now: Millis,
    ) -> Result<Self, StartError> {
        let masters = Arc::new(masters);
        let sealed = sealed_snapshot.map(SealedFile::new);
        let first = match first_from_store(store.as_ref(), &masters, sealed.as_ref(), now).await {
            Ok(snapshot) => snapshot,
            Err(StartError::Store(error)) if error.is_retryable() => {
                first_from_disk(&masters, sealed.as_ref(), error)?
            }
            Err(error) => return Err(error),
        };
        let publisher = Arc::new(Publisher::new(
            Arc::clone(&store),
            Arc::clone(&masters),
            sealed,
            first.with(usual),
        ));
        let follower = tokio::spawn(Arc::clone(&publisher).follow()).abort_handle();
        Ok(Provisioning {
            directory: Arc::new(Directory {
                store,
                masters,
                publisher,
            }),
            follower,
        })
    }

    /// Prepares the store for this release, whatever the settings say of migrating at start. Gives how many migrations
    /// were applied.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Schema`].
    pub async fn migrate(settings: Settings) -> Result<usize, StoreError> {
        match settings.backend {
            Backend::Embedded(path) => EmbeddedStore::open(&path).map(|_| 0),
            Backend::Postgres(settings) => PostgresStore::migrate(&settings).await,
        }
    }

    /// The way in for administrators.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The handle each core reads from.
    pub fn snapshots(&self) -> &Snapshots {
        self.directory.snapshots()
    }
}

impl Drop for Provisioning {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

async fn first_from_store(
    store: &dyn Store,
    masters: &MasterKeys,
    sealed: Option<&SealedFile>,
    now: Millis,
) -> Result<Snapshot, StartError> {
    store.prepare().await?;
    let image = match ensure_shared_keys(store, masters, now).await {
        Ok(image) => image,
        Err(DirectoryError::Unavailable(error)) => return Err(error.into()),
        Err(error) => return Err(error.into()),
    };
    let snapshot = Snapshot::build(masters, image.clone())?;
    if let Some(Err(error)) = sealed.map(|file| file.write(masters, &image)) {
        warn!(%error, "the snapshot is not kept on disk");
    }
    Ok(snapshot)
}

fn first_from_disk(
    masters: &MasterKeys,
    sealed: Option<&SealedFile>,
    store: StoreError,
) -> Result<Snapshot, StartError> {
    let nothing = |store, sealed: String| StartError::NothingToStartFrom { store, sealed };
    let Some(file) = sealed else {
        return Err(nothing(store, "none is kept".to_owned()));
    };
    match file.read(masters) {
        Ok(Some(image)) => {
            warn!(error = %store, version = image.version, "starting from the sealed snapshot");
            Ok(Snapshot::build(masters, image)?)
        }
        Ok(None) => Err(nothing(store, "none was ever written".to_owned())),
        Err(error @ (SealedError::File { .. } | SealedError::Unopenable(_) | SealedError::Unreadable(_))) => {
            Err(nothing(store, error.to_string()))
        }
    }
}
