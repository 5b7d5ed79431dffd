//! A node of two cores on one thread, with the memory log, the built-in router and provisioning, serving connection 3.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use nexus::egress::Dispatcher;
use nexus::ingress::workspace::{AgentPrincipal, Workspace, WorkspaceParts, WorkspaceSettings};
use nexus::log::media::{DirectoryMedia, SharedMedia};
use nexus::log::memory::MemoryStore;
use nexus::log::{NodeId, SharedLog};
use nexus::model::{LogId, Media, Millis, ParticipantId, Spread, TransportId};
use nexus::net::http::{Refusal, Request, Response, ResponseBody, Service};
use nexus::net::listener::{Gate, Listener};
use nexus::net::{Peer, Scratch, ServeLimits, Server};
use nexus::provisioning::Provisioning;
use nexus::provisioning::objects::Kind;
use nexus::routing::BuiltinRouter;
use nexus::runtime::clock::Clock;
use nexus::runtime::drain::{Drain, DrainPlan};
use nexus::session::{Open, Place, SessionInput, Terms};
use nexus::shard::{Links, Neighbours, ShardOptions, Shards};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::provisioning::{OTHER, TENANT, act, draft, embedded};

/// What serves a core's socket.
struct Door {
    workspace: Workspace,
    provisioning: Rc<Provisioning>,
}

impl Service for Door {
    fn call<'a>(&'a self, request: Request, peer: &'a Peer) -> LocalBoxFuture<'a, Response> {
        Box::pin(async move {
            let who =
                AgentPrincipal::of_static_token(&self.provisioning.snapshots().load(), request.headers());
            self.workspace.call(who, request, peer).await
        })
    }

    fn refuse(&self, _: Refusal, _: Option<&str>) -> Response {
        Response::new(ResponseBody::empty())
    }
}

/// The whole of it.
pub(crate) struct Node {
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) shards: Vec<Shards>,
    pub(crate) provisioning: Rc<Provisioning>,
    pub(crate) drain: Rc<Drain>,
    made: RefCell<u8>,
    _dir: tempfile::TempDir,
}

/// A customer's chat, played from inside.
#[derive(Clone, Copy)]
pub(crate) struct Chat {
    pub(crate) id: LogId,
    pub(crate) participant: ParticipantId,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::with(WorkspaceSettings::default(), ShardOptions::default()).await
    }

    pub(crate) async fn with(settings: WorkspaceSettings, options: ShardOptions) -> Self {
        let store = MemoryStore::new(16, Clock::system()).unwrap();
        let logs: Vec<SharedLog> = (0..2).map(|_| store.core()).collect();
        Self::on(logs, settings, options).await
    }

    /// One core for each handle of the log.
    pub(crate) async fn on(logs: Vec<SharedLog>, settings: WorkspaceSettings, options: ShardOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let provisioning = Rc::new(embedded(&dir).await);
        provision(&provisioning).await;
        let media: SharedMedia = DirectoryMedia::open(&dir.path().join("media"), 8).unwrap();
        let drain = Rc::new(Drain::new());
        let (links, rooms) = Links::between(logs.len(), options.mailbox);
        let (mut addrs, mut shards) = (Vec::new(), Vec::new());
        for (log, room) in logs.into_iter().zip(rooms) {
            let router = Rc::new(BuiltinRouter::new(Rc::clone(&log)));
            let node = NodeId(Uuid::from_u128(1));
            let core = Shards::start(
                room,
                links.clone(),
                log,
                Neighbours {
                    router,
                    deliverer: Rc::new(Dispatcher::default()),
                },
                Clock::system(),
                node,
                options.clone(),
            );
            let workspace = Workspace::new(WorkspaceParts {
                shards: core.clone(),
                snapshots: provisioning.snapshots().clone(),
                media: Rc::clone(&media),
                drain: drain.token(),
                settings: settings.clone(),
            });
            let door = Rc::new(Door {
                workspace,
                provisioning: Rc::clone(&provisioning),
            });
            let limits = ServeLimits::default();
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &limits.listener).unwrap();
            addrs.push(listener.local_addr().unwrap());
            let gate = Gate::new(&limits.listener);
            let server = Server::new(door, None, gate, &limits, Scratch::new(), drain.token());
            tokio::task::spawn_local(server.run(listener, None));
            shards.push(core);
        }
        Self {
            addrs,
            shards,
            provisioning,
            drain,
            made: RefCell::new(0),
            _dir: dir,
        }
    }

    pub(crate) fn core(&self) -> &Shards {
        &self.shards[0]
    }

    /// A customer begins a chat that waits in a queue.
    pub(crate) async fn chat(&self, queue: &str) -> Chat {
        let made = self.made.replace_with(|made| made.wrapping_add(1));
        let now = Millis(Clock::system().wall_ms());
        let id = LogId::session(
            now,
            *Uuid::new_v4().as_bytes().first_chunk().unwrap(),
            Spread::of(&[&[made]]),
        );
        let participant = ParticipantId(Uuid::new_v4());
        let open = Open {
            tenant: TENANT,
            media: Media::Chat,
            endpoint: "web".to_owned(),
            stream: None,
            locale: None,
            asynchronous: false,
            profile: profile(),
            nickname: "Ann".to_owned(),
            participant,
            transport: TransportId(Uuid::new_v4()),
            place: Place {
                queue: queue.to_owned(),
                priority: 1,
                skills: Vec::new(),
                offer_ms: 20_000,
            },
            welcome: None,
            terms: Terms::default(),
        };
        self.core()
            .session(id, SessionInput::Open(Box::new(open)))
            .await
            .unwrap();
        Chat { id, participant }
    }

    pub(crate) async fn say(&self, chat: Chat, text: &str) {
        let input = SessionInput::CustomerText {
            participant: chat.participant,
            text: text.to_owned().into(),
        };
        self.core().session(chat.id, input).await.unwrap();
    }

    pub(crate) async fn customer_leaves(&self, chat: Chat) {
        let input = SessionInput::CustomerLeave {
            participant: chat.participant,
        };
        self.core().session(chat.id, input).await.unwrap();
    }

    pub(crate) async fn stop(&self) {
        let plan = DrainPlan {
            not_ready: Duration::ZERO,
            deadline: Duration::from_secs(10),
        };
        self.drain.run(plan).await;
    }

    /// One HTTP call; status and body.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> (u16, hyper::HeaderMap, Vec<u8>) {
        use http_body_util::{BodyExt, Full};
        let stream = tokio::net::TcpStream::connect(self.addrs[0]).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::task::spawn_local(connection);
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.addrs[0].to_string())
            .header("content-type", content_type);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(bytes::Bytes::from(body.into()))).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        (head.status.as_u16(), head.headers, body)
    }

    /// A JSON call of an agent; status and the whole answer.
    pub(crate) async fn json(&self, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, _, answer) = self
            .http(method, path, Some(token), "application/json", body)
            .await;
        (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    pub(crate) async fn ticket(&self, token: &str) -> String {
        let (status, answer) = self
            .json("POST", "/nexus/v3/agents/ticket", token, Value::Null)
            .await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["ticket"].as_str().unwrap().to_owned()
    }
}

fn profile() -> Map<String, Value> {
    let Value::Object(profile) = json!({"FirstName": "Ann", "userData": {"Order": "A-17"}}) else {
        unreachable!()
    };
    profile
}

async fn provision(provisioning: &Provisioning) {
    let directory = provisioning.directory();
    for (tenant, sid) in [(TENANT, "t1"), (OTHER, "t2")] {
        let body = json!({"sid": sid, "name": sid, "staticAgentTokens": true});
        directory
            .create(&act(), tenant, draft(Kind::Tenant, body), None)
            .await
            .unwrap();
        for queue in ["sales", "billing"] {
            directory
                .create(&act(), tenant, draft(Kind::Queue, json!({"name": queue})), None)
                .await
                .unwrap();
        }
    }
    let agents = [
        (
            TENANT,
            json!({"login": "alice", "nickname": "Alice", "token": "alice-test-token-1", "queues": ["sales"]}),
        ),
        (
            TENANT,
            json!({"login": "bob", "nickname": "Bob", "token": "bob-test-token-123", "queues": ["billing"]}),
        ),
        (
            TENANT,
            json!({"login": "sue", "nickname": "Sue", "token": "sue-test-token-123", "queues": ["none"],
                   "roles": ["agent", "supervisor"]}),
        ),
        (
            OTHER,
            json!({"login": "mallory", "token": "mallory-test-token", "roles": ["agent", "supervisor"]}),
        ),
    ];
    for (tenant, body) in agents {
        directory
            .create(&act(), tenant, draft(Kind::Agent, body), None)
            .await
            .unwrap();
    }
    let rule = json!({"name": "card", "pattern": r"\b\d{16}\b"});
    directory
        .create(&act(), TENANT, draft(Kind::PiiRule, rule), None)
        .await
        .unwrap();
    let response = json!({"name": "hours", "texts": {"en": "We are open from nine to five."}});
    let greeting =
        json!({"name": "greeting", "texts": {"en": "Hello {contact.FirstName}, this is {agent.nickname}."}});
    for response in [response, greeting] {
        directory
            .create(&act(), TENANT, draft(Kind::StandardResponse, response), None)
            .await
            .unwrap();
    }
}
