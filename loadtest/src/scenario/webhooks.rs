//! `webhooks`: chats begin, and many endpoints are told. First all of them are well; then as many chats begin while others beside them
//! are slow or dead. What the healthy ones notice of that is the figure; at the end the dead rise, and nothing may be missing anywhere.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use tokio::task::JoinSet;

use crate::http::{Connection, loopback};
use crate::measure::{Latencies, Results, Summary};
use crate::pace::Pace;
use crate::proc::Usage;
use crate::receiver::{self, Receiver};
use crate::server::{Server, ServerArgs};
use crate::widget::Widget;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct WebhooksArgs {
    /// Endpoints that answer at once.
    #[arg(long, default_value_t = 8)]
    pub healthy: usize,
    /// Endpoints that answer late in the second part.
    #[arg(long, default_value_t = 4)]
    pub slow: usize,
    /// How late, milliseconds.
    #[arg(long, default_value_t = 3_000)]
    pub late: u64,
    /// Endpoints that refuse every connection in the second part, until its end.
    #[arg(long, default_value_t = 4)]
    pub dead: usize,
    /// Chats that begin a second.
    #[arg(long, default_value_t = 10)]
    pub rate: u32,
    /// How long each of the two parts takes, seconds.
    #[arg(long, default_value_t = 30)]
    pub seconds: u32,
    /// How long after that everything must have arrived, seconds.
    #[arg(long, default_value_t = 240)]
    pub settle: u64,
    /// API key of an administrator; by default the development tenant's.
    #[arg(long, default_value = receiver::ADMIN)]
    pub admin_key: String,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Connections that one address may open are limited by the server.
const PER_ADDRESS: usize = 20;
/// One session tells no more endpoints than this.
const MOST: usize = 16;

/// Chats that began: which, and when each was due.
type Begun = Rc<RefCell<Vec<(String, Instant)>>>;

/// Runs the story.
pub async fn run(args: WebhooksArgs) -> Result<Results> {
    if args.healthy + args.slow + args.dead > MOST {
        bail!("a session tells at most {MOST} endpoints");
    }
    let mut server = args.server.clone();
    server.set.push("outbound.allow=127.0.0.0/8".to_owned());
    let story = Story {
        server: Server::of(&server).await?,
        errors: Rc::default(),
        args,
    };
    story.through().await
}

struct Story {
    args: WebhooksArgs,
    server: Server,
    errors: Rc<RefCell<std::collections::BTreeMap<String, u64>>>,
}

impl Story {
    async fn through(self) -> Result<Results> {
        let args = &self.args;
        let (healthy, slow, mut dead) = (
            listening(args.healthy)?,
            listening(args.slow)?,
            listening(args.dead)?,
        );
        // As many notices are written in both parts: what differs is only how some of them are answered.
        for (kind, receivers) in [("healthy", &healthy), ("slow", &slow), ("dead", &dead)] {
            self.provision(kind, receivers).await?;
        }
        let before = Usage::of(self.server.pid())?;
        let alone = self.chats().await?;
        self.arrive(&healthy, &alone).await;
        let middle = Usage::of(self.server.pid())?;

        for receiver in &slow {
            receiver.slow_down(Duration::from_millis(args.late));
        }
        for receiver in &mut dead {
            receiver.die().await?;
        }
        let beside = self.chats().await?;
        self.arrive(&healthy, &beside).await;
        for receiver in &mut dead {
            receiver.listen()?;
        }
        let rose = Instant::now();
        let lost = self.arrive(&slow, &beside).await + self.arrive(&dead, &beside).await;
        let late = rose.elapsed();

        let (well, disturbed) = (latencies(&healthy, &alone), latencies(&healthy, &beside));
        let told = |summary: &Summary| summary.count as f64;
        let missing = (args.healthy * (alone.len() + beside.len())) as f64 - told(&well) - told(&disturbed);
        let mut results = Results {
            title: format!(
                "webhooks: {} healthy, {} slow by {} ms, {} dead; {} chats a second",
                args.healthy, args.slow, args.late, args.dead, args.rate
            ),
            ..Results::default()
        };
        let cpu = (middle.cpu - before.cpu).as_secs_f64().max(f64::EPSILON);
        results.figures.extend([
            ("chats".to_owned(), (alone.len() + beside.len()) as f64),
            ("notices_to_healthy".to_owned(), told(&well) + told(&disturbed)),
            (
                "notices_per_cpu_second_chats_included".to_owned(),
                told(&well) / cpu,
            ),
            (
                "healthy_p99_ratio_with_bad_beside".to_owned(),
                disturbed.p99_ms / well.p99_ms,
            ),
            (
                "healthy_p50_ratio_with_bad_beside".to_owned(),
                disturbed.p50_ms / well.p50_ms,
            ),
            ("missing_at_healthy".to_owned(), missing),
            ("missing_at_slow_and_dead".to_owned(), lost as f64),
            (
                "seconds_until_the_dead_had_everything".to_owned(),
                late.as_secs_f64(),
            ),
        ]);
        results
            .latencies
            .insert("chat due to notice, all well".to_owned(), well);
        results
            .latencies
            .insert("chat due to notice, bad ones beside".to_owned(), disturbed);
        results.errors = self.errors.borrow().clone();
        if missing > 0.0 || lost > 0 {
            results
                .errors
                .insert("notices that did not arrive".to_owned(), missing as u64 + lost);
        }
        if alone.is_empty() || beside.is_empty() {
            bail!("no chat began: {:?}", results.errors);
        }
        Ok(results)
    }

    async fn provision(&self, kind: &str, receivers: &[Receiver]) -> Result<()> {
        let receivers: Vec<&Receiver> = receivers.iter().collect();
        receiver::provision(&self.server, &self.args.admin_key, kind, &receivers).await
    }

    /// Begins chats at the rate, whatever becomes of them.
    async fn chats(&self) -> Result<Vec<(String, Instant)>> {
        let begun = Begun::default();
        let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / self.args.rate.max(1));
        let mut chats = JoinSet::new();
        for index in 0..self.args.rate * self.args.seconds {
            let due = pace.next().await;
            let (target, begun, errors) = (self.server.target(), Rc::clone(&begun), Rc::clone(&self.errors));
            let (key, endpoint) = (
                self.server.api_key().to_owned(),
                self.args.server.endpoint().to_owned(),
            );
            chats.spawn_local(async move {
                let opened = async {
                    let source = loopback(usize::try_from(index)?, PER_ADDRESS);
                    let connection = Connection::open(&target, source).await?;
                    Widget::open(connection, &key, &endpoint, &format!("Load{index}")).await
                };
                match opened.await {
                    Ok(widget) => begun.borrow_mut().push((widget.session().to_owned(), due)),
                    Err(error) => *errors.borrow_mut().entry(format!("chat: {error}")).or_default() += 1,
                }
            });
        }
        while chats.join_next().await.is_some() {}
        Ok(begun.take())
    }

    /// Waits until every receiver has heard of every chat; how many notices are missing when the time is over.
    async fn arrive(&self, receivers: &[Receiver], chats: &[(String, Instant)]) -> u64 {
        let end = Instant::now() + Duration::from_secs(self.args.settle);
        loop {
            let missing = receivers
                .iter()
                .map(|receiver| {
                    chats
                        .iter()
                        .filter(|(id, _)| receiver.heard(id).is_none())
                        .count() as u64
                })
                .sum();
            if missing == 0 || Instant::now() > end {
                return missing;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn listening(count: usize) -> Result<Vec<Receiver>> {
    let listens = |_| {
        let mut receiver = Receiver::new()?;
        receiver.listen()?;
        Ok(receiver)
    };
    (0..count).map(listens).collect()
}

/// From the moment a chat was due to each notice of it.
fn latencies(receivers: &[Receiver], chats: &[(String, Instant)]) -> Summary {
    let mut latencies = Latencies::default();
    for (id, due) in chats {
        for at in receivers.iter().filter_map(|receiver| receiver.heard(id)) {
            latencies.record(at.duration_since(*due));
        }
    }
    latencies.summary()
}
