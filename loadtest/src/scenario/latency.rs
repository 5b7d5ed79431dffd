//! `latency`: customers write on one node, agents read on another, with Redis and PostgreSQL between them. From the moment a text was due to
//! the moment its agent has it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::cluster;
use crate::crew::{self, Customers, reach};
use crate::measure::Results;
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::ServerArgs;
use crate::stream::command_id;
use crate::tally::Shared;

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

/// Agents who sign in a second.
const RAMP: u32 = 400;
/// How long the last texts may take, seconds.
const PATIENCE: u64 = 30;

/// Runs the story.
pub async fn run(args: LatencyArgs) -> Result<Results> {
    let (node, _key) = cluster::of(&args.server, &args.redis, &args.postgres)?;
    let customers_node = crew::start(&node, args.chats, 1).await?;
    let agents_node = crate::server::Server::of(&node).await?;
    let tally = Shared::default();
    let mut agents = JoinSet::new();
    let heard = {
        let (tally, working) = (Rc::clone(&tally), RefCell::new(HashSet::new()));
        move |agent: usize, event: &Value| {
            if crew::began(event).is_some() && working.borrow_mut().insert(agent) {
                tally.borrow_mut().count("working");
            }
            for text in crew::texts(event) {
                tally.borrow_mut().seen("seen", text);
            }
        }
    };
    let target = agents_node.target();
    crew::work(&target, 0..args.chats, RAMP, &tally, &mut agents, Rc::new(heard)).await?;
    let mut customers = Customers::of(&customers_node).await?;
    let mut chats = Vec::with_capacity(args.chats);
    for _ in 0..args.chats {
        chats.push(Rc::new(Mutex::new(customers.chat().await?)));
    }
    reach(60, || tally.borrow().is_over("working", args.chats)).await;
    let working = tally.borrow().counted("working") as usize;
    if working < args.chats {
        bail!("only {working} chats were taken: {:?}", tally.borrow().errors());
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
            tally.borrow_mut().sent(words.clone(), due);
            let sent = chat.lock().await.send(&words).await;
            let mut tally = tally.borrow_mut();
            match sent {
                Ok(()) => tally.took("answered", due.elapsed()),
                Err(error) => tally.failed("send", &error),
            }
        });
        while sending.try_join_next().is_some() {}
        bar.inc(1);
    }
    while sending.join_next().await.is_some() {}
    reach(PATIENCE, || tally.borrow().on_their_way() == 0).await;
    bar.finish_and_clear();
    let took = began.elapsed().as_secs_f64();
    let after = [
        Usage::of(customers_node.pid())?.cpu,
        Usage::of(agents_node.pid())?.cpu,
    ];
    agents.abort_all();

    let mut tally = tally.borrow_mut();
    let mut results = Results {
        title: format!("latency: {} texts a second through two nodes", args.rate),
        ..Results::default()
    };
    let share = |node: usize| (after[node] - before[node]).as_secs_f64() / took;
    results.figures.extend([
        ("texts".to_owned(), number as f64),
        ("texts_not_seen".to_owned(), tally.on_their_way() as f64),
        ("cpu_share_of_the_customers_node".to_owned(), share(0)),
        ("cpu_share_of_the_agents_node".to_owned(), share(1)),
    ]);
    results.latencies.extend([
        ("due to acknowledged".to_owned(), tally.latency("answered")),
        ("due to seen by the agent".to_owned(), tally.latency("seen")),
    ]);
    let missing = tally.on_their_way() as u64;
    tally.wrong("texts not seen", missing);
    results.errors = tally.errors();
    Ok(results)
}
