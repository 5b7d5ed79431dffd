//! What an append costs in each store of this process, beside the engine's own group commit of the same bytes.
//!
//! | id | one element is | in flight |
//! |---|---|---|
//! | `append/memory/batch_1` | an append in memory | 1 |
//! | `append/embedded/batch_N` | an append acknowledged from disk | 2 N: N are written while N gather |
//! | `append/embedded/keyed_N` | the same with an idempotency key, as from an aggregator | 2 N |
//! | `append/redb/batch_N` | a row as large as all rows of that append, N to a commit, nothing else | N |
//!
//! An append is a customer's message of 400 bytes to one of 1,000 sessions. Both write to the disk that the build directory is on.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{StreamExt as _, stream};
use nexus::log::embedded::{EmbeddedOptions, EmbeddedStore};
use nexus::log::memory::MemoryStore;
use nexus::log::{Answer, Append, Basis, Key, NewRecord, SharedLog};
use nexus::model::{Digest, LogId, Millis, Position, Spread};
use nexus::runtime::Clock;
use redb::{Database, TableDefinition};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

const SESSIONS: usize = 1_000;
const BATCHES: [usize; 3] = [1, 64, 256];
const ENVELOPE: usize = 120;
const BODY: usize = 280;
/// Record and head as the embedded store lays them out.
const ROW: usize = 70 + ENVELOPE + BODY + 100;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("no runtime: {error}"))
}

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap_or_else(|error| panic!("no directory: {error}"))
}

fn sessions() -> Vec<LogId> {
    (0..SESSIONS)
        .map(|i| {
            let mut entropy = [0; 10];
            entropy.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
            let at = Millis(1_700_000_000_000 + i as u64);
            LogId::session(at, entropy, Spread::of(&[&i.to_be_bytes()]))
        })
        .collect()
}

fn record() -> NewRecord {
    let envelope = Bytes::from(vec![b'e'; ENVELOPE]);
    NewRecord {
        digest: Digest::of(&[&envelope]),
        envelope,
        body: Some(Bytes::from(vec![b'b'; BODY])),
        snapshot: false,
    }
}

fn append(log: LogId, basis: Basis, key: Option<Key>) -> Append {
    Append {
        log,
        basis,
        records: vec![record()],
        key,
        guard: None,
        effects: Vec::new(),
        timers: Vec::new(),
        indexes: Vec::new(),
        expire_ms: 86_400_000,
        closes: false,
    }
}

fn message(log: LogId, keyed: bool) -> Append {
    let key = keyed.then(|| Key {
        key: Bytes::copy_from_slice(Uuid::new_v4().as_bytes()),
        body_hash: [7; 16],
        answer: Bytes::new(),
    });
    append(log, Basis::Admitted, key)
}

async fn written(log: SharedLog, append: Append) {
    match log.append(append).await {
        Ok(Answer::Appended { .. }) => {}
        other => panic!("not written: {other:?}"),
    }
}

async fn open_all(log: &SharedLog, sessions: &[LogId]) {
    let openings = sessions.iter().map(|id| {
        written(
            Rc::clone(log),
            append(*id, Basis::Decided(Position::default()), None),
        )
    });
    stream::iter(openings)
        .buffer_unordered(256)
        .collect::<Vec<()>>()
        .await;
}

/// How long this many appends take with so many in flight.
async fn flow(log: &SharedLog, sessions: &[LogId], keyed: bool, count: usize, in_flight: usize) -> Duration {
    let appends: Vec<Append> = (0..count)
        .map(|i| message(sessions[i * 7 % SESSIONS], keyed))
        .collect();
    let begin = Instant::now();
    stream::iter(appends.into_iter().map(|append| written(Rc::clone(log), append)))
        .buffer_unordered(in_flight)
        .collect::<Vec<()>>()
        .await;
    begin.elapsed()
}

fn count(iterations: u64, batch: usize) -> usize {
    usize::try_from(iterations).map_or(usize::MAX, |iterations| iterations * batch)
}

fn memory(criterion: &mut Criterion) {
    let (runtime, sessions) = (runtime(), sessions());
    let store = MemoryStore::new(256, Clock::system()).unwrap_or_else(|error| panic!("{error}"));
    let log = store.core();
    runtime.block_on(open_all(&log, &sessions));
    let mut group = criterion.benchmark_group("append/memory");
    group.throughput(Throughput::Elements(1));
    group.bench_function("batch_1", |bench| {
        bench.iter_custom(|iterations| {
            runtime.block_on(flow(&log, &sessions, false, count(iterations, 1), 1))
        });
    });
    group.finish();
}

fn embedded(criterion: &mut Criterion) {
    let (runtime, sessions, directory) = (runtime(), sessions(), directory());
    let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let log = store.core();
    runtime.block_on(open_all(&log, &sessions));
    let mut group = criterion.benchmark_group("append/embedded");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    let kinds = [("batch", 1), ("batch", 64), ("batch", 256), ("keyed", 64)];
    for (kind, batch) in kinds {
        group.throughput(Throughput::Elements(batch as u64));
        let id = BenchmarkId::from_parameter(format_args!("{kind}_{batch}"));
        group.bench_function(id, |bench| {
            bench.iter_custom(|iterations| {
                let appends = count(iterations, batch);
                runtime.block_on(flow(&log, &sessions, kind == "keyed", appends, 2 * batch))
            });
        });
    }
    group.finish();
    runtime
        .block_on(store.close())
        .unwrap_or_else(|error| panic!("{error}"));
}

fn raw(criterion: &mut Criterion) {
    const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
    let directory = directory();
    let database =
        Database::create(directory.path().join("raw.redb")).unwrap_or_else(|error| panic!("{error}"));
    let row = vec![b'r'; ROW];
    let mut next = 0_u64;
    let mut commit = |batch: usize| -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        {
            let mut rows = transaction.open_table(ROWS)?;
            for _ in 0..batch {
                rows.insert(next, &row[..])?;
                next += 1;
            }
        }
        Ok(transaction.commit()?)
    };
    let mut group = criterion.benchmark_group("append/redb");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for batch in BATCHES {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(
            BenchmarkId::from_parameter(format_args!("batch_{batch}")),
            |bench| {
                bench.iter(|| commit(batch).unwrap_or_else(|error| panic!("{error}")));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, memory, embedded, raw);
criterion_main!(benches);
