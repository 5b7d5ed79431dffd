//! `[provisioning]`: tenants, and the key that protects what they entrust to us.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::section;
use super::secret::Secret;

section! {
    /// `[provisioning]`.
    pub struct Provisioning {
        /// The file of the master key, mode 0600. Absent: a key is made below the data directory.
        pub master_key_file: Option<PathBuf> = None,
        /// The master key itself; from the environment only.
        pub master_key: Secret = Secret::none(),
        /// Where the sealed snapshot is kept that lets a node start with the database down. Absent: below the data
        /// directory.
        pub snapshot_file: Option<PathBuf> = None,
        /// How often the version is asked for, should a notice be lost.
        pub poll: Duration = Duration::from_secs(2),
        /// Whether the development tenant, whose credentials are public, is applied at start.
        pub development_tenant: bool = true,
    }
}
