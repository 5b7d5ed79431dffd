//! `sms`: text messages from aggregators. Forms and batches, signed; some come twice, some are forged; what is acknowledged is kept.
//!
//! Four parts: every customer's first message opens a session; a steady rate shows how long an answer takes; as many connections as
//! are open are kept busy, which shows what a second of CPU is good for; the server is killed and asked again for what it had
//! acknowledged. Then a client that does nothing else drives the engine under the store.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::callbacks::{Callback, Mix, Shares, TENANT};
use crate::crew;
use crate::http::{Connection, loopback};
use crate::measure::Results;
use crate::proc::Usage;
use crate::raw;
use crate::server::{Server, ServerArgs};
use crate::tally::Shared;
use crate::texts::{self, ANSWER, FORGED, MESSAGES, REPEATS};

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct SmsArgs {
    /// How many customers, each with a session of their own.
    #[arg(long, default_value_t = 2_000)]
    pub customers: u64,
    /// Callbacks a second while the rate is steady.
    #[arg(long, default_value_t = 500)]
    pub rate: u32,
    /// How long each of the two measured parts takes, seconds.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Connections of the aggregators.
    #[arg(long, default_value_t = 128)]
    pub connections: usize,
    #[command(flatten)]
    pub shares: Shares,
    /// A Redis to keep the log in, as `redis://127.0.0.1:port`: empty, of its own, on this machine. Without it: the embedded store.
    #[arg(long, conflicts_with = "address")]
    pub redis: Option<String>,
    /// Calls of the raw Redis client at each of its settings.
    #[arg(long, default_value_t = 50_000)]
    pub raw_calls: usize,
    /// Bytes that one message makes the embedded store write: its record, the head of its log, its key, its effects.
    #[arg(long, default_value_t = 1_000)]
    pub row_bytes: usize,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Connections that one address may open are limited by the server.
const PER_ADDRESS: usize = 50;
/// Acknowledged callbacks that a killed server is asked for again.
const ASKED_AGAIN: usize = 100;

/// Runs the story.
pub async fn run(args: SmsArgs) -> Result<Results> {
    let mut server = args.server.clone();
    server.set.extend(texts::settings());
    if let Some(url) = &args.redis {
        server
            .set
            .extend(["store.mode=redis".to_owned(), format!("store.redis.urls={url}")]);
    }
    let server = crew::provisioned(&server, TENANT).await?;
    Run {
        mix: Rc::new(RefCell::new(Mix::new(args.shares, args.customers))),
        tally: Rc::default(),
        server,
        args,
    }
    .through()
    .await
}

struct Run {
    args: SmsArgs,
    server: Server,
    mix: Rc<RefCell<Mix>>,
    tally: Shared,
}

impl Run {
    async fn through(mut self) -> Result<Results> {
        let mut results = Results {
            title: format!(
                "sms: {} customers, {}/s, then {} connections, {}",
                self.args.customers,
                self.args.rate,
                self.args.connections,
                if self.args.redis.is_some() {
                    "redis"
                } else {
                    "embedded"
                }
            ),
            ..Results::default()
        };
        let mut figure = |name: &str, value: f64| {
            results.figures.insert(name.to_owned(), value);
        };
        let redis = match &self.args.redis {
            Some(url) => {
                let addr = raw::redis::address(url)?;
                Some((addr, raw::redis::pid(addr).await?))
            }
            None => None,
        };
        let opened = Instant::now();
        self.open().await?;
        figure(
            "sessions_opened_per_second",
            self.args.customers as f64 / opened.elapsed().as_secs_f64(),
        );

        // A little of the mix is looked at on its way; then nobody looks.
        let calls = match redis {
            Some((addr, _)) => Some(raw::redis::watch(addr, self.steady(Duration::from_secs(2))).await?),
            None => None,
        };
        let (repeats, invalid) = self.counters().await?;
        self.tally.take();
        self.steady(Duration::from_secs(self.args.seconds)).await?;
        let steady = self.tally.borrow_mut().latency(ANSWER);

        let kept = || self.tally.borrow().counted(MESSAGES) + self.tally.borrow().counted(REPEATS);
        let before = kept();
        let cpu = |redis: Option<(_, u32)>| -> Result<(Duration, Duration)> {
            let store = redis.map_or(Ok(Duration::ZERO), |(_, pid)| {
                Usage::of(pid).map(|usage| usage.cpu)
            })?;
            Ok((Usage::of(self.server.pid())?.cpu, store))
        };
        let (server_before, store_before) = cpu(redis)?;
        let began = Instant::now();
        self.busy(Duration::from_secs(self.args.seconds)).await?;
        let seconds = began.elapsed().as_secs_f64();
        let (server_after, store_after) = cpu(redis)?;
        let (server, store) = (server_after - server_before, store_after - store_before);
        let (repeats_after, invalid_after) = self.counters().await?;

        let kept = (kept() - before) as f64;
        let sent = |what| self.tally.borrow().counted(what);
        let (messages, repeated, forged) = (sent(MESSAGES), sent(REPEATS), sent(FORGED));
        let per = |time: Duration| kept / time.as_secs_f64().max(f64::EPSILON);
        figure("acknowledged_per_second", kept / seconds);
        figure("acknowledged_per_server_cpu_second", per(server));
        figure("acknowledged_per_cpu_second_store_included", per(server + store));
        figure("messages_acknowledged", messages as f64);
        figure("repeats_sent", repeated as f64);
        figure("forgeries_sent", forged as f64);
        let known = repeats_after - repeats;
        let refused = invalid_after - invalid;
        figure("repeats_known_to_the_server", known);
        figure("forgeries_counted_by_the_server", refused);

        let mut errors = self.tally.borrow().errors();
        if self.server.folder().is_some() {
            for (what, ours, theirs) in [("repeats", repeated, known), ("forgeries", forged, refused)] {
                if theirs != ours as f64 {
                    errors.insert(format!("{what} the server did not count as such"), 1);
                }
            }
        }
        let lost = self.asked_again().await?;
        figure("acknowledged_but_unknown_after_kill", lost as f64);
        if lost > 0 {
            errors.insert("acknowledged and lost".to_owned(), lost);
        }
        if messages == 0 {
            bail!("nothing was acknowledged: {errors:?}");
        }
        // The engine is driven while nothing else wants it.
        self.server.kill()?;
        match (redis, calls) {
            (Some((addr, pid)), Some(calls)) => {
                let reached =
                    raw::redis::drive(addr, pid, &calls, self.args.raw_calls, self.args.shares.repeats)
                        .await?;
                figure("raw_redis_calls_seen", calls.count() as f64);
                figure("raw_redis_bytes_of_a_call", calls.bytes());
                for one in &reached {
                    let name = format!("raw_redis_{}x{}_calls_per_second", one.connections, one.depth);
                    figure(&name, one.per_second);
                }
                if let Some(best) = reached
                    .iter()
                    .max_by(|a, b| a.per_second.total_cmp(&b.per_second))
                {
                    figure("raw_redis_best_connections", best.connections as f64);
                    figure("raw_redis_best_depth", best.depth as f64);
                    figure(
                        "raw_redis_best_calls_per_redis_cpu_second",
                        best.per_redis_cpu_second,
                    );
                    figure("raw_redis_best_calls_per_cpu_second", best.per_cpu_second);
                    figure("ratio_to_raw_per_second", kept / seconds / best.per_second);
                    figure(
                        "ratio_to_raw_per_cpu_second",
                        per(server + store) / best.per_cpu_second,
                    );
                    figure(
                        "ratio_to_raw_per_redis_cpu_second",
                        per(store) / best.per_redis_cpu_second,
                    );
                }
            }
            _ => {
                let folder = self
                    .server
                    .folder()
                    .map_or_else(std::env::temp_dir, PathBuf::from);
                let time = Duration::from_secs(self.args.seconds.div_ceil(2));
                let reached = raw::redb::drive(&folder, self.args.row_bytes, time)?;
                for one in &reached {
                    figure(
                        &format!("raw_redb_group_{}_rows_per_second", one.group),
                        one.per_second,
                    );
                }
                if let Some(best) = reached
                    .iter()
                    .max_by(|a, b| a.per_second.total_cmp(&b.per_second))
                {
                    figure("raw_redb_best_group", best.group as f64);
                    figure("raw_redb_best_rows_per_cpu_second", best.per_cpu_second);
                    figure("ratio_to_raw_per_second", kept / seconds / best.per_second);
                    figure("ratio_to_raw_per_cpu_second", per(server) / best.per_cpu_second);
                }
            }
        }
        results
            .latencies
            .insert("callback to answer at the steady rate".to_owned(), steady);
        results.errors = errors;
        Ok(results)
    }

    /// Every customer writes for the first time.
    async fn open(&self) -> Result<()> {
        let next = Rc::new(Cell::new(0));
        let customers = self.args.customers;
        self.work(move |mix| {
            let customer = next.replace(next.get() + 1);
            (customer < customers).then(|| (mix.first(customer), Instant::now()))
        })
        .await
    }

    /// The mix at the rate that is asked for, whatever the answers do.
    async fn steady(&self, time: Duration) -> Result<()> {
        let every = Duration::from_secs(1) / self.args.rate.max(1);
        let (start, next) = (Instant::now(), Rc::new(Cell::new(0_u32)));
        self.work(move |mix| {
            let due = start + every * next.replace(next.get() + 1);
            (due < start + time).then(|| (mix.next(), due))
        })
        .await
    }

    /// The mix as fast as it is answered.
    async fn busy(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        self.work(move |mix| {
            let now = Instant::now();
            (now < end).then(|| (mix.next(), now))
        })
        .await
    }

    /// Lets every connection send what `next` has for it, each when it is due, until there is nothing more.
    async fn work(
        &self,
        next: impl Fn(&mut Mix) -> Option<(Callback, Instant)> + Clone + 'static,
    ) -> Result<()> {
        let servers = [self.server.target()];
        texts::send(&servers, self.args.connections, &self.mix, &self.tally, next).await
    }

    /// Repeats that the server knew, and signatures it did not take.
    async fn counters(&self) -> Result<(f64, f64)> {
        Ok((
            self.server.counter("nexus_log_repeats_total").await?,
            self.server
                .counter("hubpp_webhook_invalid_signature_total")
                .await?,
        ))
    }

    /// Kills the server and sends again what it acknowledged last; how many messages it did not know.
    async fn asked_again(&mut self) -> Result<u64> {
        if !self.server.crash().await? {
            return Ok(0);
        }
        let again: Vec<Callback> = self.mix.borrow().newest().take(ASKED_AGAIN).collect();
        let messages: u64 = again.iter().map(|callback| callback.messages).sum();
        let mut connection = Connection::open(&self.server.target(), loopback(0, PER_ADDRESS)).await?;
        for callback in again {
            let (status, _) = connection.send(callback.request()?).await?;
            if !status.is_success() {
                bail!("a repeat after the kill was answered {status}");
            }
        }
        let (known, _) = self.counters().await?;
        Ok((messages as f64 - known).max(0.0) as u64)
    }
}
