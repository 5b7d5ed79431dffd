//! `[campaign]`: outbound campaigns (connection 6).

use std::time::Duration;

use super::reader::section;

section! {
    /// `[campaign]`.
    pub struct Campaign {
        /// Batches are refused while so many lanes of effects wait in the whole store; a batch takes at most eight.
        pub buffer: usize = 10_000,
        /// How often a stream of statuses is pinged, jittered.
        pub ping: Duration = Duration::from_secs(30),
    }
}
