//! Whether there is room for another batch: how many lanes of effects wait in the whole store, looked at again every second.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::log::{LogError, SharedLog};
use crate::runtime::Clock;

/// What was counted holds for this long.
const FRESH: Duration = Duration::from_secs(1);
/// Partitions asked at once.
const AT_ONCE: usize = 32;
/// Lanes that a batch takes at most.
const PER_BATCH: u64 = 8;

/// The bound on what waits to be delivered.
pub(super) struct Buffer {
    most: u64,
    counted: Cell<Option<(Instant, u64)>>,
}

impl Buffer {
    /// Takes batches while fewer than `most` lanes wait.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: u64::try_from(most).unwrap_or(u64::MAX),
            counted: Cell::new(None),
        }
    }

    /// Whether another batch may come in; counts it if so.
    pub(super) async fn takes(&self, log: &SharedLog, clock: &Clock) -> Result<bool, LogError> {
        let fresh = self
            .counted
            .get()
            .filter(|(at, _)| clock.now().saturating_duration_since(*at) < FRESH);
        let waiting = match fresh {
            Some((_, waiting)) => waiting,
            None => {
                let partitions = log.info().partitions;
                let asked = stream::iter(0..partitions).map(|partition| log.lane_backlog(partition));
                let waiting = asked
                    .buffer_unordered(AT_ONCE)
                    .try_fold(0, async |sum: u64, lanes| Ok(sum + lanes))
                    .await?;
                self.counted.set(Some((clock.now(), waiting)));
                waiting
            }
        };
        if waiting >= self.most {
            return Ok(false);
        }
        if let Some((at, waiting)) = self.counted.get() {
            self.counted.set(Some((at, waiting + PER_BATCH)));
        }
        Ok(true)
    }
}
