//! `[store]` and `[store.redis]`: where the session log lives.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::choice;
use super::reader::{Reader, Section, section};
use super::secret::Secret;
use super::server_url::ServerUrl;
use super::size::ByteSize;

choice! {
    /// Which store.
    pub enum StoreMode {
        /// A database file of this node.
        Embedded = "embedded",
        /// Redis, shared by all nodes.
        Redis = "redis",
        /// Nothing is kept; demonstrations and benches.
        Memory = "memory",
    }
}

choice! {
    /// What an acknowledged message survives.
    pub enum Durability {
        /// Nothing.
        None = "none",
        /// `kill -9` of any process.
        Process = "process",
        /// Power loss of the machine that stores it.
        Machine = "machine",
    }
}

/// The session log.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// Which store.
    pub mode: StoreMode,
    /// Files of this node: embedded store, media, generated certificate, sealed snapshot.
    pub data_dir: PathBuf,
    /// How many partitions a new store has; an old one must agree.
    pub partitions: u16,
    /// Memory for pages of the database file of an embedded store.
    pub cache: ByteSize,
    /// The least an acknowledged message must survive; a store that cannot is refused.
    pub durability: Durability,
    /// `[store.redis]`.
    pub redis: Redis,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            mode: StoreMode::Embedded,
            data_dir: PathBuf::from("data"),
            partitions: 256,
            cache: ByteSize::mib(256),
            durability: Durability::Process,
            redis: Redis::default(),
        }
    }
}

impl Section for Store {
    fn read(section: &str, reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        Self {
            mode: reader.take(section, "mode", default.mode),
            data_dir: reader.take(section, "data_dir", default.data_dir),
            partitions: reader.take(section, "partitions", default.partitions),
            cache: reader.take(section, "cache", default.cache),
            durability: reader.take(section, "durability", default.durability),
            redis: Redis::read(&format!("{section}.redis"), reader),
        }
    }
}

section! {
    /// `[store.redis]`: connection 9.
    pub struct Redis {
        /// `redis://`, `rediss://` for TLS, `redis-cluster://`, `rediss-cluster://`. Several for the nodes of a cluster.
        pub urls: Vec<ServerUrl> = Vec::new(),
        /// The user, if not the default one.
        pub username: Option<String> = None,
        /// The password; from the environment only.
        pub password: Secret = Secret::none(),
        /// The file that holds the password.
        pub password_file: Option<PathBuf> = None,
        /// Authorities the server's certificate may come from, PEM; absent takes the system's.
        pub ca_file: Option<PathBuf> = None,
        /// Connections of each core.
        pub connections_per_core: usize = 1,
        /// A command not answered in this time is unknown in outcome.
        pub command_timeout: Duration = Duration::from_secs(3),
        /// A connection that is not there in this time is tried again.
        pub connect_timeout: Duration = Duration::from_secs(3),
        /// Whether `serve` may load the store's function; if not, `nexus migrate` does.
        pub load_function: bool = true,
    }
}
