//! Whole journeys under load, measured from outside the server.
//!
//! Every client here talks to loopback only, from many loopback addresses, on an open-loop schedule. Memory and CPU of the
//! server are read from `/proc` by this tool itself.

mod callbacks;
mod constant;
mod crew;
mod http;
mod measure;
mod pace;
mod proc;
mod raw;
mod receiver;
mod report;
mod scenario;
mod server;
mod stream;
mod tls;
mod widget;

use std::path::Path;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::task::LocalSet;

use measure::Results;

#[derive(Debug, Parser)]
#[command(about = "Whole journeys under load, measured from outside the server")]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// N chats at the widget's real rhythm.
    Widgets(scenario::widgets::WidgetsArgs),
    /// N idle agents over WSS.
    Workspace(scenario::workspace::WorkspaceArgs),
    /// Polls that bring nothing, beside a server that does nothing.
    Polls(scenario::polls::PollsArgs),
    /// Customers on one node, agents on another.
    Latency(scenario::latency::LatencyArgs),
    /// All agents lose their connection at once, and come back.
    Storm(scenario::storm::StormArgs),
    /// Many agents stop reading while their customers write on.
    Slow(scenario::slow::SlowArgs),
    /// Text messages from aggregators, as fast as they are kept.
    Sms(scenario::sms::SmsArgs),
    /// Notices to many endpoints, some of which are slow or dead.
    Webhooks(scenario::webhooks::WebhooksArgs),
    /// A constant hyper response to compare with; used by other scenarios.
    #[command(hide = true)]
    Constant {
        /// Where to listen.
        addr: std::net::SocketAddr,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        match arguments.scenario {
            Scenario::Widgets(args) => {
                let folder = args.report.clone();
                publish(&folder, "widgets", &scenario::widgets::run(args).await?)
            }
            Scenario::Workspace(args) => {
                let folder = args.report.clone();
                publish(&folder, "workspace", &scenario::workspace::run(args).await?)
            }
            Scenario::Polls(args) => {
                let folder = args.report.clone();
                publish(&folder, "polls", &scenario::polls::run(args).await?)
            }
            Scenario::Latency(args) => {
                let folder = args.report.clone();
                sound(&folder, "latency", &scenario::latency::run(args).await?)
            }
            Scenario::Storm(args) => {
                let folder = args.report.clone();
                sound(&folder, "storm", &scenario::storm::run(args).await?)
            }
            Scenario::Slow(args) => {
                let folder = args.report.clone();
                sound(&folder, "slow", &scenario::slow::run(args).await?)
            }
            Scenario::Sms(args) => {
                let folder = args.report.clone();
                sound(&folder, "sms", &scenario::sms::run(args).await?)
            }
            Scenario::Webhooks(args) => {
                let folder = args.report.clone();
                sound(&folder, "webhooks", &scenario::webhooks::run(args).await?)
            }
            Scenario::Constant { addr } => constant::serve(addr).await,
        }
    })
}

/// Publishes; a run that lost something, or was told so, is none to go by.
fn sound(folder: &Path, name: &str, results: &Results) -> Result<()> {
    publish(folder, name, results)?;
    if !results.errors.is_empty() {
        bail!("{name}: not everything went as it must");
    }
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "a command-line tool speaks on its standard output"
)]
fn publish(folder: &Path, name: &str, results: &Results) -> Result<()> {
    let page = report::write(folder, name, results)?;
    println!("{}", results.title);
    for (name, value) in &results.figures {
        println!("  {name:<44} {:>14}", report::number(*value));
    }
    for (name, summary) in &results.latencies {
        println!(
            "  {name:<44} p50 {:>8.2} ms  p99 {:>8.2} ms  p99.9 {:>8.2} ms  ({})",
            summary.p50_ms, summary.p99_ms, summary.p999_ms, summary.count
        );
    }
    for (what, count) in &results.errors {
        println!("  ! {what}: {count}");
    }
    println!("report: {}", page.display());
    Ok(())
}
