//! Connections 4 and 5: a strategy's words into the log and out of it again, a conversation as Designer reads it, a text with
//! field codes and one with masked patterns. Whole handlers, from a request's head to an answer's body.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hyper::{Method, StatusCode};
use nexus::api::auth::authenticate;
use nexus::egress::Dispatcher;
use nexus::ingress::designer::{Designer, Preview};
use nexus::ingress::tenant::{TenantOptions, TenantService};
use nexus::log::NodeId;
use nexus::log::memory::MemoryStore;
use nexus::model::{LogId, Media, Millis, ParticipantId, Spread, TransportId};
use nexus::net::http::{Body, Request, Response};
use nexus::provisioning::access::{Access, Principal};
use nexus::provisioning::masking::Masker;
use nexus::provisioning::secret::MasterKeys;
use nexus::provisioning::{Act, EmbeddedStore, Provisioning, Store, declare};
use nexus::routing::BuiltinRouter;
use nexus::runtime::{Clock, Drain};
use nexus::session::{Open, Place, SessionInput, Terms};
use nexus::shard::{Links, Neighbours, ShardOptions, Shards};
use serde_json::{Map, json};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use uuid::Uuid;

const KEY: &str = "00000000-0000-4000-8000-000000000001";
type Setup<T> = Result<T, Box<dyn std::error::Error>>;

struct Bench {
    runtime: Runtime,
    core: LocalSet,
    designer: Designer,
    tenant: TenantService,
    who: Principal,
    session: LogId,
    provisioning: Provisioning,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn start() -> Setup<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let core = LocalSet::new();
        let dir = tempfile::tempdir()?;
        let (provisioning, shards, session) = core.block_on(&runtime, open(dir.path()))?;
        let snapshots = provisioning.snapshots().clone();
        let mut headers = hyper::HeaderMap::new();
        headers.insert("x-api-key", KEY.parse()?);
        let now = Millis(Clock::system().wall_ms());
        let who = authenticate(&Access::default(), &snapshots.load(), &headers, now);
        let options = TenantOptions {
            body: 64 * 1024,
            url: None,
        };
        Ok(Self {
            designer: Designer::new(shards.clone(), snapshots.clone(), 64 * 1024),
            tenant: TenantService::new(shards, snapshots, options, Drain::new().token()),
            who: who.map_err(|fault| format!("{fault:?}"))?,
            runtime,
            core,
            session,
            provisioning,
            _dir: dir,
        })
    }

    fn esp(&self, method: &str, parameters: &serde_json::Value) -> Request {
        let body = json!({"Parameters": parameters,
            "UserData": {"InteractionId": "000A1aDEMO001", "ChatSessionId": self.session.to_string()}});
        let path = format!("/nexus/v3/esp/Chat/{method}");
        request(Method::POST, &path, body.to_string())
    }

    fn strategy(&self, request: Request) -> Response {
        let asked = self.tenant.call(Ok(self.who.clone()), request);
        done(self.core.block_on(&self.runtime, asked))
    }

    fn reads(&self, request: Request) -> Response {
        let asked = self.designer.call(Ok(self.who.clone()), request);
        done(self.core.block_on(&self.runtime, asked))
    }
}

fn request(method: Method, path: &str, body: String) -> Request {
    let built = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::whole(body));
    match built {
        Ok(request) => request,
        Err(error) => panic!("the request cannot be built: {error}"),
    }
}

fn done(response: Response) -> Response {
    assert_eq!(response.status(), StatusCode::OK, "{response:?}");
    response
}

async fn open(dir: &std::path::Path) -> Setup<(Provisioning, Shards, LogId)> {
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
    let shards = Shards::start(
        rooms.remove(0),
        links,
        log,
        neighbours,
        clock,
        node,
        ShardOptions::default(),
    );
    let development = declare::development().ok_or("no development tenant")?;
    let session = LogId::session(now, [7; 10], Spread::of(&[b"bench"]));
    let place = Place {
        queue: "chat.inbound".to_owned(),
        priority: 1,
        skills: Vec::new(),
        offer_ms: 20_000,
    };
    let open = Open {
        tenant: development.tenant,
        media: Media::Chat,
        endpoint: "web".to_owned(),
        stream: None,
        locale: None,
        asynchronous: false,
        profile: Map::from_iter([("FirstName".to_owned(), "Ann".into())]),
        nickname: "Ann".to_owned(),
        participant: ParticipantId(Uuid::from_u128(2)),
        transport: TransportId(Uuid::from_u128(3)),
        place,
        welcome: None,
        terms: Terms::default(),
    };
    let opened = shards.session(session, SessionInput::Open(Box::new(open))).await;
    opened.map_err(|error| format!("{error:?}"))?;
    Ok((provisioning, shards, session))
}

fn started() -> Bench {
    match Bench::start() {
        Ok(bench) => bench,
        Err(error) => panic!("the services cannot be started: {error}"),
    }
}

fn tenant_service(criterion: &mut Criterion) {
    let bench = started();
    let mut group = criterion.benchmark_group("tenant");
    let words = json!({"MessageText": "What is your order number, please?", "TreatAs": "System"});
    group.bench_function("message", |bencher| {
        bencher.iter_batched(
            || bench.esp("Message", &words),
            |request| bench.strategy(request),
            BatchSize::SmallInput,
        );
    });
    let page = bench.reads(request(
        Method::GET,
        &format!("/nexus/v3/routing/interactions/{}", bench.session),
        String::new(),
    ));
    let page: serde_json::Value =
        serde_json::from_slice(page.body().as_bytes().unwrap_or_default()).unwrap_or_default();
    let newest = page["data"]["asOf"].as_u64().unwrap_or(16);
    for (name, after) in [
        ("nothing_new", newest),
        ("sixteen_new", newest.saturating_sub(16)),
    ] {
        let asked = json!({ "AfterIndex": after });
        group.bench_function(format!("get_messages/{name}"), |bencher| {
            bencher.iter_batched(
                || bench.esp("GetMessages", &asked),
                |request| bench.strategy(request),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn designer(criterion: &mut Criterion) {
    let bench = started();
    for _ in 0..20 {
        bench.strategy(bench.esp("Message", &json!({"MessageText": "A line of ordinary length."})));
    }
    let mut group = criterion.benchmark_group("designer");
    let path = format!("/nexus/v3/routing/interactions/{}", bench.session);
    group.bench_function("interaction/twenty_messages", |bencher| {
        bencher.iter_batched(
            || request(Method::GET, &path, String::new()),
            |request| bench.reads(request),
            BatchSize::SmallInput,
        );
    });
    let query = format!(
        "/nexus/v3/routing/standard-responses?interactionId={}&agentId=alice",
        bench.session
    );
    group.bench_function("standard_responses/rendered", |bencher| {
        bencher.iter_batched(
            || request(Method::GET, &query, String::new()),
            |request| bench.reads(request),
            BatchSize::SmallInput,
        );
    });
    let snapshot = bench.provisioning.snapshots().load_full();
    let preview = Preview {
        snapshot: &snapshot,
        tenant: bench.who.tenant,
    };
    group.bench_function("field_codes", |bencher| {
        bencher.iter(|| {
            preview.fill(black_box(
                "Dear {contact.FirstName}, thank you for contacting {company}.",
            ))
        });
    });
    let masker = Masker::new(&snapshot, bench.who.tenant);
    for (name, text) in [
        ("clean", "A line of ordinary length, without a number in it."),
        ("card", "My card is 4111 1111 1111 1111, is that all right?"),
    ] {
        group.bench_function(format!("mask/{name}"), |bencher| {
            bencher.iter(|| masker.mask(black_box(text)).len());
        });
    }
    group.finish();
}

criterion_group!(benches, tenant_service, designer);
criterion_main!(benches);
