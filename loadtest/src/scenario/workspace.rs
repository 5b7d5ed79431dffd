//! `workspace`: N agents signed in over WSS, idle; what each costs, what signing in costs, and how fast a command is answered.
//!
//! Memory is a slope between half of the agents and all of them, since allocator and runtime cost some megabytes once.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::http::loopback;
use crate::measure::{Latencies, Results};
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::{Server, ServerArgs};
use crate::stream::AgentStream;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct WorkspaceArgs {
    /// How many agents.
    #[arg(long, default_value_t = 15_000)]
    pub agents: usize,
    /// New agents a second.
    #[arg(long, default_value_t = 400)]
    pub ramp: u32,
    /// Commands sent once all are idle, one agent each.
    #[arg(long, default_value_t = 1_000)]
    pub commands: usize,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Connections that one address may open are limited by the server.
const PER_ADDRESS: usize = 150;
/// How long memory is given to settle before it is read.
const SETTLE: Duration = Duration::from_secs(4);

#[derive(Default)]
struct Tally {
    signed_in: usize,
    sign_in: Latencies,
    command: Latencies,
    errors: std::collections::BTreeMap<String, u64>,
}

/// Runs the story.
pub async fn run(args: WorkspaceArgs) -> Result<Results> {
    let file = std::env::temp_dir().join(format!("nexus-load-tenant-{}.toml", std::process::id()));
    std::fs::write(&file, tenant(args.agents)?)?;
    let server = ServerArgs {
        provision: Some(file.clone()),
        ..args.server.clone()
    };
    let server = Server::of(&server).await?;
    std::fs::remove_file(&file)?;

    let tally = Rc::new(RefCell::new(Tally::default()));
    let go = Rc::new(Notify::new());
    let bar = ProgressBar::new(args.agents as u64)
        .with_style(ProgressStyle::with_template(
            "{msg} {wide_bar} {pos}/{len} {elapsed}",
        )?)
        .with_message("signing in");
    let mut agents = JoinSet::new();
    let before = Usage::of(server.pid())?;
    let started = Instant::now();
    let mut pace = Pace::new(started, Duration::from_secs(1) / args.ramp.max(1));
    let mut half = before;
    for index in 0..args.agents {
        if index == args.agents / 2 {
            settle(&tally, index).await;
            half = Usage::of(server.pid())?;
            pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
        }
        let due = pace.next().await;
        let target = server.target();
        let (tally, go) = (Rc::clone(&tally), Rc::clone(&go));
        agents.spawn_local(async move {
            let opened = async {
                let io = target.open(loopback(index, PER_ADDRESS)).await?;
                AgentStream::open(io, &token(index)).await
            };
            if let Err(error) = live(opened, due, &tally, &go).await {
                *tally.borrow_mut().errors.entry(error.to_string()).or_default() += 1;
            }
        });
        bar.inc(1);
    }
    settle(&tally, args.agents).await;
    let full = Usage::of(server.pid())?;
    bar.finish_with_message("signed in");

    let mut pace = Pace::new(Instant::now(), Duration::from_millis(5));
    let commands = args.commands.min(tally.borrow().signed_in);
    for _ in 0..commands {
        pace.next().await;
        go.notify_one();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    agents.abort_all();
    let tally = tally.borrow();
    if tally.signed_in == 0 {
        bail!("nobody could sign in: {:?}", tally.errors);
    }
    let added = (args.agents - args.agents / 2) as f64;
    let cpu = (full.cpu - before.cpu).as_secs_f64();
    let mut results = Results {
        title: format!("workspace: {} agents over WSS", args.agents),
        ..Results::default()
    };
    results.figures.extend([
        ("agents".to_owned(), tally.signed_in as f64),
        (
            "bytes_per_agent_slope".to_owned(),
            full.anonymous.saturating_sub(half.anonymous) as f64 / added,
        ),
        (
            "bytes_per_agent_mean".to_owned(),
            full.anonymous.saturating_sub(before.anonymous) as f64 / tally.signed_in as f64,
        ),
        (
            "sign_ins_per_cpu_second".to_owned(),
            tally.signed_in as f64 / cpu.max(f64::EPSILON),
        ),
        ("server_open_files".to_owned(), full.files as f64),
    ]);
    let named = [
        ("sign in", &tally.sign_in),
        ("command to reply, durable", &tally.command),
    ];
    results
        .latencies
        .extend(named.map(|(name, latencies)| (name.to_owned(), latencies.summary())));
    results.curves.insert(
        "anonymous memory of the server, MB, by agents".to_owned(),
        vec![
            (0.0, before.anonymous as f64 / 1e6),
            (args.agents as f64 / 2.0, half.anonymous as f64 / 1e6),
            (args.agents as f64, full.anonymous as f64 / 1e6),
        ],
    );
    results.errors = tally.errors.clone();
    Ok(results)
}

/// Waits until as many are in, or have failed, and then a while.
async fn settle(tally: &RefCell<Tally>, wanted: usize) {
    let give_up = Instant::now() + Duration::from_secs(60);
    let done = || {
        let tally = tally.borrow();
        let failed: u64 = tally.errors.values().sum();
        tally.signed_in + usize::try_from(failed).unwrap_or(usize::MAX) >= wanted
    };
    while !done() && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(SETTLE).await;
}

/// An agent's life: signs in, idles, answers pings, and once commands something.
async fn live(
    opened: impl Future<Output = Result<AgentStream>>,
    due: Instant,
    tally: &RefCell<Tally>,
    go: &Notify,
) -> Result<()> {
    let mut stream = opened.await?;
    {
        let mut tally = tally.borrow_mut();
        tally.signed_in += 1;
        tally.sign_in.record(due.elapsed());
    }
    loop {
        tokio::select! {
            // Nothing of this name ever comes: reads and answers pings for as long as the agent idles.
            ended = stream.until("nothing") => return ended.map(drop),
            () = go.notified() => {}
        }
        let sent = Instant::now();
        stream
            .command(&json!({ "cmd": "ready", "cmdId": id(), "media": "chat" }))
            .await?;
        stream.until("reply").await?;
        tally.borrow_mut().command.record(sent.elapsed());
    }
}

/// A fresh `cmdId`: any UUID will do, as long as it is another one.
fn id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "00000000-0000-4000-8000-{:012x}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

fn token(index: usize) -> String {
    format!("load-agent-{index:06}-token")
}

/// A tenant with this many agents, as a file that `nexus provision` takes.
fn tenant(agents: usize) -> Result<String> {
    let mut file = String::from(
        "[[tenant]]\nccid = \"5d1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b\"\nsid = \"load\"\nname = \"Load\"\nregion = \"local\"\n\
         staticAgentTokens = true\n\n[[tenant.queues]]\nname = \"chat.load\"\n",
    );
    for index in 0..agents {
        write!(
            file,
            "\n[[tenant.agents]]\nlogin = \"agent{index:06}\"\ntoken = \"{}\"\ncapacity = {{ chat = 3 }}\n",
            token(index)
        )?;
    }
    Ok(file)
}
