//! The composition root: builds every part and ties them together.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use tokio::sync::mpsc;

use crate::api::health::{Health, HealthServer};
use crate::config::Config;
use crate::runtime::{Drain, DrainPlan, Readiness};
use crate::telemetry::{Logs, Metrics};

/// What `serve` takes besides settings.
#[derive(Default)]
pub struct ServeOptions {
    /// Opens one more listener that echoes, for conformance suites.
    pub conformance_echo: Option<SocketAddr>,
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
pub fn serve(config: Config, options: ServeOptions) -> anyhow::Result<()> {
    let drain = Drain::new();
    let readiness = Readiness::new();
    let health = Health {
        readiness: readiness.clone(),
        drain: drain.token(),
        metrics: Metrics::install()?,
        logs: options.logs,
    };
    let admin = HealthServer::start(config.listen.admin.address, health)
        .with_context(|| format!("the admin listener on {}", config.listen.admin.address))?;
    tracing::info!(listener = "admin", address = %admin.address(), "listening");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let plan = DrainPlan {
        not_ready: config.drain.delay,
        deadline: config.drain.deadline,
    };
    runtime.block_on(async {
        let mut orders = options.orders;
        loop {
            let order = match &mut orders {
                Some(orders) => orders.recv().await,
                None => std::future::pending().await,
            };
            match order {
                Some(Order::Reload(_)) => {}
                Some(Order::Drain) | None => break,
            }
        }
        readiness.withdraw();
        let report = drain.run(plan).await;
        tracing::info!(clean = report.clean, cut = report.cut, "drained");
    });
    Ok(())
}

/// Prepares the stores for this release.
///
/// # Errors
/// When a store cannot be reached or prepared.
pub fn migrate(_config: Config) -> anyhow::Result<()> {
    anyhow::bail!("there is no store to migrate yet")
}

/// Applies a declarative provisioning file.
///
/// # Errors
/// When the file is unsound or the store cannot be reached.
pub fn provision(_config: Config, _file: &Path) -> anyhow::Result<()> {
    anyhow::bail!("there is no store to provision yet")
}
