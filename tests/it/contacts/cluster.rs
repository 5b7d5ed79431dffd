//! Redis and PostgreSQL, and what a node is told to use them.

use tempfile::TempDir;

use crate::support::postgres::Postgres;
use crate::support::provisioned::master_key;
use crate::support::redis::RedisServer;

/// The stores of a cluster.
pub(super) struct Cluster {
    pub(super) postgres: Postgres,
    redis: RedisServer,
    master_key: String,
    data: TempDir,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let (postgres, redis) = (Postgres::start(), RedisServer::start());
        let data = tempfile::tempdir().unwrap();
        Self {
            postgres,
            redis,
            master_key: master_key(data.path()),
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
            self.master_key.clone(),
        ]
    }
}
