//! The server-side functions: one library, the same text on every master.
//!
//! The name carries the version and every function's name begins with it, so that two versions live side by side while a cluster
//! of nodes is upgraded. A name never stands for two texts: a server that has another text under our name is refused.

use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::types::config::{Options, Server};
use fred::types::{ClusterHash, CustomCommand, Value};

use crate::log::error::LogError;

/// The name of the library; every function's name begins with it and `_`.
pub(super) const NAME: &str = "nexus_3";

const SOURCE: &str = concat!(
    "#!lua name=nexus_3\n",
    include_str!("lua/frame.lua"),
    include_str!("lua/append.lua"),
    include_str!("lua/read.lua"),
    include_str!("lua/effects.lua"),
    include_str!("lua/dead.lua"),
    include_str!("lua/outbound.lua"),
    include_str!("lua/matching.lua"),
    include_str!("lua/nodes.lua"),
    include_str!("lua/fence.lua"),
);

/// What to do where the library is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Refuse.
    Verify,
    /// Load it where it is missing.
    Load,
    /// Also put ours where another text stands under its name.
    Replace,
}

/// Makes sure of the library on every master.
pub(super) async fn ensure(client: &Client, policy: Policy) -> Result<(), LogError> {
    for server in client.active_connections() {
        let found = found(client, &server).await?;
        match found.as_deref() {
            Some(SOURCE) => {}
            None if policy == Policy::Verify => {
                return Err(wrong(format!(
                    "{server} lacks the functions {NAME}; run `nexus migrate`"
                )));
            }
            Some(_) if policy != Policy::Replace => {
                return Err(wrong(format!("{server} has another text under the name {NAME}")));
            }
            _ => load(client, &server).await?,
        }
    }
    Ok(())
}

async fn found(client: &Client, server: &Server) -> Result<Option<String>, LogError> {
    let listed: Vec<Value> = on(client, server, &["LIST", "LIBRARYNAME", NAME, "WITHCODE"]).await?;
    let Some(library) = listed.into_iter().next() else {
        return Ok(None);
    };
    // A map in RESP3, a flat list before it; either way names and values alternate.
    let flat = match library {
        Value::Map(map) => map
            .inner()
            .into_iter()
            .flat_map(|(name, value)| [name.into(), value])
            .collect(),
        Value::Array(flat) => flat,
        _ => Vec::new(),
    };
    let code = flat
        .chunks_exact(2)
        .find(|pair| pair[0].as_str().as_deref() == Some("library_code"))
        .and_then(|pair| pair[1].as_string());
    Ok(code)
}

async fn load(client: &Client, server: &Server) -> Result<(), LogError> {
    let name: String = on(client, server, &["LOAD", "REPLACE", SOURCE]).await?;
    tracing::info!(%server, library = %name, "loaded the redis functions");
    Ok(())
}

async fn on<T>(client: &Client, server: &Server, arguments: &[&str]) -> Result<T, LogError>
where
    T: fred::types::FromValue,
{
    let options = Options {
        cluster_node: client.is_clustered().then(|| server.clone()),
        ..Options::default()
    };
    let command = CustomCommand::new_static("FUNCTION", ClusterHash::Random, false);
    let arguments: Vec<Value> = arguments.iter().map(|argument| Value::from(*argument)).collect();
    client
        .with_options(&options)
        .custom(command, arguments)
        .await
        .map_err(|error| LogError::unavailable(format!("FUNCTION on {server}: {error}")))
}

fn wrong(reason: String) -> LogError {
    LogError::WrongStore { reason }
}
