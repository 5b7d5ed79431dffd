//! Clients as they must be: every wait bounded, no command sent again unasked, started again when they give up.

use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike as _;
use fred::socket2::TcpKeepalive;
use fred::types::config::{
    ClusterDiscoveryPolicy, Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, Server,
    ServerConfig, TcpConfig, TlsConfig, TlsConnector, UnresponsiveConfig,
};
use fred::types::{Builder, ConnectHandle, RespVersion};

use crate::log::error::LogError;

use super::options::RedisOptions;

/// Before a client that gave up is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Least and most wait before an attempt to connect, in milliseconds.
const RECONNECT_DELAY_MS: (u32, u32) = (20, 1_000);

/// A connected client with time-outs and bounds as they must be; `attempts` is how often it may send one command.
pub(super) async fn connect(options: &RedisOptions, attempts: u32) -> Result<Client, LogError> {
    if options.secure && options.tls.is_none() {
        // Never in clear what was asked for over TLS.
        return Err(LogError::OutOfBounds {
            reason: "redis over TLS needs authorities".to_owned(),
        });
    }
    let mut config = Config {
        server: server(options)?,
        version: RespVersion::RESP3,
        username: options.username.clone(),
        password: options.password.clone(),
        fail_fast: true,
        ..Config::default()
    };
    config.tls = options.tls.clone().map(|tls| {
        let connector = rustls::ClientConfig::clone(&tls);
        TlsConfig::from(TlsConnector::from(connector))
    });
    let (least, most) = RECONNECT_DELAY_MS;
    let mut policy = ReconnectPolicy::new_exponential(0, least, most, 2);
    policy.set_jitter(least);
    let client = Builder::from_config(config)
        .with_performance_config(|performance| *performance = performance_of(options))
        .with_connection_config(|connection| *connection = connection_of(options, attempts))
        .set_policy(policy)
        .build()
        .map_err(|error| cannot_connect(&error))?;
    let router = client.init().await.map_err(|error| cannot_connect(&error))?;
    tokio::spawn(supervise(client.clone(), router));
    Ok(client)
}

/// Starts the client's task again when it gives up, until the client is closed.
async fn supervise(client: Client, mut router: ConnectHandle) {
    while let Ok(Err(error)) = router.await
        && !error.is_canceled()
    {
        tracing::warn!(%error, "the redis client gave up; starting it again");
        tokio::time::sleep(RESTART_PAUSE).await;
        router = client.connect();
    }
}

/// Ends a client's connections and tasks, if there is still a runtime that can.
pub(super) fn close(client: &Client) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let client = client.clone();
        runtime.spawn(async move { client.quit().await });
    }
}

fn server(options: &RedisOptions) -> Result<ServerConfig, LogError> {
    let hosts: Vec<Server> = options
        .nodes
        .iter()
        .map(|(host, port)| Server::new(host.as_str(), *port))
        .collect();
    if options.cluster {
        return Ok(ServerConfig::Clustered {
            hosts,
            policy: ClusterDiscoveryPolicy::UseCache,
        });
    }
    let server = hosts.into_iter().next().ok_or_else(|| LogError::OutOfBounds {
        reason: "no redis node is named".to_owned(),
    })?;
    Ok(ServerConfig::Centralized { server })
}

fn performance_of(options: &RedisOptions) -> PerformanceConfig {
    PerformanceConfig {
        default_command_timeout: options.command_timeout,
        broadcast_channel_capacity: options.watch_capacity.max(1_024),
        ..PerformanceConfig::default()
    }
}

fn connection_of(options: &RedisOptions, attempts: u32) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: options.connect_timeout,
        internal_command_timeout: options.command_timeout,
        max_command_attempts: attempts,
        max_command_buffer_len: options.max_in_flight.max(1_024),
        reconnect_on_auth_error: true,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(options.command_timeout * 2),
            interval: options.command_timeout / 2,
        },
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(
                TcpKeepalive::new()
                    .with_time(Duration::from_secs(5))
                    .with_interval(Duration::from_secs(1)),
            ),
            user_timeout: Some(options.connect_timeout),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    }
}

fn cannot_connect(error: &Error) -> LogError {
    LogError::unavailable(format!("cannot connect to redis: {error}"))
}
