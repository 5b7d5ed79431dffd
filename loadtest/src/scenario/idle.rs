//! `idle`: keep-alive connections of widgets that poll every few seconds and hear nothing new. What such a connection costs between two
//! polls, on HTTP/1.1 and on HTTP/2; a slope between half of them and all.
//!
//! Few chats are polled by many connections, so that it is the connections that are counted.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::Request;
use tokio::task::JoinSet;

use crate::crew::{self, reach};
use crate::http::{Connection, loopback};
use crate::measure::Results;
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::{Server, ServerArgs};
use crate::tally::Shared;
use crate::widget::Widget;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// Connections.
    #[arg(long, default_value_t = 6_000)]
    pub connections: usize,
    /// Chats that they poll.
    #[arg(long, default_value_t = 20)]
    pub chats: usize,
    /// New connections a second.
    #[arg(long, default_value_t = 300)]
    pub ramp: u32,
    /// Milliseconds between two polls of a connection.
    #[arg(long, default_value_t = 3_000)]
    pub every: u64,
    /// Seconds that memory is given to settle before it is read.
    #[arg(long, default_value_t = 10)]
    pub settle: u64,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Connections that are open, in the tally.
const OPEN: &str = "open";
/// Connections that one address may open are limited by the server.
const PER_ADDRESS: usize = 100;
/// Memory is looked at so often while it is read; polls come and go, so the middle counts.
const LOOKS: usize = 11;

/// Runs the story.
pub async fn run(args: IdleArgs) -> Result<Results> {
    let mut results = Results {
        title: format!(
            "idle: {} connections that poll every {} ms",
            args.connections, args.every
        ),
        ..Results::default()
    };
    let protocols = if args.server.plain {
        &[false][..]
    } else {
        &[false, true][..]
    };
    for http2 in protocols {
        one(&args, *http2, &mut results).await?;
    }
    Ok(results)
}

async fn one(args: &IdleArgs, http2: bool, results: &mut Results) -> Result<()> {
    let mut server = args.server.clone();
    server.set.extend([
        "limits.rates.session=1000000/s burst 1000000".to_owned(),
        "limits.rates.address=1000000/s burst 1000000".to_owned(),
    ]);
    let server = Server::of(&server).await?;
    let mut polls = Vec::with_capacity(args.chats);
    for index in 0..args.chats.max(1) {
        let connection = Connection::open(&server.target(), loopback(20_000 + index, 1)).await?;
        let mut chat = Widget::open(connection, server.api_key(), args.server.endpoint(), "Load").await?;
        let [_, poll] = chat.poll_requests()?;
        polls.push(poll);
    }
    let name = if http2 { "http2" } else { "http1" };
    let tally = Shared::default();
    let mut polling = JoinSet::new();
    let mut memory = Vec::new();
    for (first, last) in [
        (0, args.connections / 2),
        (args.connections / 2, args.connections),
    ] {
        let bar = crew::bar(last - first, name)?;
        let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
        for index in first..last {
            pace.next().await;
            let (target, tally) = (server.target(), Rc::clone(&tally));
            let poll = polls[index % polls.len()].clone();
            let every = Duration::from_millis(args.every);
            polling.spawn_local(async move {
                let source = loopback(index, PER_ADDRESS);
                let opened = if http2 {
                    Connection::open_http2(&target, source).await
                } else {
                    Connection::open(&target, source).await
                };
                let ended = match opened {
                    Ok(connection) => go_on(connection, poll, every, &tally).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = ended {
                    tally.borrow_mut().failed(name, &error);
                }
            });
            bar.inc(1);
        }
        reach(60, || tally.borrow().is_over(OPEN, last)).await;
        bar.finish_and_clear();
        tokio::time::sleep(Duration::from_secs(args.settle)).await;
        memory.push(resting(&server, args.every).await?);
    }
    let open = tally.borrow().counted(OPEN);
    if open < args.connections as u64 {
        bail!("only {open} connections: {:?}", tally.borrow().errors());
    }
    polling.shutdown().await;
    let mut tally = tally.borrow_mut();
    let added = (args.connections - args.connections / 2) as f64;
    let slope = (memory[1] - memory[0]) / added;
    results
        .figures
        .insert(format!("bytes_per_{name}_connection"), slope);
    results
        .latencies
        .insert(format!("poll over {name}"), tally.latency("poll"));
    results.errors.extend(tally.errors());
    Ok(())
}

async fn go_on(
    mut connection: Connection,
    poll: Request<Full<Bytes>>,
    every: Duration,
    tally: &Shared,
) -> Result<()> {
    let mut pace = Pace::new(Instant::now(), every);
    let mut first = true;
    loop {
        let due = pace.next().await;
        let (status, _) = connection.send(poll.clone()).await?;
        if !status.is_success() {
            bail!("{status}");
        }
        let mut tally = tally.borrow_mut();
        tally.took("poll", due.elapsed());
        if std::mem::take(&mut first) {
            tally.count(OPEN);
        }
    }
}

/// Bytes that the server holds while connections rest: the median over one round of polls.
async fn resting(server: &Server, every: u64) -> Result<f64> {
    let mut looks = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        looks.push(Usage::of(server.pid())?.anonymous);
        tokio::time::sleep(Duration::from_millis(every) / u32::try_from(LOOKS)?).await;
    }
    looks.sort_unstable();
    Ok(looks[LOOKS / 2] as f64)
}
