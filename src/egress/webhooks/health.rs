//! Whether an endpoint still answers at all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// An endpoint that has answered nothing but failures for so long is switched off, with notice.
const DEAD_AFTER: Duration = Duration::from_secs(5 * 24 * 3_600);
/// Endpoints remembered; beyond it the memory begins anew, which only delays a notice.
const REMEMBERED: usize = 65_536;

/// Since when each endpoint of this core has failed without a success between.
#[derive(Debug, Default)]
pub(super) struct Health(HashMap<String, Instant>);

impl Health {
    /// It answered well.
    pub(super) fn succeeded(&mut self, endpoint: &str) {
        self.0.remove(endpoint);
    }

    /// It failed once more. `true`: it has done nothing else for too long.
    pub(super) fn failed(&mut self, endpoint: &str, now: Instant) -> bool {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(endpoint) {
            self.0.clear();
        }
        let since = self.0.entry(endpoint.to_owned()).or_insert(now);
        now.duration_since(*since) >= DEAD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_days_of_failures_and_nothing_else_are_the_end() {
        let (mut health, start) = (Health::default(), Instant::now());
        let day = Duration::from_secs(24 * 3_600);
        assert!(!health.failed("w", start));
        assert!(!health.failed("w", start + day * 4));
        health.succeeded("w");
        assert!(!health.failed("w", start + day * 6));
        assert!(health.failed("w", start + day * 11));
    }
}
