//! Real processes killed under load. `NEXUS_TEST_KILLS` sets how often; the default is what a build server has time for.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::checker::violations;
use super::client::{self, Chat};
use super::history::{End, History, Reading, Send};
use crate::support::part::{Signal, eventually, free_port};
use crate::support::postgres::Postgres;
use crate::support::process::Nexus;
use crate::support::redis::RedisServer;

/// Appends in flight.
const WRITERS: usize = 64;
/// Messages that must be acknowledged between two kills.
const BETWEEN_KILLS: usize = 60;

/// Rates are for strangers; here one address is everybody.
const RATES: [&str; 5] = [
    "limits.rates.session=100000/s burst 100000",
    "limits.rates.address=100000/s burst 100000",
    "limits.rates.create=100000/s burst 100000",
    "limits.rates.api_key=100000/s burst 100000",
    "limits.connections.per_address=4000",
];

fn kills(default: usize) -> usize {
    std::env::var("NEXUS_TEST_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(default)
}

/// A node that comes back under the same address with the same data.
struct Node {
    addr: SocketAddr,
    settings: Vec<String>,
    process: Nexus,
    _data: tempfile::TempDir,
}

impl Node {
    fn start(settings: &[String]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut all: Vec<String> = RATES.map(str::to_owned).to_vec();
        all.push(format!("store.data_dir={}", data.path().display()));
        all.push(format!("listen.public.plain_address={addr}"));
        all.extend_from_slice(settings);
        let process = run(&all);
        Self {
            addr,
            settings: all,
            process,
            _data: data,
        }
    }

    /// `kill -9`, and again from what is on disk.
    fn crash(&mut self) {
        self.process.signal(Signal::Kill);
        self.process.ended();
        self.process = run(&self.settings);
    }
}

fn run(settings: &[String]) -> Nexus {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut process = Nexus::start(&settings);
    process.line("that it serves", |line| {
        (line["message"] == "serving").then_some(())
    });
    process
}

/// What the writers share.
struct Stage {
    nodes: Vec<SocketAddr>,
    chats: Vec<Chat>,
    began: Instant,
    over: AtomicBool,
    acknowledged: AtomicUsize,
    history: Mutex<History>,
    /// Answers of the 5xx class.
    refused: AtomicUsize,
}

impl Stage {
    fn open(nodes: Vec<SocketAddr>, chats: usize) -> Self {
        let chats = (0..chats)
            .map(|number| client::open(nodes[number % nodes.len()], &format!("c{number}")).unwrap());
        Self {
            chats: chats.collect(),
            nodes,
            began: Instant::now(),
            over: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            history: Mutex::default(),
            refused: AtomicUsize::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    /// Says one thing after another, each in another of its chats and to another node.
    fn write(&self, writer: usize) {
        let mut counter = 0;
        while !self.over.load(Ordering::Acquire) {
            let log = (writer + counter * WRITERS) % self.chats.len();
            let node = self.nodes[(writer + counter) % self.nodes.len()];
            let text = format!("{writer}-{counter}");
            let invoked = self.now();
            let Some((end, status)) = client::say(node, &self.chats[log], &text) else {
                client::await_up(node);
                continue;
            };
            let ended = self.now();
            if end == End::Ok {
                self.acknowledged.fetch_add(1, Ordering::AcqRel);
            }
            if status >= 500 {
                self.refused.fetch_add(1, Ordering::AcqRel);
            }
            let read = counter % 16 == 15;
            self.history.lock().unwrap().sends.push(Send {
                log,
                text,
                invoked,
                ended,
                end,
            });
            if let Some(seen) = read.then(|| client::read(node, &self.chats[log])).flatten() {
                self.history.lock().unwrap().readings.push(Reading {
                    log,
                    seen,
                    complete: false,
                });
            }
            counter += 1;
        }
    }

    /// Waits until the load has gone on for a while.
    fn progress(&self) {
        let wanted = self.acknowledged.load(Ordering::Acquire) + BETWEEN_KILLS;
        eventually("progress after a kill", Duration::from_secs(60), || {
            self.acknowledged.load(Ordering::Acquire) >= wanted
        });
    }

    /// Reads every chat to its end, from every node.
    fn drain(&self) {
        for (log, chat) in self.chats.iter().enumerate() {
            for node in &self.nodes {
                let mut seen = None;
                eventually("a chat to be read", Duration::from_secs(30), || {
                    seen = client::read(*node, chat);
                    seen.is_some()
                });
                let reading = Reading {
                    log,
                    seen: seen.unwrap(),
                    complete: true,
                };
                self.history.lock().unwrap().readings.push(reading);
            }
        }
    }

    fn judge(self, kills: usize) {
        let refused = self.refused.load(Ordering::Acquire);
        let history = self.history.into_inner().unwrap();
        let found = violations(&history);
        eprintln!(
            "{kills} kills, {} appends, {} acknowledged, {} of unknown outcome, {refused} refused for the moment: {} violations",
            history.sends.len(),
            history.acknowledged(),
            history.unknown(),
            found.len()
        );
        assert_eq!(found, []);
        assert!(
            history.unknown() > 0,
            "no append ended unknown: the kills hit nothing"
        );
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_a_node_with_its_own_store_is_killed_again_and_again() {
    let kills = kills(10);
    let mut node = Node::start(&[]);
    let stage = Stage::open(vec![node.addr], 256);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let stage = &stage;
            scope.spawn(move || stage.write(writer));
        }
        for _ in 0..kills {
            stage.progress();
            node.crash();
        }
        stage.progress();
        stage.over.store(true, Ordering::Release);
    });
    // Its store is as healthy as the node: whenever it answers, it accepts.
    assert_eq!(
        stage.refused.load(Ordering::Acquire),
        0,
        "a healthy store refused an append"
    );
    stage.drain();
    stage.judge(kills);
}

#[test]
fn nothing_acknowledged_is_lost_when_two_nodes_and_their_redis_are_killed_again_and_again() {
    let kills = kills(9);
    let postgres = Postgres::start();
    let mut redis = RedisServer::start();
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&keys, format!("{}\n", "A".repeat(43) + "=")).unwrap();
    let settings = [
        "store.mode=redis".to_owned(),
        format!("store.redis.urls={}", redis.url()),
        "store.redis.command_timeout=1s".to_owned(),
        format!("postgres.url={}", postgres.url()),
        format!("provisioning.master_key_file={}", keys.path().display()),
    ];
    let mut nodes = [Node::start(&settings), Node::start(&settings)];
    let stage = Stage::open(nodes.iter().map(|node| node.addr).collect(), 256);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let stage = &stage;
            scope.spawn(move || stage.write(writer));
        }
        for kill in 0..kills {
            stage.progress();
            match kill % 3 {
                2 => {
                    redis.kill();
                    redis.restart();
                }
                node => nodes[node].crash(),
            }
        }
        stage.progress();
        stage.over.store(true, Ordering::Release);
    });
    stage.drain();
    stage.judge(kills);
}
