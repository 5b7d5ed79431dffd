//! Redis and PostgreSQL, and what a node is told to use them.

use std::os::unix::fs::OpenOptionsExt as _;

use tempfile::TempDir;

use crate::support::postgres::Postgres;
use crate::support::redis::RedisServer;

/// The stores of a cluster.
pub(super) struct Cluster {
    pub(super) postgres: Postgres,
    redis: RedisServer,
    data: TempDir,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let (postgres, redis) = (Postgres::start(), RedisServer::start());
        let data = tempfile::tempdir().unwrap();
        let mut private = std::fs::OpenOptions::new();
        private.write(true).create(true).mode(0o600);
        let line = format!("{}=\n", "A".repeat(43));
        let mut file = private.open(data.path().join("master.key")).unwrap();
        std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
        Self {
            postgres,
            redis,
            data,
        }
    }

    /// The settings of one of its nodes.
    pub(super) fn node(&self, name: &str) -> Vec<String> {
        let data = self.data.path();
        vec![
            format!("store.data_dir={}", data.join(name).display()),
            "store.mode=redis".to_owned(),
            format!("store.redis.urls={}", self.redis.url()),
            format!("postgres.url={}", self.postgres.url()),
            format!(
                "provisioning.master_key_file={}",
                data.join("master.key").display()
            ),
        ]
    }
}
