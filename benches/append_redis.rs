//! Appends into Redis: the store, and beside it a raw pipelined client of the same function.
//!
//! The raw client writes encoded calls to plain TCP and counts the answers, so what it reaches is what the function and the server
//! allow. The ratio of the two at the same number in flight is the store's own cost. Read as `append/<client>/in_flight_<n>`.

#![allow(missing_docs, reason = "criterion's macros declare undocumented items")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench may end at the first surprise"
)]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use nexus::log::redis::{RedisOptions, RedisStore};
use nexus::log::{Answer, Append, Basis, NewRecord, SharedLog};
use nexus::model::{Digest, LogId, Millis, Position, Spread};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

const IN_FLIGHT: [usize; 3] = [1, 64, 256];
/// Logs that the appends go round.
const LOGS: usize = 512;
/// A chat message with its envelope.
const ENVELOPE: usize = 260;
const BODY: usize = 140;
const PARTITIONS: u16 = 256;

struct Server {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--port", &port.to_string()])
            .args(["--stream-node-max-bytes", "1024", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server; install it with `apt-get install redis-server`");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Ready to accept connections")));
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            port,
            _folder: folder,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn logs() -> Vec<LogId> {
    (0..LOGS)
        .map(|_| {
            let id = Uuid::new_v4();
            let mut entropy = [0; 10];
            entropy.copy_from_slice(&id.as_bytes()[..10]);
            LogId::session(Millis(1_700_000_000_000), entropy, Spread::of(&[id.as_bytes()]))
        })
        .collect()
}

fn append(log: LogId, basis: Basis) -> Append {
    let envelope = Bytes::from(vec![b'e'; ENVELOPE]);
    Append {
        log,
        basis,
        records: vec![NewRecord {
            digest: Digest::of(&[&envelope]),
            envelope,
            body: Some(Bytes::from(vec![b'b'; BODY])),
            snapshot: false,
        }],
        key: None,
        guard: None,
        effects: Vec::new(),
        timers: Vec::new(),
        indexes: Vec::new(),
        expire_ms: 3_600_000,
        closes: false,
    }
}

async fn open(log: &SharedLog, ids: &[LogId]) {
    for id in ids {
        let opened = log
            .append(append(*id, Basis::Decided(Position::default())))
            .await
            .unwrap();
        assert!(matches!(opened, Answer::Appended { .. }));
    }
}

/// `count` appends, `in_flight` at a time.
async fn through_the_store(log: &SharedLog, ids: &[LogId], count: u64, in_flight: usize) -> Duration {
    let begun = Instant::now();
    let mut next = ids.iter().copied().cycle();
    let mut appends = FuturesUnordered::new();
    let mut left = count;
    while left > 0 || !appends.is_empty() {
        while left > 0 && appends.len() < in_flight {
            left -= 1;
            appends.extend(next.next().map(|id| log.append(append(id, Basis::Admitted))));
        }
        if let Some(answer) = appends.next().await {
            assert!(matches!(answer, Ok(Answer::Appended { .. })), "{answer:?}");
        }
    }
    begun.elapsed()
}

/// The call that the store makes for an admitted append, as bytes.
fn encoded(store: Uuid, id: LogId) -> Vec<u8> {
    let Append {
        records, expire_ms, ..
    } = append(id, Basis::Admitted);
    let tag = format!("{{p{}}}:", id.spread().partition(PARTITIONS));
    let identity = [store.as_bytes().as_slice(), &PARTITIONS.to_be_bytes()].concat();
    let mut header = vec![b'A', 0, 0];
    header.extend([0; 16]);
    header.extend(expire_ms.to_be_bytes());
    header.extend([0, 0, 1, 0, 0, 0]);
    let name = id.to_string().into_bytes();
    let marked = [b"1".as_slice(), &records[0].digest.0].concat();
    let parts: [&[u8]; 12] = [
        b"FCALL",
        b"nexus_3_append",
        b"2",
        &[tag.as_bytes(), b"store"].concat(),
        &[tag.as_bytes(), b"whole"].concat(),
        b"8 bytes.",
        &identity,
        &name,
        &header,
        &marked,
        &records[0].envelope,
        records[0].body.as_ref().unwrap(),
    ];
    let mut call = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        call.extend(format!("${}\r\n", part.len()).bytes());
        call.extend(part);
        call.extend(b"\r\n");
    }
    call
}

/// The same through a socket, with the same number in flight.
async fn raw(socket: &mut TcpStream, calls: &[Vec<u8>], count: u64, in_flight: usize) -> Duration {
    // Each answer has the word `A` once; eight bytes of a hash are too few to hold it in this form.
    let marker = counter(b"$1\r\nA\r\n");
    let begun = Instant::now();
    let mut next = calls.iter().cycle();
    let (mut sent, mut answered) = (0, 0);
    let mut read = vec![0; 64 * 1024];
    let mut kept = 0;
    let mut batch = Vec::new();
    while answered < count {
        batch.clear();
        while sent < count && sent - answered < in_flight as u64 {
            batch.extend(next.next().into_iter().flatten());
            sent += 1;
        }
        if !batch.is_empty() {
            socket.write_all(&batch).await.unwrap();
        }
        let length = kept + socket.read(&mut read[kept..]).await.unwrap();
        let (found, rest) = marker(&read[..length]);
        answered += found;
        kept = length - rest;
        read.copy_within(rest..length, 0);
    }
    begun.elapsed()
}

/// Counts a short pattern; returns also from where the rest may still begin one.
fn counter(pattern: &'static [u8]) -> impl Fn(&[u8]) -> (u64, usize) {
    move |bytes| {
        let (mut found, mut at) = (0, 0);
        while let Some(window) = bytes.get(at..at + pattern.len()) {
            if window == pattern {
                found += 1;
                at += pattern.len();
            } else {
                at += 1;
            }
        }
        (found, at.min(bytes.len()))
    }
}

fn appends(criterion: &mut Criterion) {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    let ids = logs();
    let (log, mut socket) = local.block_on(&runtime, async {
        let options = RedisOptions::at(&format!("redis://127.0.0.1:{}", server.port)).unwrap();
        let log = RedisStore::connect(options, 0).await.unwrap();
        open(&log, &ids).await;
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port))
            .await
            .unwrap();
        socket.set_nodelay(true).unwrap();
        (log, socket)
    });
    let calls: Vec<Vec<u8>> = ids.iter().map(|id| encoded(log.info().store_id, *id)).collect();

    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for in_flight in IN_FLIGHT {
        group.bench_function(format!("raw/in_flight_{in_flight}"), |bencher| {
            bencher.iter_custom(|count| local.block_on(&runtime, raw(&mut socket, &calls, count, in_flight)));
        });
        group.bench_function(format!("redis/in_flight_{in_flight}"), |bencher| {
            bencher.iter_custom(|count| {
                local.block_on(&runtime, through_the_store(&log, &ids, count, in_flight))
            });
        });
    }
    group.finish();
    drop(log);
}

criterion_group!(benches, appends);
criterion_main!(benches);
