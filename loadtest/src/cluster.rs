//! Nodes that share a Redis, a PostgreSQL database, and the key that protects the others.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::server::ServerArgs;

/// The file of a key; it goes with the run.
pub struct Key(PathBuf);

impl Drop for Key {
    fn drop(&mut self) {
        // A key of a store that nobody uses any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a node of the cluster is told, and the key they share: it must be there for as long as nodes are started.
pub fn of(node: &ServerArgs, redis: &str, postgres: &str) -> Result<(ServerArgs, Key)> {
    let key = std::env::temp_dir().join(format!("nexus-load-key-{}", std::process::id()));
    std::fs::write(&key, STANDARD.encode([7; 32]))?;
    std::fs::set_permissions(&key, Permissions::from_mode(0o600))?;
    let mut node = node.clone();
    node.set.extend([
        "store.mode=redis".to_owned(),
        format!("store.redis.urls={redis}"),
        format!("postgres.url={postgres}"),
        format!("provisioning.master_key_file={}", key.display()),
    ]);
    Ok((node, Key(key)))
}
