//! The spool of a node, shared by its cores: who has something in it, and whether the log is away.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, mem};

use tokio::sync::{Notify, Semaphore};

use super::disk::{Disk, NotWritten, Segment};
use super::entry::{self, Entry};
use crate::telemetry::names;

/// Callbacks that may wait for the disk at once.
const WAITING: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct Spool {
    disk: Arc<Mutex<Disk>>,
    /// Entries that are not fed yet.
    held: AtomicUsize,
    /// How many of them are of each customer.
    peers: Mutex<HashMap<String, usize>>,
    away: AtomicBool,
    waiting: Semaphore,
    kept: Notify,
}

/// Why a callback is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the spool takes nothing")]
pub struct NotSpooled;

impl Spool {
    /// Uses a directory that outlives the process, for at most `most` bytes.
    ///
    /// # Errors
    /// It cannot be used, or another process does.
    pub fn open(directory: &Path, most: u64) -> io::Result<Arc<Self>> {
        let (disk, held) = Disk::open(directory, most)?;
        let spool = Self {
            disk: Arc::new(Mutex::new(disk)),
            held: AtomicUsize::new(0),
            peers: Mutex::default(),
            away: AtomicBool::new(!held.is_empty()),
            waiting: Semaphore::new(WAITING),
            kept: Notify::new(),
        };
        for entry in &held {
            spool.add(entry);
        }
        if !held.is_empty() {
            tracing::info!(entries = held.len(), "callbacks wait in the spool");
        }
        Ok(Arc::new(spool))
    }

    /// Whether what comes from these customers must wait: the log is away, or something of theirs lies before it.
    #[must_use]
    pub fn is_before(&self, peers: &[String]) -> bool {
        if self.away.load(Ordering::Relaxed) {
            return true;
        }
        self.held.load(Ordering::Acquire) > 0 && {
            let known = lock(&self.peers);
            peers.iter().any(|peer| known.contains_key(peer))
        }
    }

    /// Keeps a callback; it is on the disk when this resolves.
    ///
    /// # Errors
    /// It is too large, there is no room, or the disk does not take it.
    pub async fn keep(&self, entry: &Entry) -> Result<(), NotSpooled> {
        let counted = |outcome| metrics::counter!(names::SPOOLED, "outcome" => outcome).increment(1);
        let _permit = self.waiting.try_acquire().map_err(|_| {
            counted("full");
            NotSpooled
        })?;
        let frame = entry::frame(entry).ok_or(NotSpooled)?;
        // Before it is there, so that whatever comes next from this customer waits for it.
        self.add(entry);
        let disk = Arc::clone(&self.disk);
        let written = tokio::task::spawn_blocking(move || lock(&disk).append(&frame)).await;
        let error = match written {
            Ok(Ok(())) => {
                counted("kept");
                self.away.store(true, Ordering::Relaxed);
                self.kept.notify_one();
                return Ok(());
            }
            Ok(Err(NotWritten::Full)) => {
                counted("full");
                None
            }
            Ok(Err(NotWritten::Failed(error))) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        self.take_off(entry);
        if let Some(error) = error {
            counted("failed");
            tracing::error!(error, "the spool's disk");
        }
        Err(NotSpooled)
    }

    /// Resolves when something may be there to be fed.
    pub(super) async fn something(&self) {
        if self.held.load(Ordering::Acquire) == 0 {
            self.kept.notified().await;
        }
    }

    /// The oldest file.
    pub(super) async fn oldest(&self) -> io::Result<Option<Segment>> {
        self.blocking(Disk::oldest).await
    }

    /// A file is fed.
    pub(super) async fn finished(&self, mut segment: Segment) -> io::Result<()> {
        let entries = mem::take(&mut segment.entries);
        self.blocking(move |disk| disk.remove(&segment)).await?;
        for entry in &entries {
            self.take_off(entry);
        }
        Ok(())
    }

    /// Nobody can take an entry any more.
    pub(super) async fn set_aside(&self, entry: Entry) -> io::Result<()> {
        metrics::counter!(names::SPOOLED, "outcome" => "set-aside").increment(1);
        self.blocking(move |disk| disk.set_aside(&entry)).await
    }

    /// The log took something, or did not.
    pub(super) fn is_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Disk) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let disk = Arc::clone(&self.disk);
        tokio::task::spawn_blocking(move || work(&mut lock(&disk)))
            .await
            .map_err(io::Error::other)?
    }

    fn add(&self, entry: &Entry) {
        let mut peers = lock(&self.peers);
        for peer in &entry.peers {
            *peers.entry(peer.clone()).or_default() += 1;
        }
        self.held.fetch_add(1, Ordering::AcqRel);
        metrics::gauge!(names::SPOOL_HELD).increment(1);
    }

    fn take_off(&self, entry: &Entry) {
        let mut peers = lock(&self.peers);
        for peer in &entry.peers {
            if let Some(count) = peers.get_mut(peer) {
                *count -= 1;
                if *count == 0 {
                    peers.remove(peer);
                }
            }
        }
        self.held.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!(names::SPOOL_HELD).decrement(1);
    }
}

/// What a panic left behind is whole: every change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
