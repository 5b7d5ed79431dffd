//! One core of the server, chats there, and texts of an aggregator.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::Method;
use nexus::egress::Dispatcher;
use nexus::ingress::aggregators::{AggregatorSettings, Aggregators};
use nexus::ingress::channel::Intake;
use nexus::ingress::widgets::{WidgetOptions, Widgets};
use nexus::log::NodeId;
use nexus::log::embedded::{EmbeddedOptions, EmbeddedStore};
use nexus::log::media::{DirectoryMedia, SharedMedia};
use nexus::log::memory::MemoryStore;
use nexus::model::Millis;
use nexus::net::Peer;
use nexus::net::http::{Body, Request, Response};
use nexus::protocol::channel::sms::velocity::Caps;
use nexus::provisioning::secret::MasterKeys;
use nexus::provisioning::{Act, EmbeddedStore as Declared, Provisioning, Store, declare};
use nexus::routing::BuiltinRouter;
use nexus::runtime::{Clock, Rate};
use nexus::shard::{Campaigns, Links, Neighbours, ShardOptions, Shards};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use uuid::Uuid;

use super::texts::{self, Text};

const BASE: &str = "/nexus/v3/chat/sessions";
/// When a log of which nobody wants anything becomes small.
pub const REST: Duration = Duration::from_millis(200);
const OPERATION: &str = "operationId=ca6c005844-9bceb-a97ef-344c2-84b99f01";
/// A key of no other use.
const MASTER: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Where the core keeps its logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// In this process: an append costs nothing.
    Memory,
    /// In a file, with hardly any pages of it in memory: what this process takes is what it takes beside the store.
    File,
}

/// A core that serves widgets and an aggregator.
pub struct Core {
    runtime: Runtime,
    core: LocalSet,
    widgets: Widgets,
    aggregators: Aggregators,
    peer: Peer,
    api_key: String,
    _provisioning: Provisioning,
    _folder: Folder,
}

/// An open chat.
pub struct Chat {
    token: String,
    session: String,
}

impl Core {
    /// Starts it.
    pub fn start(keeps: Keeps) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let core = LocalSet::new();
        let folder = Folder::make()?;
        let (provisioning, widgets, aggregators) = core.block_on(&runtime, start(&folder.0, keeps))?;
        Ok(Self {
            runtime,
            core,
            widgets,
            aggregators,
            peer: Peer {
                addr: "127.0.0.1:50000".parse()?,
                local: "127.0.0.1:443".parse()?,
                tls: true,
                http2: false,
            },
            api_key: declare::development().context("no development tenant")?.api_key,
            _provisioning: provisioning,
            _folder: folder,
        })
    }

    /// Opens a chat.
    pub fn chat(&self) -> Result<Chat> {
        let created =
            self.handle(self.request(None, Method::POST, BASE, "data[nickname]=Ann&data[endpoint]=web")?);
        ensure!(created.status().is_success(), "no chat: {}", created.status());
        let answer: Value = serde_json::from_slice(created.body().as_bytes().unwrap_or_default())?;
        let text = |pointer| {
            answer
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Ok(Chat {
            token: text("/data/clientToken").to_owned(),
            session: text("/data/entity/id").to_owned(),
        })
    }

    /// Asks for what is new.
    pub fn poll(&self, chat: &Chat) -> Result<Response> {
        let path = format!("{BASE}/{}/messages?{OPERATION}", chat.session);
        Ok(self.handle(self.request(Some(chat), Method::GET, &path, "")?))
    }

    /// Says something.
    pub fn say(&self, chat: &Chat, words: &str) -> Result<()> {
        let path = format!("{BASE}/{}/messages", chat.session);
        let body = format!(
            "{OPERATION}&data[type]=Text&data[text]={}",
            words.replace(' ', "+")
        );
        let said = self.handle(self.request(Some(chat), Method::POST, &path, &body)?);
        ensure!(said.status().is_success(), "not said: {}", said.status());
        Ok(())
    }

    /// Takes a text in.
    pub fn take(&self, text: &Text) -> Result<Response> {
        let request = text.request()?;
        Ok(self.core.block_on(&self.runtime, self.aggregators.call(request)))
    }

    /// Lets it do for a while what it does by itself.
    pub fn idle(&self, time: Duration) {
        self.core
            .block_on(&self.runtime, async { tokio::time::sleep(time).await });
    }

    fn request(&self, chat: Option<&Chat>, method: Method, path: &str, body: &str) -> Result<Request> {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("x-api-key", &self.api_key)
            .header("origin", "https://shop.example")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(chat) = chat {
            request = request.header("x-nexus-client-key", &chat.token);
        }
        Ok(request.body(Body::whole(body.to_owned()))?)
    }

    fn handle(&self, request: Request) -> Response {
        self.core
            .block_on(&self.runtime, self.widgets.handle(request, &self.peer))
    }
}

async fn start(folder: &Path, keeps: Keeps) -> Result<(Provisioning, Widgets, Aggregators)> {
    let clock = Clock::system();
    let now = Millis(clock.wall_ms());
    let store: Arc<dyn Store> = Arc::new(Declared::open(&folder.join("provisioning.redb"))?);
    let provisioning = Provisioning::start_on(store, MasterKeys::from_text(MASTER)?, None, now).await?;
    let act = Act {
        actor: "costs".to_owned(),
        at: now,
    };
    declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act).await?;
    declare::apply(provisioning.directory(), texts::TENANT, &act).await?;
    let log = match keeps {
        Keeps::Memory => MemoryStore::new(16, clock.clone())?.core(),
        Keeps::File => {
            let options = EmbeddedOptions {
                partitions: 16,
                clock: clock.clone(),
                cache_bytes: 1 << 20,
                ..EmbeddedOptions::default()
            };
            EmbeddedStore::open(folder, options)?.core()
        }
    };
    let (links, mut rooms) = Links::between(1, 64);
    let neighbours = Neighbours {
        router: Rc::new(BuiltinRouter::new(Rc::clone(&log))),
        deliverer: Rc::new(Dispatcher::default()),
    };
    let node = NodeId(Uuid::from_u128(1));
    let options = ShardOptions {
        rest: REST,
        fold: REST,
        // However slow the machine is: what is dropped takes nothing.
        idle: Duration::from_secs(24 * 3_600),
        ..ShardOptions::default()
    };
    let campaigns = Campaigns::new(Rc::clone(&log), clock.clone());
    let shards = Shards::start(
        rooms.remove(0),
        links,
        log,
        neighbours,
        clock.clone(),
        node,
        options,
    );
    let media: SharedMedia = DirectoryMedia::open(folder, 1)?;
    let unlimited = Rate::per_second(1_000_000_000, 1_000_000_000);
    let options = WidgetOptions {
        per_key: unlimited,
        per_address: unlimited,
        creates_per_address: unlimited,
        per_session: unlimited,
        ..WidgetOptions::default()
    };
    let snapshots = provisioning.snapshots().clone();
    let intake = Intake::new(shards.clone(), campaigns, media.clone(), Caps::default());
    let settings = AggregatorSettings {
        base: texts::PUBLIC.to_owned(),
        body: 64 * 1024,
    };
    let aggregators = Aggregators::new(intake, shards.clone(), snapshots.clone(), clock, settings, None);
    let widgets = Widgets::new(shards, snapshots, media, options, 7);
    Ok((provisioning, widgets, aggregators))
}

/// A folder that goes when it is no longer needed.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("nexus-costs-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind, it is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
