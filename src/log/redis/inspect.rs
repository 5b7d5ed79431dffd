//! What a Redis really does, looked at once at start and said in one line.

use std::collections::HashMap;

use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::types::config::{Options, Server};
use fred::types::{ClusterHash, CustomCommand, FromValue, Value};

use crate::log::error::LogError;
use crate::log::store::Durability;

/// A stream of one record takes 4.5 kB at the default of 4096.
const NODE_BYTES_ADVISED: u64 = 1_024;

/// What one master says of itself. `None`: it may not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    server: String,
    version: String,
    eviction: Option<String>,
    append_only: Option<bool>,
    fsync: Option<String>,
    node_bytes: Option<u64>,
}

/// Looks at every master, says what it found, and returns the least that an acknowledged append survives.
pub(super) async fn inspect(client: &Client, wanted: Durability) -> Result<Durability, LogError> {
    let mut least = Durability::Machine;
    for server in client.active_connections() {
        let facts = facts(client, &server).await?;
        let given = judge(&facts, wanted)?;
        tracing::info!(
            server = facts.server,
            version = facts.version,
            maxmemory_policy = facts.eviction,
            appendonly = facts.append_only,
            appendfsync = facts.fsync,
            stream_node_max_bytes = facts.node_bytes,
            durability = %given,
            advice = advice(&facts),
            "redis"
        );
        least = least.min(given);
    }
    Ok(least)
}

fn judge(facts: &Facts, wanted: Durability) -> Result<Durability, LogError> {
    let refuse = |why: String| {
        Err(LogError::WrongStore {
            reason: format!("{}: {why}", facts.server),
        })
    };
    let major = facts
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.unwrap_or(0_u32) < 7 {
        return refuse(format!("redis {} is older than 7.0", facts.version));
    }
    if let Some(policy) = &facts.eviction
        && policy != "noeviction"
    {
        return refuse(format!("maxmemory-policy is {policy}, must be noeviction"));
    }
    let given = match (facts.append_only, facts.fsync.as_deref()) {
        (Some(false), _) => Durability::None,
        (Some(true), Some("always")) => Durability::Machine,
        (Some(true), Some(_)) => Durability::Process,
        // Where the server may not be asked, what the operator declares is believed.
        (_, _) => wanted,
    };
    if given < wanted {
        return refuse(format!(
            "durability {wanted} is configured, but appendonly {} with appendfsync {} gives {given}",
            if facts.append_only == Some(true) {
                "yes"
            } else {
                "no"
            },
            facts.fsync.as_deref().unwrap_or("unknown"),
        ));
    }
    Ok(given)
}

fn advice(facts: &Facts) -> Option<&'static str> {
    facts
        .node_bytes
        .is_some_and(|bytes| bytes == 0 || bytes > NODE_BYTES_ADVISED)
        .then_some("set stream-node-max-bytes 1024: short sessions then take a third of the memory")
}

async fn facts(client: &Client, server: &Server) -> Result<Facts, LogError> {
    let info: String = on(client, server, "INFO", &[])
        .await
        .map_err(|error| LogError::unavailable(format!("INFO on {server}: {error}")))?;
    let info: HashMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    Ok(Facts {
        server: server.to_string(),
        version: (*info.get("redis_version").unwrap_or(&"unknown")).to_owned(),
        eviction: info.get("maxmemory_policy").map(|policy| (*policy).to_owned()),
        append_only: info.get("aof_enabled").map(|enabled| *enabled == "1"),
        fsync: setting(client, server, "appendfsync").await,
        node_bytes: setting(client, server, "stream-node-max-bytes")
            .await
            .and_then(|bytes| bytes.parse().ok()),
    })
}

async fn setting(client: &Client, server: &Server, name: &str) -> Option<String> {
    let found: Result<HashMap<String, String>, _> = on(client, server, "CONFIG", &["GET", name]).await;
    found.ok()?.remove(name)
}

async fn on<T: FromValue>(
    client: &Client,
    server: &Server,
    command: &'static str,
    arguments: &[&str],
) -> Result<T, fred::error::Error> {
    let options = Options {
        cluster_node: client.is_clustered().then(|| server.clone()),
        ..Options::default()
    };
    let command = CustomCommand::new_static(command, ClusterHash::Random, false);
    let arguments: Vec<Value> = arguments.iter().map(|argument| Value::from(*argument)).collect();
    client.with_options(&options).custom(command, arguments).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            server: "r:1".to_owned(),
            version: "7.0.15".to_owned(),
            eviction: Some("noeviction".to_owned()),
            append_only: Some(true),
            fsync: Some("everysec".to_owned()),
            node_bytes: Some(4_096),
        }
    }

    #[test]
    fn the_append_only_file_decides_what_is_survived() {
        assert_eq!(judge(&facts(), Durability::None), Ok(Durability::Process));
        let always = Facts {
            fsync: Some("always".to_owned()),
            ..facts()
        };
        assert_eq!(judge(&always, Durability::Machine), Ok(Durability::Machine));
        let off = Facts {
            append_only: Some(false),
            ..facts()
        };
        assert_eq!(judge(&off, Durability::None), Ok(Durability::None));
    }

    #[test]
    fn a_durability_that_is_not_given_is_refused() {
        assert!(judge(&facts(), Durability::Machine).is_err());
        let off = Facts {
            append_only: Some(false),
            ..facts()
        };
        assert!(judge(&off, Durability::Process).is_err());
    }

    #[test]
    fn a_server_that_evicts_or_is_too_old_is_refused() {
        let evicts = Facts {
            eviction: Some("allkeys-lru".to_owned()),
            ..facts()
        };
        let old = Facts {
            version: "6.2.7".to_owned(),
            ..facts()
        };
        assert!(judge(&evicts, Durability::None).is_err());
        assert!(judge(&old, Durability::None).is_err());
    }

    #[test]
    fn a_server_that_may_not_be_asked_is_believed() {
        let barred = Facts {
            fsync: None,
            ..facts()
        };
        assert_eq!(judge(&barred, Durability::Machine), Ok(Durability::Machine));
    }
}
