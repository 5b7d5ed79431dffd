//! Real processes killed under load on a thousand logs. `NEXUS_TEST_KILLS` sets how often; the default is what a build server has time for.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::checker::violations;
use super::client::{self, Chat};
use super::history::{End, History, Reading, Send};
use crate::support::part::{Signal, eventually, free_port, number};
use crate::support::postgres::Postgres;
use crate::support::process::Nexus;
use crate::support::redis::RedisServer;

/// Conversations.
const LOGS: usize = 1_000;
/// Who writes; now and then one of them reads instead.
const WRITERS: usize = 80;
/// Appends in flight when something is killed.
const IN_FLIGHT: usize = 64;
/// Chats that show that a node's cores reach the store again; nobody judges them.
const PROBES: usize = 16;
/// What Redis has not yet written to its disk when it is killed: the last ten appends or so.
const LOST_BYTES: u64 = 20_000;
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
    let admin = process.address("admin");
    process.ready(admin);
    process
}

/// What the writers share.
struct Stage {
    nodes: Vec<SocketAddr>,
    chats: Vec<Chat>,
    began: Instant,
    over: AtomicBool,
    acknowledged: AtomicUsize,
    in_flight: AtomicUsize,
    history: Mutex<History>,
    refused: Mutex<Vec<Refused>>,
    /// From when to when the store was not to be had.
    outages: Mutex<Vec<(u64, u64)>>,
}

/// An answer of the 5xx class, and when it was asked for and given.
#[derive(Debug, Clone, Copy)]
struct Refused {
    invoked: u64,
    ended: u64,
    status: u16,
}

/// Ends the writing, however the killing ends.
struct Over<'s>(&'s Stage);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

impl Stage {
    fn open(nodes: Vec<SocketAddr>) -> Self {
        let chats = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (nodes, chats) = (&nodes, &chats);
                scope.spawn(move || {
                    for number in (writer..LOGS).step_by(WRITERS) {
                        let chat = client::open(nodes[number % nodes.len()], &format!("c{number}")).unwrap();
                        chats.lock().unwrap().push(chat);
                    }
                });
            }
        });
        Self {
            chats: chats.into_inner().unwrap(),
            nodes,
            began: Instant::now(),
            over: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            history: Mutex::default(),
            refused: Mutex::default(),
            outages: Mutex::default(),
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
            self.in_flight.fetch_add(1, Ordering::AcqRel);
            let said = client::say(node, &self.chats[log], &text);
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
            let Some((end, status)) = said else {
                client::await_up(node);
                continue;
            };
            let ended = self.now();
            if end == End::Ok {
                self.acknowledged.fetch_add(1, Ordering::AcqRel);
            }
            if status >= 500 {
                self.refused.lock().unwrap().push(Refused {
                    invoked,
                    ended,
                    status,
                });
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

    /// Waits until the load has gone on for a while and is at its height.
    fn progress(&self) {
        let wanted = self.acknowledged.load(Ordering::Acquire) + BETWEEN_KILLS;
        eventually("progress after a kill", Duration::from_secs(60), || {
            let in_flight = self.in_flight.load(Ordering::Acquire);
            self.acknowledged.load(Ordering::Acquire) >= wanted && in_flight >= IN_FLIGHT
        });
    }

    /// Takes the store away and brings it back; the outage is over once every node takes appends on all its cores again.
    fn outage(&self, probes: &[Chat], kill: impl FnOnce()) {
        let from = self.now();
        kill();
        for node in &self.nodes {
            eventually("a node to reach its store again", Duration::from_secs(60), || {
                let mut answers = probes.iter().map(|probe| client::say(*node, probe, "probe"));
                answers.all(|answer| answer.is_some_and(|(end, _)| end == End::Ok))
            });
        }
        self.outages.lock().unwrap().push((from, self.now()));
    }

    /// Reads every chat to its end, from every node.
    fn drain(&self) {
        thread::scope(|scope| {
            for reader in 0..8 {
                scope.spawn(move || {
                    for log in (reader..self.chats.len()).step_by(8) {
                        for node in &self.nodes {
                            self.read_whole(log, *node);
                        }
                    }
                });
            }
        });
    }

    fn read_whole(&self, log: usize, node: SocketAddr) {
        let mut seen = None;
        eventually("a chat to be read", Duration::from_secs(30), || {
            seen = client::read(node, &self.chats[log]);
            seen.is_some()
        });
        let reading = Reading {
            log,
            seen: seen.unwrap(),
            complete: true,
        };
        self.history.lock().unwrap().readings.push(reading);
    }

    fn judge(self, kills: usize) {
        let refused = self.refused.into_inner().unwrap();
        let outages = self.outages.into_inner().unwrap();
        let history = self.history.into_inner().unwrap();
        let found = violations(&history);
        let excused = |one: &&Refused| {
            let during = |(from, to): &(u64, u64)| one.invoked <= *to && one.ended >= *from;
            outages.iter().any(during)
        };
        let wrongly: Vec<(u16, u64, u64)> = refused
            .iter()
            .filter(|one| !excused(one))
            .map(|one| (one.status, one.invoked, one.ended))
            .collect();
        eprintln!(
            "{kills} kills with at least {IN_FLIGHT} appends in flight on {} logs, {} times of them the store: {} appends, {} acknowledged, \
             {} of unknown outcome, {} of those refused while the store was away, {} refused by a healthy store: {} violations",
            self.chats.len(),
            outages.len(),
            history.sends.len(),
            history.acknowledged(),
            history.unknown(),
            refused.len() - wrongly.len(),
            wrongly.len(),
            found.len()
        );
        assert_eq!(found, []);
        assert!(
            wrongly.is_empty(),
            "a healthy store refused: {wrongly:?}; it was away {outages:?}"
        );
        assert!(
            history.unknown() > refused.len(),
            "no append was cut: the kills hit nothing"
        );
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_a_node_with_its_own_store_is_killed_again_and_again() {
    let kills = number("NEXUS_TEST_KILLS", 10);
    let mut node = Node::start(&[]);
    let stage = Stage::open(vec![node.addr]);
    thread::scope(|scope| {
        let _over = Over(&stage);
        for writer in 0..WRITERS {
            let stage = &stage;
            scope.spawn(move || stage.write(writer));
        }
        for _ in 0..kills {
            stage.progress();
            node.crash();
        }
        stage.progress();
    });
    // Its store is as healthy as the node: whenever it answers, it accepts.
    stage.drain();
    stage.judge(kills);
}

#[test]
fn nothing_acknowledged_is_lost_when_two_nodes_and_their_redis_are_killed_again_and_again() {
    let kills = number("NEXUS_TEST_KILLS", 9);
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
    let stage = Stage::open(nodes.iter().map(|node| node.addr).collect());
    let probes: Vec<Chat> = (0..PROBES)
        .map(|_| client::open(stage.nodes[0], "probe").unwrap())
        .collect();
    thread::scope(|scope| {
        let _over = Over(&stage);
        for writer in 0..WRITERS {
            let stage = &stage;
            scope.spawn(move || stage.write(writer));
        }
        for kill in 0..kills {
            stage.progress();
            match kill % 3 {
                2 => stage.outage(&probes, || {
                    redis.kill();
                    // Every other time it comes back with an older history than it acknowledged.
                    if kill % 2 == 0 {
                        redis.lose_the_end(LOST_BYTES);
                    }
                    redis.restart();
                }),
                node => nodes[node].crash(),
            }
        }
        stage.progress();
    });
    stage.drain();
    stage.judge(kills);
}
