//! `polls`: widget polls that bring nothing new, each with its preflight, beside the same requests to a server that answers a constant. Both
//! are asked in turn over as many plain connections, as fast as they answer; the CPU that each takes is the figure.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use tokio::task::JoinSet;

use crate::http::{Connection, Target, loopback};
use crate::measure::{Latencies, Results};
use crate::proc::Usage;
use crate::server::{Server, ServerArgs, free_ports};
use crate::widget::Widget;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct PollsArgs {
    /// Connections, each with a chat of its own.
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// How long each of the four parts takes, seconds.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Runs the story.
pub async fn run(args: PollsArgs) -> Result<Results> {
    let mut server = ServerArgs {
        plain: true,
        ..args.server.clone()
    };
    // Nobody polls so fast.
    server.set.extend([
        "limits.rates.session=1000000/s burst 1000000".to_owned(),
        "limits.rates.address=1000000/s burst 1000000".to_owned(),
    ]);
    let server = Server::of(&server).await?;
    let constant = Constant::start().await?;
    let mut widgets = Vec::with_capacity(args.connections);
    for index in 0..args.connections {
        let connection = Connection::open(&server.target(), loopback(index, 10)).await?;
        widgets.push(Widget::open(connection, server.api_key(), args.server.endpoint(), "Load").await?);
    }
    let time = Duration::from_secs(args.seconds);
    let (mut ours, mut theirs) = (Side::default(), Side::default());
    for _ in 0..2 {
        ours.ask(&mut widgets, &server.target(), server.pid(), time)
            .await?;
        theirs
            .ask(
                &mut widgets,
                &Target::of(constant.addr, None),
                constant.child.id(),
                time,
            )
            .await?;
    }
    let mut results = Results {
        title: format!("polls: nothing new, {} connections", args.connections),
        ..Results::default()
    };
    results.figures.extend([
        (
            "polls_with_preflight_per_cpu_second".to_owned(),
            ours.per_cpu_second(),
        ),
        ("constant_per_cpu_second".to_owned(), theirs.per_cpu_second()),
        (
            "cpu_ratio_to_constant".to_owned(),
            theirs.per_cpu_second() / ours.per_cpu_second(),
        ),
        (
            "microseconds_of_cpu_a_poll".to_owned(),
            1e6 / ours.per_cpu_second(),
        ),
    ]);
    results.latencies.extend([
        ("poll with its preflight".to_owned(), ours.latencies.summary()),
        ("the same of the constant".to_owned(), theirs.latencies.summary()),
    ]);
    Ok(results)
}

#[derive(Default)]
struct Side {
    pairs: u64,
    cpu: Duration,
    latencies: Latencies,
}

impl Side {
    async fn ask(&mut self, widgets: &mut [Widget], target: &Target, pid: u32, time: Duration) -> Result<()> {
        let mut asking = JoinSet::new();
        let mut connections = Vec::with_capacity(widgets.len());
        for index in 0..widgets.len() {
            connections.push(Connection::open(target, loopback(index, 10)).await?);
        }
        let (before, began) = (Usage::of(pid)?.cpu, Instant::now());
        for (widget, mut connection) in widgets.iter_mut().zip(connections) {
            let pair = widget.poll_requests()?;
            asking.spawn_local(async move {
                let (mut pairs, mut latencies) = (0, Latencies::default());
                while began.elapsed() < time {
                    let asked = Instant::now();
                    for request in &pair {
                        let (status, _) = connection.send(request.clone()).await?;
                        if !status.is_success() {
                            bail!("{status}");
                        }
                    }
                    latencies.record(asked.elapsed());
                    pairs += 1;
                }
                Ok((pairs, latencies))
            });
        }
        while let Some(done) = asking.join_next().await {
            let (pairs, latencies) = done??;
            self.pairs += pairs;
            self.latencies.add(&latencies);
        }
        self.cpu += Usage::of(pid)?.cpu - before;
        Ok(())
    }

    fn per_cpu_second(&self) -> f64 {
        self.pairs as f64 / self.cpu.as_secs_f64().max(f64::EPSILON)
    }
}

/// The server that does nothing, as a process of its own.
struct Constant {
    child: Child,
    addr: SocketAddr,
}

impl Constant {
    async fn start() -> Result<Self> {
        let [addr] = free_ports()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("constant")
            .arg(addr.to_string())
            .spawn()?;
        let constant = Self { child, addr };
        let give_up = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(addr).is_err() {
            if Instant::now() > give_up {
                bail!("the constant server did not start");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(constant)
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        // It holds nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
