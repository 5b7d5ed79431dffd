//! `scale`: how cost grows. Sessions in one process, agents of one process, nodes over one Redis: at each step what a message costs, and
//! what a session or an agent that rests costs.

mod agents;
mod nodes;
mod sessions;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::measure::Results;
use crate::server::ServerArgs;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct ScaleArgs {
    /// What grows.
    #[arg(long, value_enum, default_value = "sessions")]
    pub part: Part,
    /// The most sessions; steps are a thousand, and ten times as many each.
    #[arg(long, default_value_t = 100_000)]
    pub sessions: u64,
    /// Messages of each session.
    #[arg(long, default_value_t = 10)]
    pub messages: u64,
    /// The most agents; steps are a thousand, and twice as many each.
    #[arg(long, default_value_t = 17_000)]
    pub agents: usize,
    /// The most nodes. They share a Redis and a PostgreSQL database.
    #[arg(long, default_value_t = 3)]
    pub nodes: usize,
    /// A Redis that is empty and nobody else's, for nodes.
    #[arg(long)]
    pub redis: Option<String>,
    /// A PostgreSQL database that is empty and nobody else's, for nodes.
    #[arg(long)]
    pub postgres: Option<String>,
    /// Messages that are measured at each step.
    #[arg(long, default_value_t = 20_000)]
    pub measured: u64,
    /// Connections that messages come over.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Seconds that memory is given to settle before it is read.
    #[arg(long, default_value_t = 10)]
    pub settle: u64,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Sessions of one process.
    Sessions,
    /// Agents of one process.
    Agents,
    /// Nodes over one Redis.
    Nodes,
}

/// Runs the story.
pub async fn run(args: ScaleArgs) -> Result<Results> {
    match args.part {
        Part::Sessions => sessions::run(&args).await,
        Part::Agents => agents::run(&args).await,
        Part::Nodes => nodes::run(&args).await,
    }
}

/// A figure at every step, its curve, and how much it grew from end to end.
#[derive(Debug, Default)]
struct Growth(Vec<(f64, f64)>);

impl Growth {
    fn at(&mut self, size: f64, value: f64) {
        self.0.push((size, value));
    }

    fn tell(self, name: &str, results: &mut Results) -> Result<()> {
        let [(_, first), .., (_, last)] = self.0[..] else {
            bail!("growth needs two steps at least");
        };
        for (size, value) in &self.0 {
            results.figures.insert(format!("{name}_at_{size:07}"), *value);
        }
        results
            .figures
            .insert(format!("{name}_from_end_to_end"), last / first.max(f64::EPSILON));
        results.curves.insert(name.to_owned(), self.0);
        Ok(())
    }
}
