//! The numbers of the shard table.

use std::time::Duration;

/// How long a sign of life counts; who is not heard of again in that time is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// Of a customer's page.
    pub widget: Duration,
    /// Of an agent's desk.
    pub desk: Duration,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            widget: Duration::from_secs(120),
            desk: Duration::from_secs(45),
        }
    }
}

/// Bounds and deadlines; the defaults are the design's.
#[derive(Debug, Clone)]
pub struct ShardOptions {
    /// How long a request may race for an append before it is told to come back.
    pub decide_deadline: Duration,
    /// Inputs that may wait for one log; more are told to come back.
    pub queue_per_log: usize,
    /// Inputs decided together into one append.
    pub batch: usize,
    /// Records of a log kept decoded in memory.
    pub tail_records: u32,
    /// Records between snapshots.
    pub snapshot_every: u64,
    /// A replica of which nobody wanted anything for this long lets go of what only the busy need.
    pub rest: Duration,
    /// One of which nobody wanted anything for this long is folded, if it can be: whoever comes then has to open it. Longer than a
    /// typing signal means anything.
    pub fold: Duration,
    /// A replica or view that nobody used for this long is dropped.
    pub idle: Duration,
    /// Questions from other cores that may wait.
    pub mailbox: usize,
    /// How often timers, liveness and effects of the owned partitions are looked through.
    pub sweep_every: Duration,
    /// How long an effect is left to the node that wrote it.
    pub effect_grace: Duration,
    /// How long an attempt to tell somebody outside takes at most, waiting for its turn included.
    pub attempt: Duration,
    /// Attempts to tell somebody outside that this core makes at once.
    pub attempts: usize,
    /// How long a leased effect is not leased again.
    pub lease: Duration,
    /// How often signs of life are written.
    pub renew_every: Duration,
    /// How long one counts.
    pub liveness: Liveness,
}

impl Default for ShardOptions {
    fn default() -> Self {
        Self {
            decide_deadline: Duration::from_secs(3),
            queue_per_log: 256,
            batch: 16,
            tail_records: 256,
            snapshot_every: 256,
            rest: Duration::from_secs(2),
            fold: Duration::from_secs(20),
            idle: Duration::from_secs(60),
            mailbox: 4_096,
            sweep_every: Duration::from_secs(2),
            effect_grace: Duration::from_secs(2),
            attempt: Duration::from_secs(15),
            attempts: 1_024,
            lease: Duration::from_secs(20),
            renew_every: Duration::from_secs(10),
            liveness: Liveness::default(),
        }
    }
}

impl ShardOptions {
    /// How long an effect is left to the node that wrote it, in milliseconds.
    pub(super) fn grace_ms(&self) -> u64 {
        millis(self.effect_grace)
    }

    /// How long a leased effect is not leased again, in milliseconds.
    pub(super) fn lease_ms(&self) -> u64 {
        millis(self.lease)
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
