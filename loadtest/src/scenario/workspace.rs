//! `workspace`: N agents signed in over WSS, each with some chats, idle; what each costs, what signing in costs, and how fast a command is
//! answered.
//!
//! Memory is a slope between half of the agents and all of them, since allocator and runtime cost some megabytes once.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::crew::{self, Customers, reach};
use crate::measure::{Latencies, Results};
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::ServerArgs;
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
    /// Chats that each works in while it idles.
    #[arg(long, default_value_t = 3)]
    pub follow: usize,
    /// New chats a second.
    #[arg(long, default_value_t = 400)]
    pub chats: u32,
    /// Seconds that memory is given to settle before it is read.
    #[arg(long, default_value_t = 10)]
    pub settle: u64,
    /// Commands sent once all are idle, one agent each.
    #[arg(long, default_value_t = 1_000)]
    pub commands: usize,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

#[derive(Default)]
struct Tally {
    signed_in: usize,
    chats: usize,
    sign_in: Latencies,
    command: Latencies,
    errors: std::collections::BTreeMap<String, u64>,
}

impl Tally {
    fn failed(&mut self, error: &anyhow::Error) {
        *self.errors.entry(error.to_string()).or_default() += 1;
    }

    fn failures(&self) -> usize {
        usize::try_from(self.errors.values().sum::<u64>()).unwrap_or(usize::MAX)
    }
}

/// Runs the story.
pub async fn run(args: WorkspaceArgs) -> Result<Results> {
    let server = crew::start(&args.server, args.agents, args.follow.max(1)).await?;
    let tally = Rc::new(RefCell::new(Tally::default()));
    let go = Rc::new(Notify::new());
    let mut customers = Customers::of(&server).await?;
    let mut agents = JoinSet::new();
    let before = Usage::of(server.pid())?;
    let mut signing_in = Duration::ZERO;
    let mut half = before;
    for (first, last) in [(0, args.agents / 2), (args.agents / 2, args.agents)] {
        half = Usage::of(server.pid())?;
        let bar = crew::bar(last - first, "signing in")?;
        let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
        for index in first..last {
            let due = pace.next().await;
            let target = server.target();
            let (tally, go) = (Rc::clone(&tally), Rc::clone(&go));
            let follow = args.follow > 0;
            agents.spawn_local(async move {
                let opened = crew::sign_in(&target, index);
                if let Err(error) = live(opened, follow, due, &tally, &go).await {
                    tally.borrow_mut().failed(&error);
                }
            });
            bar.inc(1);
        }
        reach(60, || {
            tally.borrow().signed_in + tally.borrow().failures() >= last
        })
        .await;
        signing_in += Usage::of(server.pid())?.cpu - half.cpu;
        bar.finish_and_clear();
        let bar = crew::bar(args.follow * (last - first), "chats")?;
        let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.chats.max(1));
        for _ in 0..args.follow * (last - first) {
            pace.next().await;
            let chat = customers.chat();
            let tally = Rc::clone(&tally);
            agents.spawn_local(async move {
                if let Err(error) = chat.await {
                    tally.borrow_mut().failed(&error);
                }
            });
            bar.inc(1);
        }
        reach(60, || {
            tally.borrow().chats + tally.borrow().failures() >= args.follow * last
        })
        .await;
        bar.finish_and_clear();
        tokio::time::sleep(Duration::from_secs(args.settle)).await;
        if last < args.agents {
            half = Usage::of(server.pid())?;
        }
    }
    let full = Usage::of(server.pid())?;

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
    let mut results = Results {
        title: format!(
            "workspace: {} agents over WSS, {} chats each",
            args.agents, args.follow
        ),
        ..Results::default()
    };
    results.figures.extend([
        ("agents".to_owned(), tally.signed_in as f64),
        ("chats_taken".to_owned(), tally.chats as f64),
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
            tally.signed_in as f64 / signing_in.as_secs_f64().max(f64::EPSILON),
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

/// An agent's life: signs in, takes the chats it is offered, idles, answers pings, and once commands something.
async fn live(
    opened: impl Future<Output = Result<AgentStream>>,
    follow: bool,
    due: Instant,
    tally: &RefCell<Tally>,
    go: &Notify,
) -> Result<()> {
    let mut stream = opened.await?;
    {
        let mut tally = tally.borrow_mut();
        tally.sign_in.record(due.elapsed());
    }
    if follow {
        crew::take_chats(&mut stream).await?;
    }
    tally.borrow_mut().signed_in += 1;
    let mut working = std::collections::HashSet::new();
    loop {
        tokio::select! {
            event = stream.next() => {
                if let Some(session) = crew::began(&event?) && working.insert(session.to_owned()) {
                    tally.borrow_mut().chats += 1;
                }
                continue;
            }
            () = go.notified() => {}
        }
        let sent = Instant::now();
        stream.asks("ready", json!({ "media": "chat" })).await?;
        tally.borrow_mut().command.record(sent.elapsed());
    }
}
