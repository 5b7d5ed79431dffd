//! The GWS of the tests (`peer.mjs`), and our side of a link to it.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nexus::config::Outbound;
use nexus::egress::gws::{Account, Session, Told, follow};
use nexus::net::client::{Client, ClientOptions, SystemResolver, Trust};
use nexus::runtime::Clock;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::provisioning::TENANT;
use crate::support::{node, part, process};

/// The process in which every GWS of one test lives.
pub(crate) struct Peers {
    child: Child,
    control: SocketAddr,
}

impl Peers {
    pub(crate) fn start() -> Self {
        node::require("cometd-nodejs-server");
        node::require("faye");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/gws/peer.mjs");
        let mut child = Command::new(part::program("node", &[], "nodejs npm"))
            .arg(script)
            .env("NODE_MODULES", node::modules())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node to be started");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let port = line.trim().strip_prefix("listening ").expect("its port");
        let control = format!("127.0.0.1:{port}").parse().expect("an address");
        Self { child, control }
    }

    /// A GWS of its own. `options.kind` says what its Bayeux server is.
    pub(crate) fn open(&self, options: Value) -> Peer {
        let answer = post(self.control, "/open", &options);
        let port = answer["port"].as_u64().expect("a port");
        Peer {
            addr: format!("127.0.0.1:{port}").parse().expect("an address"),
        }
    }

    /// What followed a redirect.
    pub(crate) fn canary_hits(&self) -> Value {
        post(self.control, "/hits", &json!({}))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One GWS.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
}

impl Peer {
    /// Tells it something for the test, and hears what it has seen.
    pub(crate) fn tell(&self, what: &str, body: Value) -> Value {
        post(self.addr, &format!("/test/{what}"), &body)
    }

    pub(crate) fn seen(&self) -> Value {
        self.tell("seen", json!({}))
    }

    /// Tells everybody of an interaction.
    pub(crate) fn publish(&self, id: &str, agent: &str) {
        let data = json!({"messageType": "InteractionStateChanged", "notificationType": "StatusChange",
            "interaction": {"id": id, "mediatype": "chat", "state": "Invited", "agentId": agent}});
        self.tell("publish", json!({"channel": "/workspace/v3/media", "data": data}));
    }

    pub(crate) fn account(&self) -> Account {
        Account {
            tenant: TENANT,
            version: 1,
            url: format!("http://{}", self.addr),
            auth_url: format!("http://{}", self.addr),
            client_id: "nexus_client".to_owned(),
            client_secret: "planted:secret".to_owned().into(),
            api_key: None,
            routing: true,
        }
    }

    pub(crate) fn session(&self) -> Rc<Session> {
        Rc::new(Session::new(client(), self.account(), Clock::system()))
    }
}

pub(crate) fn client() -> Client {
    let settings = Outbound {
        peers: vec!["127.0.0.0/8".parse().expect("a range")],
        ..Outbound::default()
    };
    let trust = Trust::load(&settings).expect("trust");
    Client::new(
        ClientOptions::new(&settings, trust, Vec::new()),
        SystemResolver::new(4),
    )
}

/// A link that is followed.
pub(crate) struct Followed {
    told: mpsc::Receiver<Told>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    /// Everything heard, in short.
    pub(crate) heard: RefCell<Vec<String>>,
}

pub(crate) fn followed(session: Rc<Session>) -> Followed {
    let (tell, told) = mpsc::channel(10_000);
    let (stop, stopped) = watch::channel(false);
    let random = || uuid::Uuid::new_v4().as_u64_pair().0;
    let task = tokio::task::spawn_local(follow(session, Clock::system(), random, stopped, move |it| {
        tell.try_send(it).expect("room");
    }));
    Followed {
        told,
        stop,
        task,
        heard: RefCell::default(),
    }
}

impl Followed {
    /// Waits for something to be told that `wanted` takes.
    pub(crate) async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Told) -> Option<T>) -> T {
        let found = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let told = self.told.recv().await.expect("it goes on");
                self.heard.borrow_mut().push(short(&told));
                if let Some(found) = wanted(&told) {
                    return found;
                }
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("in vain for {what}; heard {:?}", self.heard.borrow()))
    }

    pub(crate) async fn until_configured(&mut self) -> nexus::protocol::gws::Objects {
        self.until("the configuration", |told| match told {
            Told::Configuration(objects) => Some(objects.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn until_interaction(&mut self, id: &str) {
        self.until(id, |told| match told {
            Told::Interaction(interaction) => (interaction.id == id).then_some(()),
            _ => None,
        })
        .await;
    }

    /// Listens for a while without wanting anything.
    pub(crate) async fn listen(&mut self, time: Duration) {
        let listening = async {
            while let Some(told) = self.told.recv().await {
                self.heard.borrow_mut().push(short(&told));
            }
        };
        let _ = tokio::time::timeout(time, listening).await;
    }

    pub(crate) async fn end(self) {
        self.stop.send(true).expect("it goes on");
        self.task.await.expect("a clean end");
    }
}

fn short(told: &Told) -> String {
    match told {
        Told::Interaction(interaction) => interaction.id.clone(),
        Told::Failed { operation, .. } => format!("failed {operation}"),
        Told::Configuration(_) => "configuration".to_owned(),
        Told::Missed(cause) => format!("missed {cause:?}"),
    }
}

fn post(addr: SocketAddr, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (_, answer) = process::request(addr, &request);
    let start = answer.find(['{', '[']).expect("JSON");
    let end = answer.rfind(['}', ']']).expect("JSON");
    serde_json::from_str(&answer[start..=end]).expect("JSON")
}
