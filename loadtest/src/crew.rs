//! A tenant of many agents and their customers, on a server that is started for it.

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::http::{Connection, Io, Target, loopback};
use crate::pace::Pace;
use crate::server::{Server, ServerArgs};
use crate::socket::Socket;
use crate::stream::{AgentStream, Broken, Memory, ticket};
use crate::tally::Shared;
use crate::widget::{Line, Widget};

/// Connections of agents that one address may open are limited by the server.
const PER_ADDRESS: usize = 150;
/// Requests of customers go over so many connections.
const LINES: usize = 64;
/// Where customers come from: far above the addresses of agents.
const CUSTOMERS: usize = 30_000;
/// Agents who are there, in a tally.
pub const SIGNED_IN: &str = "signed in";
/// API key of the tenant's chats.
const API_KEY: &str = "44444444-2222-4333-8444-555555555555";

/// Starts a server that knows `agents` agents, each of whom takes `capacity` chats.
pub async fn start(args: &ServerArgs, agents: usize, capacity: usize) -> Result<Server> {
    start_beside(args, agents, capacity, "").await
}

/// The same, with other tenants beside this one.
pub async fn start_beside(args: &ServerArgs, agents: usize, capacity: usize, others: &str) -> Result<Server> {
    let args = ServerArgs {
        api_key: API_KEY.to_owned(),
        ..args.clone()
    };
    provisioned(&args, &(tenant(agents, capacity)? + others)).await
}

/// Starts a server that knows these tenants.
pub async fn provisioned(args: &ServerArgs, tenants: &str) -> Result<Server> {
    let file = std::env::temp_dir().join(format!("nexus-load-tenant-{}.toml", std::process::id()));
    std::fs::write(&file, tenants)?;
    let args = ServerArgs {
        provision: Some(file.clone()),
        ..args.clone()
    };
    let server = Server::of(&args).await;
    std::fs::remove_file(&file)?;
    server
}

/// Signs an agent in.
pub async fn sign_in(target: &Target, index: usize) -> Result<AgentStream> {
    AgentStream::open(open(target, index).await?, &token(index)).await
}

/// A connection of an agent, from that agent's address.
pub async fn open(target: &Target, index: usize) -> Result<Box<dyn Io>> {
    target
        .by_name(&format!("a{index}.localhost"))
        .open(loopback(index, PER_ADDRESS))
        .await
}

/// How many connections are begun at the same moment.
pub type Gate = Rc<Semaphore>;

/// As many as one machine can: more only overflow its queue of the half-open, and wait for this one thread to shake hands.
pub fn gate() -> Gate {
    Rc::new(Semaphore::new(1_000))
}

/// Lets an agent who was cut come back.
pub async fn come_back(
    target: &Target,
    index: usize,
    gate: &Gate,
    memory: Memory,
) -> Result<(AgentStream, Vec<Value>), Broken> {
    let permit = gate.acquire().await;
    let io = match open(target, index).await {
        Ok(io) => io,
        Err(error) => {
            return Err(Broken {
                memory,
                events: Vec::new(),
                error,
            });
        }
    };
    drop(permit);
    AgentStream::resume(io, memory).await
}

/// Tickets for agents, asked for on one connection; each is good for half a minute.
pub async fn tickets(target: &Target, agents: std::ops::Range<usize>) -> Result<Vec<String>> {
    let mut socket = Socket::new(open(target, agents.start).await?);
    let mut tickets = Vec::with_capacity(agents.len());
    for index in agents {
        tickets.push(ticket(&mut socket, &token(index)).await?);
    }
    Ok(tickets)
}

/// Is told an agent's number, and what it hears.
pub type Heard = Rc<dyn Fn(usize, &Value)>;

/// Signs agents in at an even rate, and lets each take chats and then listen for as long as the set lives.
pub async fn work(
    target: &Target,
    agents: std::ops::Range<usize>,
    ramp: u32,
    tally: &Shared,
    working: &mut JoinSet<()>,
    heard: Heard,
) -> Result<()> {
    let wanted = tally.borrow().counted(SIGNED_IN) as usize + agents.len();
    let bar = bar(agents.len(), "signing in")?;
    let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / ramp.max(1));
    for index in agents {
        let due = pace.next().await;
        let (target, tally, heard) = (target.clone(), Rc::clone(tally), Rc::clone(&heard));
        working.spawn_local(async move {
            let listens = async {
                let mut stream = sign_in(&target, index).await?;
                take_chats(&mut stream).await?;
                tally.borrow_mut().took("sign in", due.elapsed());
                tally.borrow_mut().count(SIGNED_IN);
                loop {
                    heard(index, &stream.next().await?);
                }
            };
            let ended: Result<()> = listens.await;
            if let Err(error) = ended {
                tally.borrow_mut().failed("agent", &error);
            }
        });
        bar.inc(1);
    }
    reach(60, || tally.borrow().is_over(SIGNED_IN, wanted)).await;
    bar.finish_and_clear();
    let there = tally.borrow().counted(SIGNED_IN) as usize;
    if there < wanted {
        bail!("only {there} of {wanted} agents: {:?}", tally.borrow().errors());
    }
    Ok(())
}

/// Lets an agent take whatever is offered.
pub async fn take_chats(agent: &mut AgentStream) -> Result<()> {
    agent.asks("auto-accept", json!({ "on": true })).await?;
    agent.asks("ready", json!({ "media": "chat" })).await
}

/// The session that an event says this agent now works in.
pub fn began(event: &Value) -> Option<&str> {
    (event["interaction"]["state"] == "Processing").then(|| event["log"].as_str())?
}

/// The texts an event brings.
pub fn texts(event: &Value) -> impl Iterator<Item = &str> {
    let messages = event["messages"].as_array().into_iter().flatten();
    messages.filter_map(|message| message["text"].as_str())
}

/// The customers of this tenant, who share some connections.
pub struct Customers {
    lines: Vec<Line>,
    next: usize,
}

impl Customers {
    /// Opens their connections.
    pub async fn of(server: &Server) -> Result<Self> {
        let mut lines = Vec::with_capacity(LINES);
        for index in 0..LINES {
            let connection = Connection::open(&server.target(), loopback(CUSTOMERS + index, 1)).await?;
            lines.push(Rc::new(Mutex::new(connection)));
        }
        Ok(Self { lines, next: 0 })
    }

    /// The connections they share.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// A chat that one of them opens.
    pub fn chat(&mut self) -> impl Future<Output = Result<Widget>> + use<> {
        let line = Rc::clone(&self.lines[self.next % LINES]);
        let name = format!("Load{}", self.next);
        self.next += 1;
        async move { Widget::open_on(line, API_KEY, "load", &name).await }
    }
}

/// Waits for something, for so many seconds at most.
pub async fn reach(seconds: u64, done: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(seconds);
    while !done() && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until so many are counted, as long as the count rises at least once in so many seconds.
pub async fn count_to(wanted: usize, patience: u64, counted: impl Fn() -> u64) {
    let mut before = counted();
    while before < wanted as u64 {
        reach(patience, || counted() > before).await;
        let now = counted();
        if now == before {
            return;
        }
        before = now;
    }
}

/// A progress bar.
pub fn bar(length: usize, message: &'static str) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}")?;
    Ok(ProgressBar::new(length as u64)
        .with_style(style)
        .with_message(message))
}

/// What an agent is called.
pub fn login(index: usize) -> String {
    format!("agent{index:06}")
}

fn token(index: usize) -> String {
    format!("load-agent-{index:06}-token")
}

/// A file that `nexus provision` takes.
fn tenant(agents: usize, capacity: usize) -> Result<String> {
    let mut file = format!(
        "[[tenant]]\nccid = \"5d1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b\"\nsid = \"load\"\nname = \"Load\"\nregion = \"local\"\n\
         staticAgentTokens = true\n\n[[tenant.apikeys]]\nname = \"Load\"\ntype = \"chat\"\nkey = \"{API_KEY}\"\n\
         permissions = [\"nexus:consumer:*\", \"nexus:chat:*\"]\n\n[[tenant.queues]]\nname = \"chat.load\"\n\n\
         [[tenant.endpoints]]\nname = \"load\"\nstream = \"async\"\nmediaType = \"chat\"\nqueue = \"chat.load\"\n"
    );
    for index in 0..agents {
        write!(
            file,
            "\n[[tenant.agents]]\nlogin = \"{}\"\ntoken = \"{}\"\ncapacity = {{ chat = {capacity} }}\n",
            login(index),
            token(index)
        )?;
    }
    Ok(file)
}
