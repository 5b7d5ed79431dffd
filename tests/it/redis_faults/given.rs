//! Words for the tests.

use std::time::{Duration, Instant};

use bytes::Bytes;
use nexus::log::redis::{RedisOptions, RedisStore};
use nexus::log::{Answer, Append, Basis, LogError, NewRecord, SharedLog};
use nexus::model::{Digest, LogId, Millis, Position, Spread};
use uuid::Uuid;

use crate::support::redis::RedisServer;

/// Far beyond what anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test on a runtime like a core's.
pub(super) fn on_a_core<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

/// Few partitions and short deadlines, so that a fault is over soon.
pub(super) fn options(url: &str) -> RedisOptions {
    RedisOptions {
        partitions: 16,
        command_timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_millis(500),
        watch_timeout: Duration::from_millis(1_500),
        ..RedisOptions::at(url).unwrap()
    }
}

pub(super) async fn node(server: &RedisServer) -> SharedLog {
    RedisStore::connect(options(&server.url()), 0).await.unwrap()
}

pub(super) fn session() -> LogId {
    let id = Uuid::new_v4();
    let mut entropy = [0; 10];
    entropy.copy_from_slice(&id.as_bytes()[..10]);
    LogId::session(Millis(1_700_000_000_000), entropy, Spread::of(&[id.as_bytes()]))
}

pub(super) fn append(log: LogId, basis: Basis, text: &str) -> Append {
    let envelope = Bytes::copy_from_slice(text.as_bytes());
    let record = NewRecord {
        digest: Digest::of(&[&envelope]),
        envelope,
        body: None,
        snapshot: false,
    };
    Append {
        log,
        basis,
        records: vec![record],
        key: None,
        guard: None,
        effects: Vec::new(),
        timers: Vec::new(),
        indexes: Vec::new(),
        expire_ms: 3_600_000,
        closes: false,
    }
}

pub(super) fn opening(log: LogId, text: &str) -> Append {
    append(log, Basis::Decided(Position::default()), text)
}

pub(super) fn admitted(log: LogId, text: &str) -> Append {
    append(log, Basis::Admitted, text)
}

/// Appends and expects it written; returns the top.
pub(super) async fn written(log: &SharedLog, append: Append) -> Position {
    match log.append(append).await.unwrap() {
        Answer::Appended { top, .. } => top,
        other => panic!("expected it to be written, got {other:?}"),
    }
}

/// The texts of a log, its chain checked.
pub(super) async fn texts(log: &SharedLog, id: LogId) -> Vec<String> {
    let Some(tail) = log.tail(id).await.unwrap() else {
        return Vec::new();
    };
    let mut before = tail.base;
    for record in &tail.records {
        record.verify(before).unwrap();
        before = record.position();
    }
    tail.records
        .iter()
        .map(|record| String::from_utf8(record.envelope.to_vec()).unwrap())
        .collect()
}

/// Asks again until the store is there.
pub(super) async fn recovered(log: &SharedLog) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match log.canary().await {
            Ok(()) => return,
            Err(LogError::Unavailable { .. } | LogError::Unknown { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("the store does not come back: {error}"),
        }
    }
}
