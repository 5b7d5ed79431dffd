//! `[aggregators]`: callbacks of SMS and e-mail providers.

use std::path::PathBuf;

use super::reader::section;
use super::size::ByteSize;

section! {
    /// `[aggregators]`.
    pub struct Aggregators {
        /// Where callbacks of providers that hardly send again wait while the log is away. Absent: nowhere.
        pub spool_directory: Option<PathBuf> = None,
        /// Bytes that may wait there.
        pub spool_max: ByteSize = ByteSize::mib(64),
    }
}
