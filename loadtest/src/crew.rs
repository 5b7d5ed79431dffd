//! A tenant of many agents and their customers, on a server that is started for it.

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::http::{Connection, Target, loopback};
use crate::server::{Server, ServerArgs};
use crate::stream::AgentStream;
use crate::widget::{Line, Widget};

/// Connections of agents that one address may open are limited by the server.
const PER_ADDRESS: usize = 150;
/// Requests of customers go over so many connections.
const LINES: usize = 64;
/// Where customers come from: far above the addresses of agents.
const CUSTOMERS: usize = 30_000;
/// API key of the tenant's chats.
const API_KEY: &str = "44444444-2222-4333-8444-555555555555";

/// Starts a server that knows `agents` agents, each of whom takes `capacity` chats.
pub async fn start(args: &ServerArgs, agents: usize, capacity: usize) -> Result<Server> {
    let file = std::env::temp_dir().join(format!("nexus-load-tenant-{}.toml", std::process::id()));
    std::fs::write(&file, tenant(agents, capacity)?)?;
    let args = ServerArgs {
        provision: Some(file.clone()),
        api_key: API_KEY.to_owned(),
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
pub async fn open(target: &Target, index: usize) -> Result<Box<dyn crate::http::Io>> {
    target
        .by_name(&format!("a{index}.localhost"))
        .open(loopback(index, PER_ADDRESS))
        .await
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

/// A progress bar.
pub fn bar(length: usize, message: &'static str) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}")?;
    Ok(ProgressBar::new(length as u64)
        .with_style(style)
        .with_message(message))
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
            "\n[[tenant.agents]]\nlogin = \"agent{index:06}\"\ntoken = \"{}\"\ncapacity = {{ chat = {capacity} }}\n",
            token(index)
        )?;
    }
    Ok(file)
}
