//! From configuration to the stores: the session log, provisioning, and the keys that protect it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::config::{Config, Store, StoreMode};
use crate::log::archive::{EmbeddedArchive, PostgresArchive, SharedArchive};
use crate::log::embedded::{EmbeddedOptions, EmbeddedStore};
use crate::log::media::{DirectoryMedia, PostgresMedia, SharedMedia};
use crate::log::memory::MemoryStore;
use crate::log::redis::{RedisOptions, RedisStore, verifying};
use crate::log::{Durability, SharedLog};
use crate::model::Millis;
use crate::postgres::{Database, PostgresSettings};
use crate::provisioning::{Provisioning, Settings, Usual};
use crate::runtime::clock::Clock;

/// The session log of this process; each core takes a handle of its own.
#[derive(Clone)]
pub(super) enum LogStore {
    Memory(MemoryStore),
    Embedded(EmbeddedStore),
    Redis(Box<RedisOptions>),
}

impl LogStore {
    /// Opens what the configuration names; for Redis only reads the settings.
    pub(super) fn open(store: &Store, clock: &Clock) -> Result<Self> {
        let wanted: Durability = store.durability.word().parse()?;
        let opened = match store.mode {
            StoreMode::Memory => Self::Memory(MemoryStore::new(store.partitions, clock.clone())?),
            StoreMode::Embedded => {
                let options = EmbeddedOptions {
                    partitions: store.partitions,
                    clock: clock.clone(),
                    cache_bytes: store.cache.len(),
                    ..EmbeddedOptions::default()
                };
                std::fs::create_dir_all(&store.data_dir).with_context(|| at("make", &store.data_dir))?;
                let store = EmbeddedStore::open(&store.data_dir, options)
                    .with_context(|| at("open", &store.data_dir))?;
                Self::Embedded(store)
            }
            StoreMode::Redis => Self::Redis(Box::new(redis_options(store)?)),
        };
        if let Self::Memory(_) = opened
            && wanted > Durability::None
        {
            bail!("store.mode = \"memory\" keeps nothing; say so with store.durability = \"none\"");
        }
        Ok(opened)
    }

    /// Ends what only this process holds, once no core uses it any more: the next start finds a store that was closed.
    pub(super) async fn close(&self) {
        if let Self::Embedded(store) = self
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "the session log did not close cleanly");
        }
    }

    /// A handle for one core; made on its thread.
    pub(super) async fn core(&self, core: usize) -> Result<SharedLog> {
        Ok(match self {
            Self::Memory(store) => store.core(),
            Self::Embedded(store) => store.core(),
            Self::Redis(options) => RedisStore::connect((**options).clone(), core).await?,
        })
    }
}

/// Where what outlives the log is kept: in the database that nodes share, or on this node.
#[derive(Clone)]
pub(super) enum Keeping {
    Node(EmbeddedArchive),
    Cluster(Box<PostgresSettings>),
}

impl Keeping {
    /// Opens the file where the configuration names no database; for one only reads the settings.
    pub(super) fn open(config: &Config) -> Result<Self> {
        if let Some(settings) = PostgresSettings::from_config(&config.postgres, config.provisioning.poll) {
            return Ok(Self::Cluster(Box::new(settings)));
        }
        let directory = &config.store.data_dir;
        std::fs::create_dir_all(directory).with_context(|| at("make", directory))?;
        let file = directory.join("history.redb");
        // Who keeps no messages keeps no history of them.
        let file = (config.store.mode != StoreMode::Memory).then_some(file.as_path());
        let archive = EmbeddedArchive::open(file).with_context(|| at("open history.redb in", directory))?;
        Ok(Self::Node(archive))
    }

    /// Files and our own history as one core has them; made on its thread.
    pub(super) fn core(&self, config: &Config, writers: usize) -> Result<(SharedMedia, SharedArchive)> {
        let directory = &config.media.directory;
        match self {
            Self::Node(archive) => {
                let below = || config.store.data_dir.join("media");
                let files = files_in(&directory.clone().unwrap_or_else(below), writers)?;
                Ok((files, archive.core()))
            }
            Self::Cluster(settings) => {
                let database = Database::new(settings, config.postgres.per_core)?;
                let files: SharedMedia = match directory {
                    Some(directory) => files_in(directory, writers)?,
                    None => PostgresMedia::new(database.clone(), writers),
                };
                Ok((files, PostgresArchive::new(database)))
            }
        }
    }
}

fn files_in(directory: &Path, writers: usize) -> Result<SharedMedia> {
    Ok(DirectoryMedia::open(directory, writers).context("the media directory")?)
}

/// How Redis is reached.
pub(super) fn redis_options(store: &Store) -> Result<RedisOptions> {
    let redis = &store.redis;
    let urls: Vec<&str> = redis.urls.iter().map(crate::config::ServerUrl::as_str).collect();
    let mut options = RedisOptions::at(&urls.join(","))?;
    options.connections = redis.connections_per_core;
    if options.secure {
        options.tls = Some(verifying(redis.ca_file.as_deref())?);
    }
    options.partitions = store.partitions;
    options.durability = store.durability.word().parse()?;
    options.load_library = redis.load_function;
    options.command_timeout = redis.command_timeout;
    options.connect_timeout = redis.connect_timeout;
    if let Some(username) = &redis.username {
        options.username = Some(username.clone());
    }
    if let Some(password) = redis.password.expose() {
        options.password = Some(password.to_owned());
    }
    Ok(options)
}

/// Starts provisioning on the current runtime, which must outlive it.
pub(super) async fn provisioning(config: &Config, now: Millis) -> Result<Provisioning> {
    let settings = Settings {
        usual: Usual::from_config(&config.routing, &config.agent),
        ..Settings::from_config(&config.postgres, &config.provisioning, &config.store.data_dir)?
    };
    Ok(Provisioning::start(settings, now).await?)
}

fn at(what: &str, path: &Path) -> String {
    format!("{what} {}", path.display())
}
