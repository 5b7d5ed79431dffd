//! Publishing: one writer swaps the snapshot, every core reads it with one atomic load.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use thiserror::Error;
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use super::build::BuildError;
use super::sealed::SealedFile;
use super::view::Snapshot;
use crate::provisioning::secret::MasterKeys;
use crate::provisioning::store::{Store, StoreError};

/// A handle to the newest snapshot. Cheap to clone; give one to each core.
#[derive(Clone)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

struct Shared {
    current: ArcSwap<Snapshot>,
    version: watch::Sender<u64>,
}

impl Snapshots {
    fn new(first: Snapshot) -> Self {
        let version = watch::Sender::new(first.version());
        Snapshots {
            shared: Arc::new(Shared {
                current: ArcSwap::from_pointee(first),
                version,
            }),
        }
    }

    /// The newest snapshot, for the length of one request. Holding the guard longer delays nobody but keeps memory.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.shared.current.load()
    }

    /// The newest snapshot, to be kept across awaits.
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.shared.current.load_full()
    }

    /// Changes with every new snapshot; for those who must act on one, such as closing what was revoked.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }
}

/// Reads the store and publishes what it finds.
pub(in crate::provisioning) struct Publisher {
    store: Arc<dyn Store>,
    masters: Arc<MasterKeys>,
    sealed: Option<SealedFile>,
    snapshots: Snapshots,
    /// One refresh at a time, so that an older image never overwrites a newer one.
    turn: Mutex<()>,
}

/// Why a refresh did not happen; the snapshot in use stays.
#[derive(Debug, Error)]
pub(in crate::provisioning) enum RefreshError {
    /// The store did not give an image.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its image gives no snapshot.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Between attempts to read a store that is away. The store itself notices its return; this only bounds the wait when
/// the read of the image is what failed.
const RETRY: Duration = Duration::from_secs(1);

impl Publisher {
    pub(in crate::provisioning) fn new(
        store: Arc<dyn Store>,
        masters: Arc<MasterKeys>,
        sealed: Option<SealedFile>,
        first: Snapshot,
    ) -> Self {
        Publisher {
            store,
            masters,
            sealed,
            snapshots: Snapshots::new(first),
            turn: Mutex::new(()),
        }
    }

    pub(in crate::provisioning) fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Makes sure the snapshot is at least as new as `version`.
    pub(in crate::provisioning) async fn refresh(&self, version: u64) -> Result<(), RefreshError> {
        let _turn = self.turn.lock().await;
        if self.snapshots.load().version() >= version {
            return Ok(());
        }
        let image = self.store.image().await?;
        if image.version <= self.snapshots.load().version() {
            return Ok(());
        }
        let sealed = self.sealed.clone().map(|file| (file, image.clone()));
        let usual = *self.snapshots.load().usual();
        let snapshot = Snapshot::build(&self.masters, image)?.with(usual);
        let version = snapshot.version();
        if !snapshot.unreadable().is_empty() {
            warn!(version, objects = ?snapshot.unreadable(), "provisioning objects of a newer release are ignored");
        }
        self.snapshots.shared.current.store(Arc::new(snapshot));
        self.snapshots.shared.version.send_replace(version);
        info!(version, "provisioning snapshot published");
        if let Some((file, image)) = sealed {
            let masters = Arc::clone(&self.masters);
            // The snapshot is in use whether or not it could be kept; the next one tries again.
            match tokio::task::spawn_blocking(move || file.write(&masters, &image)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "the snapshot is not kept on disk"),
                Err(error) => warn!(%error, "the snapshot is not kept on disk"),
            }
        }
        Ok(())
    }

    /// Follows the store for as long as it is polled.
    pub(in crate::provisioning) async fn follow(self: Arc<Self>) {
        let mut heard = self.store.watch();
        loop {
            let version = *heard.borrow_and_update();
            if let Err(error) = self.refresh(version).await {
                warn!(%error, "provisioning snapshot not refreshed");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            if heard.changed().await.is_err() {
                return;
            }
        }
    }
}
