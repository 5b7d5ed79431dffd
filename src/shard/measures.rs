//! What one core of the table counts on the way of an append; handles are looked up once and kept.

use std::cell::Cell;
use std::time::Duration;

use metrics::{Gauge, Histogram, gauge, histogram};

use crate::log::{Answer, LogError};
use crate::telemetry::names;

/// The handles of one core.
pub(super) struct Measures {
    committed: Histogram,
    refused: Histogram,
    repeated: Histogram,
    unknown: Histogram,
    failed: Histogram,
    records: Histogram,
    replicas: Share,
    open_chats: Share,
}

impl Measures {
    pub(super) fn new() -> Self {
        let of = |outcome: &'static str| histogram!(names::APPEND_SECONDS, "outcome" => outcome);
        Self {
            committed: of("committed"),
            refused: of("refused"),
            repeated: of("repeated"),
            unknown: of("unknown"),
            failed: of("failed"),
            records: histogram!(names::APPEND_RECORDS),
            replicas: Share::of(gauge!(names::REPLICAS)),
            open_chats: Share::of(gauge!(names::CHAT_ACTIVE)),
        }
    }

    /// An append of so many records was answered.
    pub(super) fn appended(&self, answer: &Result<Answer, LogError>, records: usize, took: Duration) {
        let seconds = match answer {
            Ok(Answer::Appended { .. }) => &self.committed,
            Ok(Answer::Repeat { .. } | Answer::KeyReused) => &self.repeated,
            Ok(_) => &self.refused,
            Err(LogError::Unknown { .. }) => &self.unknown,
            Err(_) => &self.failed,
        };
        seconds.record(took.as_secs_f64());
        self.records.record(number(records));
    }

    /// How much this core holds now.
    pub(super) fn holds(&self, replicas: usize, open_chats: usize) {
        self.replicas.set(replicas);
        self.open_chats.set(open_chats);
    }
}

/// This core's part of a gauge that all cores share.
struct Share {
    gauge: Gauge,
    told: Cell<f64>,
}

impl Share {
    fn of(gauge: Gauge) -> Self {
        Self {
            gauge,
            told: Cell::new(0.0),
        }
    }

    fn set(&self, now: usize) {
        let now = number(now);
        self.gauge.increment(now - self.told.replace(now));
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
