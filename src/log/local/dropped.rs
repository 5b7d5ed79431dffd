//! Dead letters that newer ones pushed out, or that became too old.

use crate::telemetry::names;

/// Counts and says how many were dropped, where any were.
pub(crate) fn dropped(letters: u64) {
    if letters > 0 {
        metrics::counter!(names::DEAD_DROPPED).increment(letters);
        tracing::warn!(letters, "dropped the oldest dead letters");
    }
}
