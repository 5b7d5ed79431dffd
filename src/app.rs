//! The composition root: builds every part and ties them together.
//!
//! One thread a core runs the message path (`serving`); this thread runs provisioning, certificates and the drain; health and
//! metrics have a thread of their own, so that they answer when the cores are busy.

mod doors;
mod gws;
mod history;
mod limits;
mod outward;
mod retention;
mod serving;
mod stores;
mod tickets;
mod tokens;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::api::health::{Health, HealthServer};
use crate::api::ux;
use crate::config::{Config, StoreMode};
use crate::ingress::aggregators::Spool;
use crate::log::NodeId;
use crate::log::redis::RedisStore;
use crate::model::Millis;
use crate::provisioning::declare::{self, DEVELOPMENT, Development};
use crate::provisioning::{Act, Provisioning, Settings};
use crate::runtime::clock::Clock;
use crate::runtime::cores::{CoreId, CoreResult, Cores};
use crate::runtime::{Drain, DrainPlan, Readiness};
use crate::shard::Links;
use crate::telemetry::{Logs, Metrics, Pseudonyms, TenantLabels};

use self::doors::Doors;
use self::serving::Parts;
use self::stores::{Keeping, LogStore};

/// What `serve` takes besides settings.
#[derive(Default)]
pub struct ServeOptions {
    /// Opens one more listener that echoes, for conformance suites.
    pub conformance_echo: Option<SocketAddr>,
    /// The same behind TLS, with the certificate of the public listener.
    pub conformance_echo_tls: Option<SocketAddr>,
    /// What the process is told while it runs. Without it, it runs until it fails.
    pub orders: Option<mpsc::Receiver<Order>>,
    /// The log, for the lines it lost.
    pub logs: Option<Logs>,
}

/// What a running node is told.
#[derive(Debug)]
pub enum Order {
    /// Stop gracefully.
    Drain,
    /// Take new settings, as far as they can change while it runs; re-read certificates.
    Reload(Box<Config>),
}

/// Builds a node, runs it until it is drained, and reports.
///
/// # Errors
/// When a part cannot be built or fails.
pub fn serve(config: Config, options: ServeOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve_on(Arc::new(config), options))
}

async fn serve_on(config: Arc<Config>, options: ServeOptions) -> Result<()> {
    let clock = Clock::system();
    let (drain, readiness) = (Drain::new(), Readiness::new());
    let metrics = Metrics::install()?;
    let health = Health {
        readiness: readiness.clone(),
        drain: drain.token(),
        metrics: metrics.clone(),
        logs: options.logs,
    };
    // Held until every part holds its own: a node must not look ready before it has begun.
    let mut starting = readiness.latch("start");
    let admin = config.listen.admin.address;
    let admin =
        HealthServer::start(admin, health).with_context(|| format!("the admin listener on {admin}"))?;
    tracing::info!(listener = "admin", address = %admin.address(), "listening");

    let mut provisioned = readiness.latch("provisioning");
    let now = Millis(clock.wall_ms());
    let provisioning = stores::provisioning(&config, now).await.context("provisioning")?;
    let development = development(&config, &provisioning, now).await?;
    provisioned.release();

    let tickets = tickets::provisioned(provisioning.snapshots(), &clock)?;
    tokio::spawn(tickets::follow(
        Arc::clone(&tickets),
        provisioning.snapshots().clone(),
        clock.clone(),
    ));
    let access = Arc::new(tokens::access(&config.auth)?);
    let cores = config.cores.count.or(processors());
    let mut doors = Doors::new(&config, &tickets, cores)?;
    let (links, mailrooms) = Links::between(cores, config.limits.queues.mailbox);
    let (opened, mut openings) = mpsc::channel(cores);
    let store = LogStore::open(&config.store, &clock).context("the session log")?;
    let spool = match &config.aggregators.spool_directory {
        Some(directory) => Some(
            Spool::open(directory, config.aggregators.spool_max.0)
                .context("[aggregators] spool_directory")?,
        ),
        None => None,
    };
    let parts = Parts {
        spool,
        outbound: outward::options(&config)?,
        store: store.clone(),
        keeping: Keeping::open(&config).context("files and our own history")?,
        node: NodeId(Uuid::new_v4()),
        links,
        snapshots: provisioning.snapshots().clone(),
        directory: Arc::clone(provisioning.directory()),
        access: Arc::clone(&access),
        widget_settings: development
            .as_ref()
            .map(|it| ux::widget::settings(&it.api_key, &it.endpoint)),
        echo: doors.echoes(&config, options.conformance_echo, options.conformance_echo_tls),
        drain: drain.token(),
        pseudonyms: match config.telemetry.redaction_key.expose() {
            Some(key) => Pseudonyms::under(key),
            None => Pseudonyms::random()?,
        },
        labels: TenantLabels::new(config.telemetry.tenant_labels),
        opened,
        clock,
        config: Arc::clone(&config),
    };
    let certificates = doors.certificates();
    let works = mailrooms.into_iter().map(|mailroom| {
        let doors = doors.seats();
        let (parts, latch) = (parts.clone(), readiness.latch("log"));
        let (tally, lag) = (metrics.core(), metrics.lag());
        move |core: CoreId| -> LocalBoxFuture<'static, CoreResult> {
            serving::run(parts, core, mailroom, latch, tally, lag, doors).boxed_local()
        }
    });
    let mut running = Cores::start(works.collect(), config.cores.pin)?;
    starting.release();
    drop(parts);

    tokio::spawn(certificates.clone().watch());
    let mut orders = options.orders;
    loop {
        tokio::select! {
            ended = running.ended() => return Ok(ended?),
            Some(store) = openings.recv() => {
                openings.close();
                tracing::info!(
                    store = store.name, durability = %store.durability, partitions = store.partitions, cores,
                    "serving"
                );
                greet(&config, development.as_ref());
            }
            order = next_order(&mut orders) => match order {
                Some(Order::Reload(config)) => {
                    certificates.reload();
                    tokens::reload(&access, &config.auth);
                }
                Some(Order::Drain) | None => break,
            },
        }
    }
    readiness.withdraw();
    let plan = DrainPlan {
        not_ready: config.drain.delay,
        deadline: config.drain.deadline,
    };
    let report = drain.run(plan).await;
    for phase in &report.phases {
        tracing::info!(phase = phase.phase.name(), took = ?phase.took, held = phase.held, cut = phase.cut, "drain phase");
    }
    tracing::info!(clean = report.clean, cut = report.cut, "drained");
    running.ended().await?;
    store.close().await;
    Ok(())
}

async fn next_order(orders: &mut Option<mpsc::Receiver<Order>>) -> Option<Order> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}

/// One core a processor, unless the configuration says otherwise.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The development tenant, applied where the configuration asks for it.
async fn development(
    config: &Config,
    provisioning: &Provisioning,
    now: Millis,
) -> Result<Option<Development>> {
    if !config.provisioning.development_tenant {
        return Ok(None);
    }
    apply(provisioning, DEVELOPMENT, now)
        .await
        .context("the development tenant")?;
    Ok(declare::development())
}

async fn apply(provisioning: &Provisioning, text: &str, now: Millis) -> Result<declare::Report> {
    let act = Act {
        actor: "provision".to_owned(),
        at: now,
    };
    Ok(declare::apply(provisioning.directory(), text, &act).await?)
}

/// Tells a developer where everything is.
fn greet(config: &Config, development: Option<&Development>) {
    let public = &config.listen.public;
    tracing::info!(listener = "public", address = %public.address, tls = true, "listening");
    if let Some(plain) = public.plain_address {
        tracing::info!(listener = "public", address = %plain, tls = false, "listening");
    }
    let internal = &config.listen.internal;
    let (tls, url) = (internal.certificate_file.is_some(), internal.url.as_deref());
    tracing::info!(listener = "internal", address = %internal.address, tls, url, "listening");
    let (Some(development), Some(plain)) = (development, public.plain_address) else {
        return;
    };
    tracing::info!("customer page: http://{plain}/ux/widget/");
    tracing::info!("agent page:    http://{plain}/ux/workspace/");
    tracing::info!(api_key = development.api_key, "development API key");
    for (login, token) in &development.agents {
        tracing::info!(login, token, "development agent");
    }
}

/// Prepares the stores for this release.
///
/// # Errors
/// When a store cannot be reached or prepared.
pub fn migrate(config: Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if config.store.mode == StoreMode::Redis {
            RedisStore::migrate(&stores::redis_options(&config.store)?).await?;
            tracing::info!("the session log's function is loaded");
        }
        let settings = Settings::from_config(&config.postgres, &config.provisioning, &config.store.data_dir)?;
        let applied = Provisioning::migrate(settings).await?;
        tracing::info!(applied, "provisioning is up to date");
        Ok(())
    })
}

/// Applies a declarative provisioning file.
///
/// # Errors
/// When the file is unsound or the store cannot be reached.
pub fn provision(config: Config, file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let now = Millis(Clock::system().wall_ms());
        let provisioning = stores::provisioning(&config, now).await?;
        let report = apply(&provisioning, &text, now).await?;
        for item in &report.items {
            tracing::info!(kind = ?item.kind, name = item.name, outcome = ?item.outcome, "provisioned");
        }
        Ok(())
    })
}
