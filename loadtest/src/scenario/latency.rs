//! `latency`: customers write on one node, agents read on another, with Redis and PostgreSQL between them. From the moment a text was due to
//! the moment its agent has it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::crew::{self, Customers, reach};
use crate::measure::{Latencies, Results};
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::ServerArgs;
use crate::stream::command_id;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct LatencyArgs {
    /// Chats, each with an agent.
    #[arg(long, default_value_t = 500)]
    pub chats: usize,
    /// Texts a second.
    #[arg(long, default_value_t = 500)]
    pub rate: u32,
    /// How long, seconds.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// Redis that both nodes share; empty, and nobody else's.
    #[arg(long)]
    pub redis: String,
    /// PostgreSQL that both nodes share: a database of its own.
    #[arg(long)]
    pub postgres: String,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// How long the last texts may take.
const PATIENCE: u64 = 30;

#[derive(Default)]
struct Tally {
    signed_in: usize,
    working: usize,
    due: HashMap<String, Instant>,
    seen: Latencies,
    answered: Latencies,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    fn failed(&mut self, what: &str, error: &anyhow::Error) {
        *self.errors.entry(format!("{what}: {error:#}")).or_default() += 1;
    }
}

/// Runs the story.
pub async fn run(args: LatencyArgs) -> Result<Results> {
    // Nodes of one cluster share the key that protects the others.
    let key = std::env::temp_dir().join(format!("nexus-load-key-{}", std::process::id()));
    std::fs::write(&key, STANDARD.encode([7; 32]))?;
    std::fs::set_permissions(&key, Permissions::from_mode(0o600))?;
    let mut node = args.server.clone();
    node.set.extend([
        "store.mode=redis".to_owned(),
        format!("store.redis.urls={}", args.redis),
        format!("postgres.url={}", args.postgres),
        format!("provisioning.master_key_file={}", key.display()),
    ]);
    let customers_node = crew::start(&node, args.chats, 1).await?;
    let agents_node = crate::server::Server::of(&node).await?;
    std::fs::remove_file(&key)?;
    let tally = Rc::new(RefCell::new(Tally::default()));
    let mut agents = JoinSet::new();
    for index in 0..args.chats {
        let (target, tally) = (agents_node.target(), Rc::clone(&tally));
        agents.spawn_local(async move {
            let read = async {
                let mut stream = crew::sign_in(&target, index).await?;
                crew::take_chats(&mut stream).await?;
                tally.borrow_mut().signed_in += 1;
                let mut works = false;
                loop {
                    let event = stream.next().await?;
                    let mut tally = tally.borrow_mut();
                    if crew::began(&event).is_some() && !std::mem::replace(&mut works, true) {
                        tally.working += 1;
                    }
                    for text in crew::texts(&event) {
                        if let Some(due) = tally.due.remove(text) {
                            tally.seen.record(due.elapsed());
                        }
                    }
                }
            };
            let ended: Result<()> = read.await;
            if let Err(error) = ended {
                tally.borrow_mut().failed("agent", &error);
            }
        });
    }
    reach(60, || tally.borrow().signed_in >= args.chats).await;
    let mut customers = Customers::of(&customers_node).await?;
    let mut chats = Vec::with_capacity(args.chats);
    for _ in 0..args.chats {
        chats.push(Rc::new(Mutex::new(customers.chat().await?)));
    }
    reach(60, || tally.borrow().working >= args.chats).await;
    if tally.borrow().working < args.chats {
        bail!(
            "only {} chats were taken: {:?}",
            tally.borrow().working,
            tally.borrow().errors
        );
    }

    let bar = crew::bar(usize::try_from(args.seconds)? * args.rate as usize, "texts")?;
    let before = [
        Usage::of(customers_node.pid())?.cpu,
        Usage::of(agents_node.pid())?.cpu,
    ];
    let began = Instant::now();
    let mut pace = Pace::new(began, Duration::from_secs(1) / args.rate.max(1));
    let mut sending = JoinSet::new();
    let mut number = 0_usize;
    while began.elapsed() < Duration::from_secs(args.seconds) {
        let due = pace.next().await;
        let (chat, tally) = (Rc::clone(&chats[number % chats.len()]), Rc::clone(&tally));
        number += 1;
        sending.spawn_local(async move {
            let words = command_id();
            tally.borrow_mut().due.insert(words.clone(), due);
            let sent = chat.lock().await.send(&words).await;
            let mut tally = tally.borrow_mut();
            match sent {
                Ok(()) => tally.answered.record(due.elapsed()),
                Err(error) => tally.failed("send", &error),
            }
        });
        while sending.try_join_next().is_some() {}
        bar.inc(1);
    }
    while sending.join_next().await.is_some() {}
    reach(PATIENCE, || tally.borrow().due.is_empty()).await;
    bar.finish_and_clear();
    let took = began.elapsed().as_secs_f64();
    let after = [
        Usage::of(customers_node.pid())?.cpu,
        Usage::of(agents_node.pid())?.cpu,
    ];
    agents.abort_all();

    let tally = tally.borrow();
    let mut results = Results {
        title: format!("latency: {} texts a second through two nodes", args.rate),
        ..Results::default()
    };
    let share = |node: usize| (after[node] - before[node]).as_secs_f64() / took;
    results.figures.extend([
        ("texts".to_owned(), number as f64),
        ("texts_not_seen".to_owned(), tally.due.len() as f64),
        ("cpu_share_of_the_customers_node".to_owned(), share(0)),
        ("cpu_share_of_the_agents_node".to_owned(), share(1)),
    ]);
    results.latencies.extend([
        ("due to acknowledged".to_owned(), tally.answered.summary()),
        ("due to seen by the agent".to_owned(), tally.seen.summary()),
    ]);
    results.errors = tally.errors.clone();
    if !tally.due.is_empty() {
        results
            .errors
            .insert("texts not seen".to_owned(), tally.due.len() as u64);
    }
    Ok(results)
}
