//! `[media]`: files and pictures.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::section;
use super::size::ByteSize;

section! {
    /// `[media]`.
    pub struct Media {
        /// Where the bytes lie. Absent: below the data directory.
        pub directory: Option<PathBuf> = None,
        /// One file.
        pub max_file: ByteSize = ByteSize::mib(10),
        /// Files of one session.
        pub max_files: usize = 20,
        /// What may be sent, by what the bytes are, not by what the name says.
        pub types: Vec<String> = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"]
            .map(str::to_owned)
            .to_vec(),
        /// The longest an upload may take.
        pub upload_timeout: Duration = Duration::from_secs(120),
        /// How long a file can be fetched at the address that a provider or a customer was given for it after it can have been sent last:
        /// six days after it was said. At least an hour, at most 7 days.
        pub address_ttl: Duration = Duration::from_secs(24 * 3_600),
    }
}
