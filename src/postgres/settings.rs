//! How the database is reached.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::Postgres;

/// How the database is reached and how long we wait for it.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// `postgres://user@host:port/database`, several hosts allowed; a password in it is taken.
    pub url: SecretString,
    /// The password, where it is not in the address.
    pub password: Option<SecretString>,
    /// Whether the connection is encrypted.
    pub tls: Tls,
    /// Connections of this node, besides the one that listens.
    pub max_connections: u32,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest a statement may run; the server ends it, and a little later we stop waiting.
    pub statement_timeout: Duration,
    /// How often the version is read without notice.
    pub poll: Duration,
    /// Whether `prepare` migrates the schema; otherwise it only checks it.
    pub migrate: bool,
}

/// Whether the connection is encrypted.
#[derive(Debug, Clone)]
pub enum Tls {
    /// In clear: for a socket of this machine or a mesh that encrypts.
    Off,
    /// The server's certificate must come from an authority of this system and name the host.
    System,
    /// The server's certificate must come from an authority in this PEM file and name the host.
    Verified(PathBuf),
}

impl PostgresSettings {
    /// The settings as configured; `None` where no database is. `poll`: how often the version of provisioning is read.
    #[must_use]
    pub fn from_config(postgres: &Postgres, poll: Duration) -> Option<Self> {
        Some(Self {
            url: SecretString::from(postgres.url.as_ref()?.as_str()),
            password: postgres.password.expose().map(SecretString::from),
            tls: match (postgres.tls, &postgres.ca_file) {
                (false, _) => Tls::Off,
                (true, None) => Tls::System,
                (true, Some(path)) => Tls::Verified(path.clone()),
            },
            max_connections: postgres.pool,
            connect_timeout: postgres.connect_timeout,
            statement_timeout: postgres.statement_timeout,
            poll,
            migrate: postgres.migrate,
        })
    }

    /// Settings with the defaults of the configuration file.
    pub fn new(url: SecretString) -> Self {
        PostgresSettings {
            url,
            password: None,
            tls: Tls::Off,
            max_connections: 8,
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            poll: Duration::from_secs(2),
            migrate: true,
        }
    }
}
