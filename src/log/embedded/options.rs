//! What a caller decides about an embedded store.

use std::time::Duration;

use crate::runtime::Clock;

/// Settings of an embedded store.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Fixed when the store is first opened; another count later is refused. A power of two of at most 4096.
    pub partitions: u16,
    /// The store's time.
    pub clock: Clock,
    /// Memory for pages of the database, in bytes.
    pub cache_bytes: usize,
    /// Calls that may wait for the committer; beyond that they are `Unavailable`.
    pub queue: usize,
    /// Threads that read. Each may have as many calls waiting as the committer.
    pub readers: usize,
    /// How many watch events a core may be behind before it is told that it lost some.
    pub watch_capacity: usize,
    /// How long a call waits for its answer.
    pub call_timeout: Duration,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            partitions: 256,
            clock: Clock::system(),
            cache_bytes: 256 * 1024 * 1024,
            queue: 4_096,
            readers: 2,
            watch_capacity: 4_096,
            call_timeout: Duration::from_secs(3),
        }
    }
}
