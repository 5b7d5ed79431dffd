//! `compare`: the same three things of this server and of others that a package manager installs, one after another in one run: what an
//! idle connection over TLS costs, what an echo costs, what a delivery to many costs.
//!
//! The others are given what their documentation recommends, one process to serve with, and no compression.

mod peers;

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HOST;
use tokio::task::JoinSet;

use self::peers::{Peer, Running};
use crate::crew;
use crate::http::{Connection, loopback};
use crate::measure::Results;
use crate::scenario::fanout;
use crate::server::ServerArgs;
use crate::socket::{Socket, TEXT};

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Idle connections.
    #[arg(long, default_value_t = 8_000)]
    pub connections: usize,
    /// Connections that echo.
    #[arg(long, default_value_t = 64)]
    pub echoing: usize,
    /// Subscribers who are told.
    #[arg(long, default_value_t = 990)]
    pub subscribers: usize,
    /// Messages in flight in a burst.
    #[arg(long, default_value_t = 16)]
    pub burst: usize,
    /// How long each measurement takes, seconds.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Seconds that memory is given to settle before it is read.
    #[arg(long, default_value_t = 4)]
    pub settle: u64,
    /// Where npm has put `ws`.
    #[arg(long, default_value = "target/node/node_modules")]
    pub modules: PathBuf,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Agents who watch one chat; a session holds twenty participants.
const WATCHERS: usize = 18;
/// Connections that are opened at the same time.
const AT_ONCE: usize = 64;
/// Connections from one address.
const PER_ADDRESS: usize = 100;
/// What is echoed and told.
const WORDS: [u8; 100] = [b'x'; 100];
/// How long the last deliveries may take, seconds.
const PATIENCE: u64 = 30;

/// Runs the story.
pub async fn run(args: CompareArgs) -> Result<Results> {
    let mut results = Results {
        title: format!(
            "compare: {} idle connections, {} that echo, {} who are told",
            args.connections, args.echoing, args.subscribers
        ),
        ..Results::default()
    };
    let mut told = Told(&mut results);
    for peer in [Peer::Ours, Peer::NodeWs, Peer::Nchan] {
        let running = peer.start(&args.server, &args.modules).await?;
        told.figure("bytes_per_idle_connection", peer, hold(&args, &running).await?);
        drop(running);
        if peer.echoes() {
            let running = peer.start(&args.server, &args.modules).await?;
            for (name, depth) in [("echo_ns", 1), ("echo_ns_in_bursts", args.burst)] {
                told.figure(name, peer, echo(&args, &running, depth).await?);
            }
        }
        if peer == Peer::Ours {
            let cost = fanout::measure(&fanout::FanoutArgs {
                sessions: (args.subscribers / WATCHERS).max(1),
                watchers: WATCHERS,
                burst: args.burst,
                rate: 100,
                bursts: 40,
                seconds: args.seconds,
                ramp: 200,
                server: args.server.clone(),
                report: args.report.clone(),
            })
            .await?;
            told.figure("delivery_ns", peer, cost.single.slope);
            told.figure("delivery_ns_in_bursts", peer, cost.burst.slope);
        } else {
            let running = peer.start(&args.server, &args.modules).await?;
            let subscribers = subscribe(&args, &running, args.subscribers).await?;
            for (name, depth) in [("delivery_ns", 1), ("delivery_ns_in_bursts", args.burst)] {
                told.figure(name, peer, tell(&args, &running, &subscribers, depth).await?);
            }
        }
    }
    told.ratios();
    Ok(results)
}

struct Told<'r>(&'r mut Results);

impl Told<'_> {
    fn figure(&mut self, name: &str, peer: Peer, value: f64) {
        self.0.figures.insert(format!("{name}_{}", peer.name()), value);
    }

    /// Ours divided by each of the others'.
    fn ratios(&mut self) {
        let figures = self.0.figures.clone();
        for (name, value) in &figures {
            for peer in [Peer::NodeWs, Peer::Nchan] {
                let Some(what) = name.strip_suffix(peer.name()) else {
                    continue;
                };
                if let Some(ours) = figures.get(&format!("{what}{}", Peer::Ours.name())) {
                    let ratio = format!("ratio_{what}ours_to_{}", peer.name());
                    self.0.figures.insert(ratio, ours / value.max(f64::EPSILON));
                }
            }
        }
    }
}

async fn open(running: &Running, index: usize, path: &str) -> Result<Socket> {
    let io = running.target().open(loopback(index, PER_ADDRESS)).await?;
    let mut socket = Socket::new(io);
    socket.upgrade(path, "").await?;
    Ok(socket)
}

/// Opens connections, so many at the same time, and lets each do what it does once.
async fn opened(running: &Running, indices: std::ops::Range<usize>) -> Result<Vec<Socket>> {
    let bar = crew::bar(indices.len(), running.peer().name())?;
    let mut opening = JoinSet::new();
    let mut sockets = Vec::with_capacity(indices.len());
    for index in indices {
        if opening.len() == AT_ONCE
            && let Some(socket) = opening.join_next().await
        {
            sockets.push(socket??);
        }
        let running = running.seen();
        opening.spawn_local(async move {
            let peer = running.peer();
            let mut socket = open(&running, index, peer.idle_path()).await?;
            if peer.echoes() {
                socket.send(TEXT, &WORDS, 1).await?;
                socket.texts(1).await?;
            }
            anyhow::Ok(socket)
        });
        bar.inc(1);
    }
    while let Some(socket) = opening.join_next().await {
        sockets.push(socket??);
    }
    bar.finish_and_clear();
    Ok(sockets)
}

/// Bytes of an idle connection: a slope between half of them and all.
async fn hold(args: &CompareArgs, running: &Running) -> Result<f64> {
    let half = args.connections / 2;
    let mut held = opened(running, 0..half).await?;
    tokio::time::sleep(Duration::from_secs(args.settle)).await;
    let before = running.usage()?.anonymous;
    held.extend(opened(running, half..args.connections).await?);
    tokio::time::sleep(Duration::from_secs(args.settle)).await;
    let after = running.usage()?.anonymous;
    drop(held);
    Ok(after.saturating_sub(before) as f64 / (args.connections - half) as f64)
}

/// Nanoseconds of CPU that an echo takes, with so many in flight on each connection.
async fn echo(args: &CompareArgs, running: &Running, depth: usize) -> Result<f64> {
    let sockets = opened(running, 0..args.echoing).await?;
    let before = running.usage()?.cpu;
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut asking = JoinSet::new();
    for mut socket in sockets {
        asking.spawn_local(async move {
            let mut count = 0_u64;
            while Instant::now() < end {
                socket.send(TEXT, &WORDS, depth).await?;
                socket.texts(depth).await?;
                count += depth as u64;
            }
            anyhow::Ok(count)
        });
    }
    let mut messages = 0;
    while let Some(count) = asking.join_next().await {
        messages += count??;
    }
    let spent = running.usage()?.cpu - before;
    Ok(spent.as_secs_f64() * 1e9 / messages.max(1) as f64)
}

/// Those who are told, and how often anybody was.
struct Subscribers {
    heard: Rc<Cell<u64>>,
    count: usize,
    _listening: JoinSet<()>,
}

async fn subscribe(args: &CompareArgs, running: &Running, count: usize) -> Result<Subscribers> {
    let heard = Rc::new(Cell::new(0));
    let mut listening = JoinSet::new();
    let bar = crew::bar(count, running.peer().name())?;
    for index in 0..count {
        let mut socket = open(running, index, running.peer().subscribe_path()).await?;
        let heard = Rc::clone(&heard);
        listening.spawn_local(async move {
            while socket.texts(1).await.is_ok() {
                heard.set(heard.get() + 1);
            }
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    tokio::time::sleep(Duration::from_secs(args.settle)).await;
    Ok(Subscribers {
        heard,
        count,
        _listening: listening,
    })
}

/// Nanoseconds of CPU that a delivery takes, so many messages at a time.
async fn tell(args: &CompareArgs, running: &Running, subscribers: &Subscribers, depth: usize) -> Result<f64> {
    let mut publisher = Publisher::open(running, depth).await?;
    let before = running.usage()?.cpu;
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut deliveries = 0;
    while Instant::now() < end {
        let wanted = subscribers.heard.get() + (subscribers.count * depth) as u64;
        publisher.publish(depth).await?;
        reach_soon(|| subscribers.heard.get() >= wanted).await?;
        deliveries += subscribers.count * depth;
    }
    let spent = running.usage()?.cpu - before;
    Ok(spent.as_secs_f64() * 1e9 / deliveries.max(1) as f64)
}

/// Waits without pause: a round of deliveries takes milliseconds.
async fn reach_soon(done: impl Fn() -> bool) -> Result<()> {
    let give_up = Instant::now() + Duration::from_secs(PATIENCE);
    while !done() {
        if Instant::now() > give_up {
            bail!("not everybody was told");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Who tells them: over one socket, or over as many connections as there are messages of a burst.
enum Publisher {
    Socket(Socket),
    Posts(Vec<Connection>),
}

impl Publisher {
    async fn open(running: &Running, depth: usize) -> Result<Self> {
        if running.peer() == Peer::NodeWs {
            let socket = open(running, 0, "/pub").await?;
            return Ok(Self::Socket(socket));
        }
        let mut posts = Vec::with_capacity(depth);
        for index in 0..depth {
            posts.push(Connection::open(running.target(), loopback(index, PER_ADDRESS)).await?);
        }
        Ok(Self::Posts(posts))
    }

    async fn publish(&mut self, depth: usize) -> Result<()> {
        let posts = match self {
            Self::Socket(socket) => return socket.send(TEXT, &WORDS, depth).await,
            Self::Posts(posts) => posts,
        };
        let mut sending = JoinSet::new();
        for mut post in posts.drain(..) {
            let request = Request::post("/pub")
                .header(HOST, "localhost")
                .body(Full::new(Bytes::from_static(&WORDS)))?;
            sending.spawn_local(async move {
                let (status, _) = post.send(request).await?;
                if !status.is_success() {
                    bail!("publish: {status}");
                }
                anyhow::Ok(post)
            });
        }
        while let Some(post) = sending.join_next().await {
            posts.push(post??);
        }
        Ok(())
    }
}
