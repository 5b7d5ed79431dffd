//! Whole journeys under load, measured from outside the server.
//!
//! Every client here talks to loopback only, from many loopback addresses, on an open-loop schedule. Memory and CPU of the
//! server are read from `/proc` by this tool itself.

mod callbacks;
mod cluster;
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
mod socket;
mod stream;
mod tally;
mod texts;
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
    /// What coming costs: TLS, the upgrade, the ticket.
    Handshakes(scenario::handshakes::HandshakesArgs),
    /// Texts told to many agents, one at a time and in bursts.
    Fanout(scenario::fanout::FanoutArgs),
    /// Keep-alive connections of widgets between two polls.
    Idle(scenario::idle::IdleArgs),
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
    /// How cost grows with sessions, agents and nodes.
    Scale(scenario::scale::ScaleArgs),
    /// Everything at once.
    Mixed(scenario::mixed::MixedArgs),
    /// Idle connections, echo and fan-out beside other servers.
    Compare(scenario::compare::CompareArgs),
    /// A constant hyper response to compare with; used by other scenarios.
    #[command(hide = true)]
    Constant {
        /// Where to listen.
        addr: std::net::SocketAddr,
    },
    /// An echo of the kernel to compare with; used by other scenarios.
    #[command(hide = true)]
    EpollEcho {
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
        let (name, folder, results) = match arguments.scenario {
            Scenario::Widgets(args) => (
                "widgets",
                args.report.clone(),
                scenario::widgets::run(args).await?,
            ),
            Scenario::Workspace(args) => (
                "workspace",
                args.report.clone(),
                scenario::workspace::run(args).await?,
            ),
            Scenario::Handshakes(args) => (
                "handshakes",
                args.report.clone(),
                scenario::handshakes::run(args).await?,
            ),
            Scenario::Fanout(args) => ("fanout", args.report.clone(), scenario::fanout::run(args).await?),
            Scenario::Idle(args) => ("idle", args.report.clone(), scenario::idle::run(args).await?),
            Scenario::Polls(args) => ("polls", args.report.clone(), scenario::polls::run(args).await?),
            Scenario::Latency(args) => (
                "latency",
                args.report.clone(),
                scenario::latency::run(args).await?,
            ),
            Scenario::Storm(args) => ("storm", args.report.clone(), scenario::storm::run(args).await?),
            Scenario::Slow(args) => ("slow", args.report.clone(), scenario::slow::run(args).await?),
            Scenario::Sms(args) => ("sms", args.report.clone(), scenario::sms::run(args).await?),
            Scenario::Webhooks(args) => (
                "webhooks",
                args.report.clone(),
                scenario::webhooks::run(args).await?,
            ),
            Scenario::Scale(args) => ("scale", args.report.clone(), scenario::scale::run(args).await?),
            Scenario::Mixed(args) => ("mixed", args.report.clone(), scenario::mixed::run(args).await?),
            Scenario::Compare(args) => (
                "compare",
                args.report.clone(),
                scenario::compare::run(args).await?,
            ),
            Scenario::Constant { addr } => return constant::serve(addr).await,
            Scenario::EpollEcho { addr } => return raw::epoll::serve(addr),
        };
        sound(&folder, name, &results)
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
