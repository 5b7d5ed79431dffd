//! The engine, which must be opened again after its storage failed.

use std::fs::File;
use std::sync::{Mutex, PoisonError, RwLock};

use redb::{Database as Engine, ReadTransaction, ReadableDatabase as _, WriteTransaction};

use super::fault::Fault;

/// Opens the engine, each time it has to be. Tests hand in one whose storage fails when they say so.
pub type OpenDatabase = Box<dyn Fn() -> Result<Engine, redb::DatabaseError> + Send + Sync>;

/// The engine while it is open.
pub(super) struct Database {
    current: RwLock<Option<Engine>>,
    open: OpenDatabase,
    /// Held as long as this lives, even while the engine is closed to be opened again.
    directory: Mutex<Option<File>>,
}

impl Database {
    pub(super) fn open(open: OpenDatabase, directory: Option<File>) -> Result<Self, Fault> {
        let engine = open()?;
        Ok(Self {
            current: RwLock::new(Some(engine)),
            open,
            directory: Mutex::new(directory),
        })
    }

    /// The committer's; there is never a second one.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction, Fault> {
        let mut transaction = self.with(|engine| Ok(engine.begin_write()?))?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, Fault> {
        self.with(|engine| Ok(engine.begin_read()?))
    }

    fn with<T>(&self, begin: impl FnOnce(&Engine) -> Result<T, Fault>) -> Result<T, Fault> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let engine = current
            .as_ref()
            .ok_or(Fault::Engine(redb::Error::DatabaseClosed))?;
        begin(engine)
    }

    /// Closes what is left of the engine and opens it anew. While it cannot be opened, every call fails.
    pub(super) fn reopen(&self) -> Result<(), Fault> {
        self.close();
        let engine = (self.open)()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
        Ok(())
    }

    /// For good: the directory is free for another store.
    pub(super) fn end(&self) {
        self.close();
        *self.directory.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads under way end with an error.
    fn close(&self) {
        let engine = self
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(engine) = engine
            && let Err(error) = engine.close()
        {
            tracing::warn!(%error, "the log database did not close cleanly");
        }
    }
}
