//! Words for the tests.

use bytes::Bytes;
use nexus::log::{Answer, Append, Basis, Key, Log, NewEffect, NewRecord, PeerKey, StoredRecord, Tail};
use nexus::model::{Digest, LogId, Position, Spread, TenantId};
use uuid::Uuid;

use super::Harness;

/// Long enough for any test.
pub(crate) const HOUR: u64 = 3_600_000;

pub(crate) fn entropy() -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
    bytes
}

/// A session nobody has used.
pub(crate) fn session(harness: &impl Harness) -> LogId {
    LogId::session(harness.now(), entropy(), Spread::of(&[&entropy()]))
}

/// Another session in the same partition.
pub(crate) fn beside(harness: &impl Harness, log: LogId) -> LogId {
    LogId::session(harness.now(), entropy(), log.spread())
}

pub(crate) fn tenant() -> TenantId {
    TenantId(Uuid::new_v4())
}

pub(crate) fn peer() -> PeerKey {
    PeerKey(Bytes::from(Uuid::new_v4().simple().to_string()))
}

pub(crate) fn partition(log: &dyn Log, id: LogId) -> u16 {
    id.spread().partition(log.info().partitions)
}

/// A record without a body.
pub(crate) fn record(text: &str) -> NewRecord {
    let envelope = Bytes::copy_from_slice(text.as_bytes());
    NewRecord {
        digest: Digest::of(&[&envelope]),
        envelope,
        body: None,
        snapshot: false,
    }
}

pub(crate) fn with_body(text: &str, body: &str) -> NewRecord {
    NewRecord {
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
        ..record(text)
    }
}

pub(crate) fn snapshot(text: &str) -> NewRecord {
    NewRecord {
        snapshot: true,
        ..record(text)
    }
}

pub(crate) fn append(log: LogId, basis: Basis, records: Vec<NewRecord>) -> Append {
    Append {
        log,
        basis,
        records,
        key: None,
        guard: None,
        effects: Vec::new(),
        timers: Vec::new(),
        indexes: Vec::new(),
        expire_ms: HOUR,
        closes: false,
    }
}

/// One record, decided on nothing.
pub(crate) fn opening(log: LogId) -> Append {
    append(log, Basis::Decided(Position::default()), vec![record("opening")])
}

pub(crate) fn admitted(log: LogId, text: &str) -> Append {
    append(log, Basis::Admitted, vec![record(text)])
}

pub(crate) fn decided(log: LogId, top: Position, text: &str) -> Append {
    append(log, Basis::Decided(top), vec![record(text)])
}

/// Into the peer's session, which opens with one record.
pub(crate) fn to_peer(log: LogId, peer: &PeerKey, text: &str) -> Append {
    let basis = Basis::Peer {
        peer: peer.clone(),
        opening: vec![record("opening")],
        opening_effects: Vec::new(),
        quiet: None,
    };
    append(log, basis, vec![record(text)])
}

pub(crate) fn key(text: &str, body: u8, answer: &str) -> Key {
    Key {
        key: Bytes::copy_from_slice(text.as_bytes()),
        body_hash: [body; 16],
        answer: Bytes::copy_from_slice(answer.as_bytes()),
    }
}

pub(crate) fn effect(place: u16, lane: &str, payload: &str) -> NewEffect {
    NewEffect {
        place,
        lane: lane.to_owned(),
        delay_ms: 0,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// Appends and expects it written; returns the number of the first record and the top.
pub(crate) async fn written(log: &dyn Log, append: Append) -> (u64, Position) {
    match log.append(append).await.unwrap() {
        Answer::Appended { first, top, .. } => (first, top),
        other => panic!("expected it to be written, got {other:?}"),
    }
}

/// Opens a log with `count` records named by their number; returns the top.
pub(crate) async fn opened(log: &dyn Log, id: LogId, count: u64) -> Position {
    let mut top = Position::default();
    for n in 1..=count {
        (_, top) = written(log, decided(id, top, &n.to_string())).await;
    }
    top
}

/// The whole tail, its chain checked.
pub(crate) async fn tail(log: &dyn Log, id: LogId) -> Tail {
    let tail = log.tail(id).await.unwrap().expect("the log is there");
    verified(tail.base, &tail.records);
    tail
}

pub(crate) async fn texts(log: &dyn Log, id: LogId) -> Vec<String> {
    tail(log, id).await.records.iter().map(text).collect()
}

pub(crate) fn text(record: &StoredRecord) -> String {
    String::from_utf8(record.envelope.to_vec()).unwrap()
}

pub(crate) fn numbers(records: &[StoredRecord]) -> Vec<u64> {
    records.iter().map(|record| record.n).collect()
}

/// Each record follows from the one before it.
pub(crate) fn verified(base: Position, records: &[StoredRecord]) {
    let mut before = base;
    for record in records {
        record.verify(before).unwrap();
        before = record.position();
    }
}
