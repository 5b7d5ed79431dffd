//! `[telemetry]`: logs and metrics.

use super::choice::choice;
use super::reader::section;
use super::secret::Secret;

choice! {
    /// The form of log lines.
    pub enum LogFormat {
        /// `human` on a terminal, else `json`.
        Auto = "auto",
        /// One JSON object a line.
        Json = "json",
        /// For reading.
        Human = "human",
    }
}

section! {
    /// `[telemetry]`.
    pub struct Telemetry {
        /// What is logged: a level, or targets with levels (`info,nexus::net=debug`).
        pub log: String = "info".to_owned(),
        /// The form of log lines.
        pub format: LogFormat = LogFormat::Auto,
        /// The key of the hash that stands for phone numbers and addresses in logs; from the environment only. Without
        /// one each process takes a random key, and hashes of two processes do not compare.
        pub redaction_key: Secret = Secret::none(),
        /// Tenants with a label of their own in metrics; all others share `other`.
        pub tenant_labels: usize = 50,
    }
}
