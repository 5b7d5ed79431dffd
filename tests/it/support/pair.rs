//! Two nodes as processes over one Redis and one PostgreSQL, with a tenant of agents made for the test.
//!
//! Agent `a0` serves the queue `q0`, which the endpoint `e0` leads to, and so on; every agent serves `all`, which the endpoint `all`
//! leads to. The built-in router's repairing sweep is off: what it would repair stays broken and is seen.

use std::net::SocketAddr;

use serde_json::Value;

use super::part::Signal;
use super::postgres::Postgres;
use super::provisioned::{master_key, provision};
use super::redis::RedisServer;
use super::whole::{Whole, send};
use crate::workspace::desktop::Desktop;

/// The key of the tenant's chat widget.
pub(crate) const CHAT_KEY: &str = "11111111-2222-4333-8444-555555555555";

const TENANT: &str = r#"
[[tenant]]
ccid = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b"
sid = "pair"
name = "Pair"
staticAgentTokens = true

[[tenant.apikeys]]
name = "Chat widget"
type = "chat"
key = "11111111-2222-4333-8444-555555555555"
permissions = ["nexus:consumer:*", "nexus:chat:*"]

[[tenant.templates]]
name = "queue-position"
texts = { en = "You are number {position} in the queue." }
"#;

/// What is set on both nodes: rates are for strangers, and here one address is everybody.
const SETTINGS: [&str; 9] = [
    "store.mode=redis",
    "provisioning.development_tenant=false",
    "routing.sweep=24h",
    "limits.rates.session=100000/s burst 100000",
    "limits.rates.address=100000/s burst 100000",
    "limits.rates.create=100000/s burst 100000",
    "limits.rates.api_key=100000/s burst 100000",
    "limits.rates.commands=100000/s burst 100000",
    "limits.connections.per_address=4000",
];

/// The two nodes and what they stand on.
pub(crate) struct Pair {
    nodes: [Whole; 2],
    pub(crate) redis: RedisServer,
    _postgres: Postgres,
    _data: tempfile::TempDir,
}

impl Pair {
    /// Starts them, with this many agents who take `capacity` chats at once.
    pub(crate) fn start(agents: usize, capacity: usize) -> Self {
        let (redis, postgres) = (RedisServer::start(), Postgres::start());
        let data = tempfile::tempdir().unwrap();
        let mut settings: Vec<String> = SETTINGS.map(str::to_owned).to_vec();
        settings.push(format!("store.redis.urls={}", redis.url()));
        settings.push(format!("postgres.url={}", postgres.url()));
        settings.push(master_key(data.path()));
        let mut once = settings.clone();
        once.push(format!("store.data_dir={}", data.path().display()));
        provision(data.path(), &once, &tenant(agents, capacity));
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Self {
            nodes: [Whole::start(&settings), Whole::start(&settings)],
            redis,
            _postgres: postgres,
            _data: data,
        }
    }

    /// Where a node takes customers and agents.
    pub(crate) fn addr(&self, node: usize) -> SocketAddr {
        self.nodes[node].addr
    }

    /// A signal for a node.
    pub(crate) fn signal(&self, node: usize, signal: Signal) {
        self.nodes[node].nexus.signal(signal);
    }

    /// An agent signs in at a node and does not take offers yet.
    pub(crate) async fn agent(&self, agent: usize, node: usize) -> Desktop {
        let bearer = format!("Bearer {}", token(agent));
        let headers = [("authorization", bearer.as_str())];
        let (status, answer): (u16, Value) =
            send(self.addr(node), "POST", "/nexus/v3/agents/ticket", &headers, b"");
        assert_eq!(status, 200, "{answer}");
        Desktop::at(self.addr(node), answer["data"]["ticket"].as_str().unwrap()).await
    }
}

fn token(agent: usize) -> String {
    format!("a{agent}-token-of-the-pair")
}

/// The declarative file.
fn tenant(agents: usize, capacity: usize) -> String {
    let mut file = TENANT.to_owned();
    let queues: Vec<String> = (0..agents).map(|agent| format!("q{agent}")).collect();
    for (queue, endpoint) in queues
        .iter()
        .map(|queue| (queue.as_str(), queue.replace('q', "e")))
        .chain([("all", "all".to_owned())])
    {
        file.push_str(&format!(
            "\n[[tenant.queues]]\nname = \"{queue}\"\nofferTimeoutSec = 120\n\
             \n[[tenant.endpoints]]\nname = \"{endpoint}\"\nstream = \"live\"\nmediaType = \"chat\"\nqueue = \"{queue}\"\n"
        ));
    }
    for (agent, queue) in queues.iter().enumerate() {
        file.push_str(&format!(
            "\n[[tenant.agents]]\nlogin = \"a{agent}\"\nnickname = \"A{agent}\"\ntoken = \"{}\"\n\
             queues = [\"{queue}\", \"all\"]\ncapacity = {{ chat = {capacity} }}\n",
            token(agent)
        ));
    }
    file
}
