//! The chat API in this process: real shard, real provisioning, real files, a log in memory, and a clock only the test moves.

use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use hyper::header::HeaderMap;
use nexus::egress::Dispatcher;
use nexus::ingress::widgets::{WidgetOptions, Widgets};
use nexus::log::media::{DirectoryMedia, SharedMedia};
use nexus::log::memory::MemoryStore;
use nexus::log::{NodeId, SharedLog};
use nexus::model::{AgentId, ChannelState, LogId, Media, MessageKind, Millis, TenantId, Visibility};
use nexus::net::Peer;
use nexus::net::http::{Body, Request, Response};
use nexus::provisioning::declare::{self, Development};
use nexus::provisioning::{Act, Provisioning, Snapshots};
use nexus::routing::{BuiltinRouter, desk_profile};
use nexus::runtime::{Clock, TestClock};
use nexus::session::{AgentAct, AgentCommand, DeskAct, DeskInput, File, Phase, SessionInput};
use nexus::shard::{Links, Neighbours, Router, ShardOptions, Shards, Typing};
use serde_json::Value;
use tokio::task::LocalSet;
use uuid::Uuid;

pub(crate) const START: Millis = crate::provisioning::NOW;

/// Runs a test on one core.
pub(crate) fn on_a_core(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(180), test)
            .await
            .unwrap();
    });
}

fn builtin(log: SharedLog, _: &Provisioning, _: &Clock) -> Neighbours {
    Neighbours {
        router: Rc::new(BuiltinRouter::new(log)),
        deliverer: Rc::new(Dispatcher::default()),
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The envelope; every answer but a file and a preflight has one.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["status"]["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()["data"]["messages"].as_array().unwrap().clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let messages = self.messages();
        let texts = messages.iter().filter_map(|message| message["text"].as_str());
        texts.map(str::to_owned).collect()
    }
}

/// A customer's hold on a chat.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) token: String,
    pub(crate) session: LogId,
    pub(crate) participant: String,
}

/// The chat API and what stands behind it.
pub(crate) struct Chat {
    pub(crate) widgets: Widgets,
    pub(crate) shards: Shards,
    pub(crate) clock: TestClock,
    pub(crate) provisioning: Provisioning,
    pub(crate) development: Development,
    pub(crate) files: tempfile::TempDir,
    _stores: tempfile::TempDir,
}

/// The prefix of every path.
pub(crate) const BASE: &str = "/nexus/v3/chat/sessions";
const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

impl Chat {
    pub(crate) async fn start() -> Self {
        Self::start_with(WidgetOptions::default()).await
    }

    pub(crate) async fn start_with(options: WidgetOptions) -> Self {
        let test = TestClock::at(START.0);
        Self::start_at(options, test.clock(), test, builtin).await
    }

    /// By the clock of the machine, with connections outwards.
    pub(crate) async fn start_reaching(outwards: impl FnOnce(&Snapshots, &Clock) -> Dispatcher) -> Self {
        Self::start_among(|log, provisioning, clock| Neighbours {
            deliverer: Rc::new(outwards(provisioning.snapshots(), clock)),
            ..builtin(log, provisioning, clock)
        })
        .await
    }

    /// By the clock of the machine, routed as the test says.
    pub(crate) async fn start_routed(
        router: impl FnOnce(SharedLog, &Provisioning) -> Rc<dyn Router>,
    ) -> Self {
        Self::start_among(|log, provisioning, clock| Neighbours {
            router: router(Rc::clone(&log), provisioning),
            ..builtin(log, provisioning, clock)
        })
        .await
    }

    async fn start_among(neighbours: impl FnOnce(SharedLog, &Provisioning, &Clock) -> Neighbours) -> Self {
        let test = TestClock::at(START.0);
        Self::start_at(WidgetOptions::default(), Clock::system(), test, neighbours).await
    }

    /// By the clock of the machine, for those who cannot be told another time.
    pub(crate) async fn start_live() -> Self {
        Self::start_among(builtin).await
    }

    async fn start_at(
        options: WidgetOptions,
        clock: Clock,
        test: TestClock,
        neighbours: impl FnOnce(SharedLog, &Provisioning, &Clock) -> Neighbours,
    ) -> Self {
        let (stores, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let provisioning = crate::provisioning::embedded(&stores).await;
        let act = Act {
            actor: "test".to_owned(),
            at: START,
        };
        declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act)
            .await
            .unwrap();
        let log = MemoryStore::new(16, clock.clone()).unwrap().core();
        let (links, mut rooms) = Links::between(1, 64);
        let shards = Shards::start(
            rooms.remove(0),
            links,
            Rc::clone(&log),
            neighbours(Rc::clone(&log), &provisioning, &clock),
            clock,
            NodeId(Uuid::from_u128(1)),
            ShardOptions::default(),
        );
        let media: SharedMedia = DirectoryMedia::open(files.path(), 4).unwrap();
        let snapshots = provisioning.snapshots().clone();
        Self {
            widgets: Widgets::new(shards.clone(), snapshots, media, options, 7),
            shards,
            clock: test,
            provisioning,
            development: declare::development().unwrap(),
            files,
            _stores: stores,
        }
    }

    /// Any request at all.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = Request::new(Body::whole(body.to_vec()));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        for (name, value) in fields {
            let name: hyper::header::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let peer = Peer {
            addr: "192.0.2.7:50000".parse().unwrap(),
            local: "192.0.2.1:443".parse().unwrap(),
            tls: true,
            http2: false,
        };
        read(self.widgets.handle(request, &peer).await).await
    }

    /// A form as the widget sends it, under the development key.
    pub(crate) async fn form(&self, method: Method, path: &str, hold: Option<&Hold>, body: &str) -> Answer {
        let mut fields = vec![("x-api-key", self.development.api_key.as_str())];
        if let Some(hold) = hold {
            fields.push(("x-nexus-client-key", &hold.token));
        }
        if !body.is_empty() {
            fields.push(("content-type", FORM));
        }
        self.ask(method, path, &fields, body.as_bytes()).await
    }

    pub(crate) async fn open(&self) -> Hold {
        self.open_at("web").await
    }

    pub(crate) async fn open_at(&self, endpoint: &str) -> Hold {
        let body = format!("data%5BfirstName%5D=Ann&data%5Bendpoint%5D={endpoint}&operationId=a-b");
        hold(&self.form(Method::POST, BASE, None, &body).await)
    }

    pub(crate) async fn read(&self, hold: &Hold, query: &str) -> Answer {
        let path = format!("{BASE}/{}/messages?{query}", hold.session);
        self.form(Method::GET, &path, Some(hold), "").await
    }

    pub(crate) async fn poll(&self, hold: &Hold) -> Answer {
        self.read(hold, "operationId=x").await
    }

    pub(crate) async fn post(&self, hold: &Hold, kind: &str, text: &str) -> Answer {
        let path = format!("{BASE}/{}/messages", hold.session);
        let body = format!("operationId=o-1&data%5Btype%5D={kind}&data%5Btext%5D={text}");
        self.form(Method::POST, &path, Some(hold), &body).await
    }

    pub(crate) async fn say(&self, hold: &Hold, text: &str) {
        let sent = self.post(hold, "Text", text).await;
        assert_eq!(sent.code(), "SUCCESS");
    }

    pub(crate) async fn leave(&self, hold: &Hold) -> Answer {
        let path = format!("{BASE}/{}/participants/{}", hold.session, hold.participant);
        self.form(Method::DELETE, &path, Some(hold), "operationId=o-9")
            .await
    }

    pub(crate) async fn upload(&self, hold: &Hold, name: &str, file: &[u8]) -> Answer {
        let mut body = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(file);
        body.extend_from_slice(
            b"\r\n--XX\r\nContent-Disposition: form-data; name=\"operationId\"\r\n\r\nup-1\r\n--XX--\r\n",
        );
        let fields = [
            ("x-api-key", self.development.api_key.as_str()),
            ("x-nexus-client-key", &hold.token),
            ("content-type", "multipart/form-data; boundary=XX"),
        ];
        let path = format!("{BASE}/{}/images", hold.session);
        self.ask(Method::POST, &path, &fields, &body).await
    }

    pub(crate) fn wait(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Seats an agent who is ready for chats.
    pub(crate) async fn seat(&self, login: &str) -> Agent {
        let tenant = self.development.tenant;
        let agent: AgentId = login.parse().unwrap();
        let desk = LogId::desk(tenant, &agent);
        let profile = desk_profile(&self.provisioning.snapshots().load(), tenant, &agent).unwrap();
        let connect = DeskInput::Connect {
            tenant,
            agent: agent.clone(),
            profile,
        };
        self.shards.desk(desk, connect).await.unwrap();
        let ready = DeskInput::Act {
            command: Uuid::new_v4(),
            act: DeskAct::Channel {
                media: Some(Media::Chat),
                state: ChannelState::Ready,
            },
        };
        self.shards.desk(desk, ready).await.unwrap();
        Agent {
            tenant,
            agent,
            desk,
            shards: self.shards.clone(),
        }
    }

    /// Seats an agent and lets them take this chat.
    pub(crate) async fn answered(&self, hold: &Hold, login: &str) -> Agent {
        let agent = self.seat(login).await;
        let offered = || async {
            let view = self.shards.session_view(hold.session).await.unwrap();
            view.state.offer().is_some_and(|offer| offer.shown)
        };
        for _ in 0..1_000 {
            if offered().await {
                break;
            }
            tokio::task::yield_now().await;
        }
        agent.act(hold, AgentAct::Accept).await;
        let view = self.shards.session_view(hold.session).await.unwrap();
        assert_eq!(view.state.phase(), &Phase::Active);
        agent
    }
}

/// An agent at work.
pub(crate) struct Agent {
    tenant: TenantId,
    agent: AgentId,
    desk: LogId,
    shards: Shards,
}

impl Agent {
    pub(crate) async fn act(&self, hold: &Hold, act: AgentAct) {
        let command = AgentCommand {
            id: Uuid::new_v4(),
            agent: self.agent.clone(),
            desk: self.desk,
            name: "Alice".to_owned(),
            supervisor: false,
            act,
        };
        self.shards
            .session(hold.session, SessionInput::Agent(command))
            .await
            .unwrap();
    }

    pub(crate) async fn say(&self, hold: &Hold, text: &str, visibility: Visibility) {
        let act = AgentAct::Say {
            kind: MessageKind::Text,
            text: text.to_owned(),
            visibility,
        };
        self.act(hold, act).await;
    }

    pub(crate) async fn send(&self, hold: &Hold, file: File) {
        let act = AgentAct::Send {
            file,
            visibility: Visibility::All,
        };
        self.act(hold, act).await;
    }

    pub(crate) async fn type_something(&self, hold: &Hold, started: bool, now: Millis) {
        let view = self.shards.session_view(hold.session).await.unwrap();
        let from = view.state.participants().of_agent(&self.agent).unwrap().id;
        let last = view.tail.last().unwrap().record.at;
        let typing = Typing {
            from,
            started,
            preview: "secret draft".to_owned(),
            visibility: Visibility::All,
            n: view.top.n,
            quarter: Typing::quarters(last, now),
            at: now,
        };
        self.shards.signal(hold.session, typing);
        tokio::task::yield_now().await;
    }

    pub(crate) const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// What a create gave.
pub(crate) fn hold(created: &Answer) -> Hold {
    assert_eq!(created.status, 200, "{created:?}");
    let json = created.json();
    let token = json["data"]["clientToken"].as_str().unwrap().to_owned();
    let claims = claims(&token);
    Hold {
        session: claims["sessionId"].as_str().unwrap().parse().unwrap(),
        participant: claims["participantId"].as_str().unwrap().to_owned(),
        token,
    }
}

/// The middle of a token, as `atob` reads it.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let middle = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(middle)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

async fn read(response: Response) -> Answer {
    use http_body_util::BodyExt as _;
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        bytes,
    }
}
