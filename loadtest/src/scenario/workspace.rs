//! `workspace`: N agents signed in over WSS, each with some chats, idle; what each costs, what signing in costs, and how fast a command is
//! answered.
//!
//! Memory is a slope between half of the agents and all of them, since allocator and runtime cost some megabytes once. With `--message`
//! every agent then sends and gets one large message, and memory is read again once all are idle.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::crew::{self, Customers, SIGNED_IN, count_to};
use crate::measure::Results;
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::ServerArgs;
use crate::stream::AgentStream;
use crate::tally::Shared;

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
    /// Bytes of a message that every agent sends once all are idle, into a chat where it has one; 0: none is sent.
    #[arg(long, default_value_t = 0)]
    pub message: usize,
    /// The most bytes that an agent may cost; beyond it the run fails.
    #[arg(long)]
    pub gate: Option<f64>,
    /// Commands sent once all are idle, one agent each.
    #[arg(long, default_value_t = 1_000)]
    pub commands: usize,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Seconds in which at least one more agent, chat or message must be there.
const PATIENCE: u64 = 20;
/// Chats that are taken, in the tally.
const CHATS: &str = "chats";
/// Messages that were sent, in the tally.
const SPOKE: &str = "spoke";

/// Runs the story.
pub async fn run(args: WorkspaceArgs) -> Result<Results> {
    let server = crew::start(&args.server, args.agents, args.follow.max(1)).await?;
    let tally = Shared::default();
    let (go, speak) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
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
            let agent = Agent {
                follow: args.follow > 0,
                message: args.message,
                tally: Rc::clone(&tally),
                go: Rc::clone(&go),
                speak: Rc::clone(&speak),
            };
            agents.spawn_local(async move {
                let opened = crew::sign_in(&target, index);
                if let Err(error) = agent.live(opened, due).await {
                    agent.tally.borrow_mut().failed("agent", &error);
                }
            });
            bar.inc(1);
        }
        count_to(last, PATIENCE, || tally.borrow().counted(SIGNED_IN)).await;
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
                    tally.borrow_mut().failed("chat", &error);
                }
            });
            bar.inc(1);
        }
        count_to(args.follow * last, PATIENCE, || tally.borrow().counted(CHATS)).await;
        bar.finish_and_clear();
        tokio::time::sleep(Duration::from_secs(args.settle)).await;
        if last < args.agents {
            half = Usage::of(server.pid())?;
        }
    }
    let full = Usage::of(server.pid())?;
    let there = usize::try_from(tally.borrow().counted(SIGNED_IN))?;

    let mut spoken = None;
    if args.message > 0 {
        let bar = crew::bar(there, "messages")?;
        let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
        for _ in 0..there {
            pace.next().await;
            speak.notify_one();
            bar.inc(1);
        }
        count_to(there, PATIENCE, || tally.borrow().counted(SPOKE)).await;
        bar.finish_and_clear();
        tokio::time::sleep(Duration::from_secs(args.settle)).await;
        spoken = Some(Usage::of(server.pid())?.anonymous as f64);
    }

    let mut pace = Pace::new(Instant::now(), Duration::from_millis(5));
    let commands = args.commands.min(there);
    for _ in 0..commands {
        pace.next().await;
        go.notify_one();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    agents.abort_all();
    let mut tally = tally.borrow_mut();
    if there == 0 {
        bail!("nobody could sign in: {:?}", tally.errors());
    }
    let added = (args.agents - args.agents / 2) as f64;
    let how = if args.server.plain {
        "plain WebSocket"
    } else {
        "WSS"
    };
    let mut results = Results {
        title: format!(
            "workspace: {} agents over {how}, {} chats each",
            args.agents, args.follow
        ),
        ..Results::default()
    };
    let slope = full.anonymous.saturating_sub(half.anonymous) as f64 / added;
    results.figures.extend([
        ("agents".to_owned(), there as f64),
        ("chats_taken".to_owned(), tally.counted(CHATS) as f64),
        ("bytes_per_agent_slope".to_owned(), slope),
        (
            "bytes_per_agent_mean".to_owned(),
            full.anonymous.saturating_sub(before.anonymous) as f64 / there as f64,
        ),
        (
            "sign_ins_per_cpu_second".to_owned(),
            there as f64 / signing_in.as_secs_f64().max(f64::EPSILON),
        ),
        ("server_open_files".to_owned(), full.files as f64),
    ]);
    if let Some(spoken) = spoken {
        let after = slope + (spoken - full.anonymous as f64) / there as f64;
        results.figures.extend([
            ("bytes_per_agent_after_a_message".to_owned(), after),
            ("ratio_after_a_message".to_owned(), after / slope.max(1.0)),
        ]);
    }
    let named = [
        ("sign in", "sign in"),
        ("command to reply, durable", "command"),
        ("message to reply", SPOKE),
    ];
    for (name, what) in named {
        let summary = tally.latency(what);
        if summary.count > 0 {
            results.latencies.insert(name.to_owned(), summary);
        }
    }
    results.errors = tally.errors();
    let missing = [
        ("agents who are not signed in", args.agents - there),
        (
            "chats that nobody took",
            (args.follow * args.agents).saturating_sub(usize::try_from(tally.counted(CHATS))?),
        ),
    ];
    for (what, missing) in missing.into_iter().filter(|(_, missing)| *missing > 0) {
        results.errors.insert(what.to_owned(), missing as u64);
    }
    if let Some(most) = args.gate.filter(|most| slope > *most) {
        results
            .errors
            .insert(format!("an agent costs more than {most} bytes: {slope:.0}"), 1);
    }
    results.curves.insert(
        "anonymous memory of the server, MB, by agents".to_owned(),
        vec![
            (0.0, before.anonymous as f64 / 1e6),
            (args.agents as f64 / 2.0, half.anonymous as f64 / 1e6),
            (args.agents as f64, full.anonymous as f64 / 1e6),
        ],
    );
    Ok(results)
}

/// An agent's life: signs in, takes the chats it is offered, idles, answers pings, and once or twice says something.
struct Agent {
    follow: bool,
    /// Bytes of its message.
    message: usize,
    tally: Shared,
    /// Rung when it is to command something.
    go: Rc<Notify>,
    /// Rung when it is to send its message.
    speak: Rc<Notify>,
}

impl Agent {
    async fn live(&self, opened: impl Future<Output = Result<AgentStream>>, due: Instant) -> Result<()> {
        let mut stream = opened.await?;
        self.tally.borrow_mut().took("sign in", due.elapsed());
        if self.follow {
            crew::take_chats(&mut stream).await?;
        }
        self.tally.borrow_mut().count(SIGNED_IN);
        let mut working = std::collections::BTreeSet::new();
        let mut spoke = false;
        loop {
            tokio::select! {
                event = stream.next() => {
                    if let Some(session) = crew::began(&event?) && working.insert(session.to_owned()) {
                        self.tally.borrow_mut().count(CHATS);
                    }
                }
                () = self.go.notified() => {
                    let sent = Instant::now();
                    stream.asks("ready", json!({ "media": "chat" })).await?;
                    self.tally.borrow_mut().took("command", sent.elapsed());
                }
                () = self.speak.notified(), if !spoke => {
                    spoke = true;
                    let sent = Instant::now();
                    let words = "x".repeat(self.message);
                    match working.first() {
                        Some(session) => {
                            let said = json!({ "session": session, "message": words, "visibility": "All" });
                            stream.asks("send-message", said).await?;
                        }
                        // There is nowhere to say it.
                        None => stream.asks_at_length("ready", json!({ "media": "chat" }), self.message).await?,
                    }
                    let mut tally = self.tally.borrow_mut();
                    tally.took(SPOKE, sent.elapsed());
                    tally.count(SPOKE);
                }
            }
        }
    }
}
