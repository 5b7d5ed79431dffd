//! A widget's poll, answered from the view: the whole handler, from a request's head to an answer's body. Beside it what no handler
//! can do without, a constant answer.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use hyper::{Method, StatusCode};
use nexus::egress::Dispatcher;
use nexus::ingress::answer;
use nexus::ingress::widgets::{WidgetOptions, Widgets};
use nexus::log::NodeId;
use nexus::log::media::{DirectoryMedia, SharedMedia};
use nexus::log::memory::MemoryStore;
use nexus::model::Millis;
use nexus::net::Peer;
use nexus::net::http::{Body, Request, Response};
use nexus::provisioning::secret::MasterKeys;
use nexus::provisioning::{Act, EmbeddedStore, Provisioning, Store, declare};
use nexus::routing::BuiltinRouter;
use nexus::runtime::{Clock, Rate};
use nexus::shard::{Links, Neighbours, ShardOptions, Shards};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use uuid::Uuid;

const BASE: &str = "/nexus/v3/chat/sessions";
type Setup<T> = Result<T, Box<dyn std::error::Error>>;

struct Chat {
    runtime: Runtime,
    core: LocalSet,
    widgets: Widgets,
    api_key: String,
    token: String,
    session: String,
    peer: Peer,
    _provisioning: Provisioning,
    _dir: tempfile::TempDir,
}

impl Chat {
    fn open(lines: usize) -> Setup<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let core = LocalSet::new();
        let dir = tempfile::tempdir()?;
        let (provisioning, widgets) = core.block_on(&runtime, start(dir.path()))?;
        let development = declare::development().ok_or("no development tenant")?;
        let mut chat = Self {
            runtime,
            core,
            widgets,
            api_key: development.api_key,
            token: String::new(),
            session: String::new(),
            peer: Peer {
                addr: "127.0.0.1:50000".parse()?,
                local: "127.0.0.1:443".parse()?,
                tls: true,
                http2: false,
            },
            _provisioning: provisioning,
            _dir: dir,
        };
        let created = chat.ask(Method::POST, BASE, "data[nickname]=Ann&data[endpoint]=web")?;
        let body: serde_json::Value = serde_json::from_slice(created.body().as_bytes().unwrap_or_default())?;
        let text = |pointer| {
            body.pointer(pointer)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
        };
        (chat.token, chat.session) = (
            text("/data/clientToken").to_owned(),
            text("/data/entity/id").to_owned(),
        );
        for line in 0..lines {
            let path = format!("{BASE}/{}/messages", chat.session);
            let said = format!("data[type]=Text&data[text]=Line+{line}+of+a+chat+of+ordinary+length.");
            chat.ask(Method::POST, &path, &said)?;
        }
        Ok(chat)
    }

    fn request(&self, method: Method, path: &str, body: &str) -> Setup<Request> {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("x-api-key", &self.api_key)
            .header("origin", "https://shop.example")
            .header("content-type", "application/x-www-form-urlencoded");
        if !self.token.is_empty() {
            request = request.header("x-nexus-client-key", &self.token);
        }
        Ok(request.body(Body::whole(body.to_owned()))?)
    }

    fn ask(&self, method: Method, path: &str, body: &str) -> Setup<Response> {
        let request = self.request(method, path, body)?;
        let answer = self.handle(request);
        if answer.status() == StatusCode::OK {
            Ok(answer)
        } else {
            Err(format!("{answer:?}").into())
        }
    }

    fn handle(&self, request: Request) -> Response {
        self.core
            .block_on(&self.runtime, self.widgets.handle(request, &self.peer))
    }
}

async fn start(dir: &std::path::Path) -> Setup<(Provisioning, Widgets)> {
    let clock = Clock::system();
    let now = Millis(clock.wall_ms());
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&dir.join("provisioning.redb"))?);
    let masters = MasterKeys::from_text("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")?;
    let provisioning = Provisioning::start_on(store, masters, None, now).await?;
    let act = Act {
        actor: "bench".to_owned(),
        at: now,
    };
    declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act).await?;
    let log = MemoryStore::new(16, clock.clone())?.core();
    let (links, mut rooms) = Links::between(1, 64);
    let neighbours = Neighbours {
        router: Rc::new(BuiltinRouter::new(Rc::clone(&log))),
        deliverer: Rc::new(Dispatcher::default()),
    };
    let node = NodeId(Uuid::from_u128(1));
    let options = ShardOptions::default();
    let shards = Shards::start(rooms.remove(0), links, log, neighbours, clock, node, options);
    let media: SharedMedia = DirectoryMedia::open(dir, 1)?;
    let unlimited = Rate::per_second(1_000_000_000, 1_000_000_000);
    let options = WidgetOptions {
        per_key: unlimited,
        per_address: unlimited,
        per_session: unlimited,
        ..WidgetOptions::default()
    };
    let widgets = Widgets::new(shards, provisioning.snapshots().clone(), media, options, 7);
    Ok((provisioning, widgets))
}

fn polls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poll");
    for lines in [0, 16] {
        let chat = match Chat::open(lines) {
            Ok(chat) => chat,
            Err(error) => panic!("the chat cannot be opened: {error}"),
        };
        let path = format!(
            "{BASE}/{}/messages?operationId=ca6c005844-9bceb-a97ef-344c2-84b99f01",
            chat.session
        );
        let length = chat.handle(poll(&chat, &path)).body().len().unwrap_or(0);
        let constant = Bytes::from(vec![b'x'; usize::try_from(length).unwrap_or(0)]);
        group.bench_function(format!("view/{lines}"), |bencher| {
            bencher.iter_batched(
                || poll(&chat, &path),
                |request| chat.handle(request),
                criterion::BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("constant/{lines}"), |bencher| {
            bencher.iter_batched(
                || poll(&chat, &path),
                |request| {
                    let answered = async {
                        black_box(&request);
                        answer::json(StatusCode::OK, constant.clone())
                    };
                    chat.core.block_on(&chat.runtime, answered)
                },
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn poll(chat: &Chat, path: &str) -> Request {
    match chat.request(Method::GET, path, "") {
        Ok(request) => request,
        Err(error) => panic!("the request cannot be built: {error}"),
    }
}

criterion_group!(benches, polls);
criterion_main!(benches);
