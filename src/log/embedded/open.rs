//! Opening a store and handing out its cores.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::{io, thread};

use redb::ReadableTable as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::log::error::LogError;
use crate::log::local::{DEPARTED_MS, Fanout, check_partitions};
use crate::log::store::{Durability, SharedLog, StoreInfo};
use crate::model::{MatchOp, Millis};

use super::codec::Fields;
use super::committer::{Committer, Health, PROGRESS_ROW, Progress};
use super::database::{Database, OpenDatabase};
use super::fault::Fault;
use super::handle::{EmbeddedCore, Shared};
use super::head::Heads;
use super::mirrors::Mirrors;
use super::options::EmbeddedOptions;
use super::reader::Readers;
use super::requests::{Reply, Request};
use super::schema::{SCHEMA, Tables};

const SCHEMA_ROW: &[u8] = b"schema";
const STORE_ROW: &[u8] = b"store";
const PARTITIONS_ROW: &[u8] = b"partitions";

/// A store on this machine's disk. Cheap to clone; every core takes its own handle with [`Self::core`].
///
/// It ends when it and all its handles are dropped; [`Self::close`] says when it has.
#[derive(Clone)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    watch_capacity: usize,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("info", &self.shared.info)
            .finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`LogError::WrongStore`]: another process has it open, it was made with another count of partitions or by a
    /// version this one does not know. [`LogError::Unavailable`]: the disk. [`LogError::Corrupt`]: its content.
    pub fn open(directory: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self, LogError> {
        let directory = directory.as_ref();
        let lock = lock_directory(directory)?;
        let path = directory.join("log.redb");
        let cache_bytes = options.cache_bytes;
        let open: OpenDatabase =
            Box::new(move || redb::Builder::new().set_cache_size(cache_bytes).create(&path));
        let store = Self::start(open, Some(lock), options)?;
        // The file's name must outlive a loss of power as surely as what is in it.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(disk)?;
        Ok(store)
    }

    /// Opens the store in a database of the caller's making: for tests that stand in for the disk.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(open: OpenDatabase, options: EmbeddedOptions) -> Result<Self, LogError> {
        Self::start(open, None, options)
    }

    fn start(open: OpenDatabase, lock: Option<File>, options: EmbeddedOptions) -> Result<Self, LogError> {
        check_partitions(options.partitions)?;
        let database = Arc::new(Database::open(open, lock)?);
        let now = Millis(options.clock.wall_ms());
        let (store_id, progress) = identify(&database, options.partitions)?;
        let mirrors = Arc::new(Mirrors::new(options.partitions));
        rebuild(&database, &mirrors, now)?;
        let (queue, requests) = mpsc::channel(options.queue.max(1));
        let fanout = Fanout::new(options.partitions);
        let committer = Committer {
            requests,
            database: Arc::clone(&database),
            mirrors: Arc::clone(&mirrors),
            fanout: fanout.clone(),
            clock: options.clock.clone(),
            partitions: options.partitions,
            heads: Heads::default(),
            progress,
            health: Health::default(),
        };
        let readers = Readers::start(options.readers, options.queue, &database).map_err(disk)?;
        thread::Builder::new()
            .name("log-committer".to_owned())
            .spawn(move || committer.run())
            .map_err(disk)?;
        let shared = Shared {
            info: StoreInfo {
                name: "embedded",
                durability: Durability::Machine,
                partitions: options.partitions,
                store_id,
                shared: false,
            },
            clock: options.clock,
            call_timeout: options.call_timeout,
            queue,
            readers,
            mirrors,
            fanout,
        };
        Ok(Self {
            shared: Arc::new(shared),
            watch_capacity: options.watch_capacity.max(1),
        })
    }

    /// The same store, whose cores may be this many watch events behind.
    #[must_use]
    pub fn with_watch_capacity(mut self, events: usize) -> Self {
        self.watch_capacity = events.max(1);
        self
    }

    /// One core's handle.
    #[must_use]
    pub fn core(&self) -> SharedLog {
        let subscriptions = self.shared.fanout.join(self.watch_capacity);
        Rc::new(EmbeddedCore::new(Arc::clone(&self.shared), subscriptions))
    }

    /// Commits what waits and closes the database; every later call on a handle is `Unavailable`.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]: it is closed already.
    pub async fn close(&self) -> Result<(), LogError> {
        let closed = || LogError::unavailable("the log store is closed");
        let (reply, answer) = Reply::new();
        self.shared
            .queue
            .send(Request::Stop(reply))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// One process per directory.
fn lock_directory(directory: &Path) -> Result<File, LogError> {
    fs::create_dir_all(directory).map_err(disk)?;
    let lock = File::create(directory.join("lock")).map_err(disk)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LogError::WrongStore {
            reason: format!("another process has {} open", directory.display()),
        }),
        Err(TryLockError::Error(error)) => Err(disk(error)),
    }
}

/// Who the store is, made at its first opening, and how far it has come.
fn identify(database: &Database, partitions: u16) -> Result<(Uuid, Progress), LogError> {
    let identity = read_or_write_identity(database, partitions)?;
    if identity.schema != SCHEMA {
        return Err(LogError::WrongStore {
            reason: format!("its tables are of version {}, expected {SCHEMA}", identity.schema),
        });
    }
    if identity.partitions != partitions {
        return Err(LogError::WrongStore {
            reason: format!(
                "it was made with {} partitions, configured are {partitions}",
                identity.partitions
            ),
        });
    }
    Ok((identity.store, identity.progress))
}

struct Identity {
    schema: u32,
    store: Uuid,
    partitions: u16,
    progress: Progress,
}

fn read_or_write_identity(database: &Database, partitions: u16) -> Result<Identity, Fault> {
    let transaction = database.begin_write()?;
    let identity = {
        let mut tables = Tables::open(&transaction)?;
        if tables.meta.get(SCHEMA_ROW)?.is_none() {
            let store = Uuid::new_v4();
            tables.meta.insert(SCHEMA_ROW, &SCHEMA.to_be_bytes()[..])?;
            tables.meta.insert(STORE_ROW, &store.as_bytes()[..])?;
            tables
                .meta
                .insert(PARTITIONS_ROW, &partitions.to_be_bytes()[..])?;
        }
        let row = |name: &[u8]| -> Result<Vec<u8>, Fault> {
            let row = tables.meta.get(name)?;
            Ok(row.map(|row| row.value().to_vec()).unwrap_or_default())
        };
        let progress = row(PROGRESS_ROW)?;
        Identity {
            schema: Fields(&row(SCHEMA_ROW)?).u32()?,
            store: Uuid::from_bytes(Fields(&row(STORE_ROW)?).array()?),
            partitions: Fields(&row(PARTITIONS_ROW)?).u16()?,
            progress: if progress.is_empty() {
                Progress::default()
            } else {
                Progress::decode(&progress)?
            },
        }
    };
    transaction.commit()?;
    Ok(identity)
}

/// What is answered from memory, as the disk has it.
fn rebuild(database: &Database, mirrors: &Mirrors, now: Millis) -> Result<(), Fault> {
    let transaction = database.begin_read()?;
    for row in super::schema::read(&transaction, "alive")?.iter()? {
        let (key, ttl) = row?;
        let log = Fields(key.value()).log()?;
        // Nobody could be heard from while the store was closed.
        let until = now.plus(Fields(ttl.value()).u64()?);
        mirrors.alive_of(log).set(log, until);
    }
    let mut tables = mirrors.tables();
    for row in super::schema::read(&transaction, "departed")?.iter()? {
        let (key, n) = row?;
        let mut key = Fields(key.value());
        let at = key.millis()?;
        if now.since(at) <= DEPARTED_MS {
            tables.restore_departed(key.tenant()?, key.log()?, Fields(n.value()).u64()?, at);
        }
    }
    for row in super::schema::read(&transaction, "matching")?.iter()? {
        let (key, op) = row?;
        let tenant = Fields(key.value()).tenant()?;
        let op: MatchOp = serde_json::from_slice(op.value())
            .map_err(|_| Fault::Damaged("a row of the matching tables cannot be read"))?;
        tables.write(tenant, op, now);
    }
    Ok(())
}

fn disk(error: io::Error) -> LogError {
    LogError::unavailable(error.to_string())
}
