//! `[postgres]`: connection 10, the database of provisioning.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::section;
use super::secret::Secret;
use super::server_url::ServerUrl;

section! {
    /// `[postgres]`.
    pub struct Postgres {
        /// `postgres://user@host:port/database`; absent keeps provisioning in a file of this node.
        pub url: Option<ServerUrl> = None,
        /// The password; from the environment only.
        pub password: Secret = Secret::none(),
        /// The file that holds the password.
        pub password_file: Option<PathBuf> = None,
        /// Whether the server must speak TLS.
        pub tls: bool = false,
        /// Authorities the server's certificate may come from, PEM; absent takes the system's.
        pub ca_file: Option<PathBuf> = None,
        /// Connections of the node.
        pub pool: u32 = 8,
        /// Connections of each core besides, for files and for our own history.
        pub per_core: u32 = 2,
        /// How long to wait for a new connection, or for a free one.
        pub connect_timeout: Duration = Duration::from_secs(5),
        /// The longest a statement may run.
        pub statement_timeout: Duration = Duration::from_secs(5),
        /// Whether `serve` may apply migrations; if not, `nexus migrate` does.
        pub migrate: bool = true,
    }
}
