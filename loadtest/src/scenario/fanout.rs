//! `fanout`: customers write into chats that many agents watch, over TLS. One text at a time, and in bursts; what a delivery costs the server.
//!
//! The same texts flow twice: while one agent watches each chat, and while many do. What a text itself costs, from its request to the
//! log, is in both; the difference is what delivering costs. Beside it, in the same run, an echo of as many plain sockets that is
//! nothing but `epoll`, `recv` and `send`.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::crew::{self, Customers, SIGNED_IN, reach};
use crate::http::{Target, loopback};
use crate::measure::Results;
use crate::pace::Pace;
use crate::proc::Usage;
use crate::raw::epoll::Echo;
use crate::server::{Server, ServerArgs};
use crate::stream::AgentStream;
use crate::tally::Shared;
use crate::widget::Widget;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct FanoutArgs {
    /// Chats.
    #[arg(long, default_value_t = 55)]
    pub sessions: usize,
    /// Agents who watch each; a session holds twenty participants, its customer among them.
    #[arg(long, default_value_t = 18)]
    pub watchers: usize,
    /// Texts of a burst.
    #[arg(long, default_value_t = 16)]
    pub burst: usize,
    /// Texts a second one at a time.
    #[arg(long, default_value_t = 100)]
    pub rate: u32,
    /// Bursts a second.
    #[arg(long, default_value_t = 40)]
    pub bursts: u32,
    /// How long each of the flows takes, seconds.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Agents who sign in a second.
    #[arg(long, default_value_t = 200)]
    pub ramp: u32,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Texts that agents were told, in the tally.
const TOLD: &str = "told";
/// Agents who are in a chat, in the tally.
const WORKING: &str = "working";
/// How often an invitation is tried, and how long the host listens in between.
const TRIES: u32 = 200;
const AGAIN: Duration = Duration::from_millis(50);
/// How long the last texts may take, seconds.
const PATIENCE: u64 = 30;

/// Runs the story.
pub async fn run(args: FanoutArgs) -> Result<Results> {
    let Cost { single, burst, tally } = measure(&args).await?;
    let echo = echo(args.sessions * args.watchers, Duration::from_secs(args.seconds)).await?;
    let mut tally = tally.borrow_mut();
    let mut results = Results {
        title: format!(
            "fanout: {} chats, {} agents in each, over WSS",
            args.sessions, args.watchers
        ),
        ..Results::default()
    };
    results.figures.extend([
        ("ns_per_delivery_one_at_a_time".to_owned(), single.slope),
        ("ns_per_delivery_in_bursts".to_owned(), burst.slope),
        ("ns_per_delivery_one_at_a_time_all_in".to_owned(), single.all_in),
        ("ns_per_delivery_in_bursts_all_in".to_owned(), burst.all_in),
        ("ns_per_text_with_one_watcher".to_owned(), single.text),
        ("ns_per_text_of_a_burst_with_one_watcher".to_owned(), burst.text),
        ("epoll_echo_ns_per_message".to_owned(), echo),
        (
            "one_at_a_time_ratio_to_epoll_echo".to_owned(),
            single.slope / echo,
        ),
        ("deliveries".to_owned(), tally.counted(TOLD) as f64),
    ]);
    for (name, what) in [
        ("due to the last watcher, one at a time", "one at a time"),
        ("due to the last watcher, in bursts", "in bursts"),
    ] {
        results.latencies.insert(name.to_owned(), tally.latency(what));
    }
    results.errors = tally.errors();
    Ok(results)
}

/// What deliveries cost.
pub struct Cost {
    /// One text at a time.
    pub single: Each,
    /// In bursts.
    pub burst: Each,
    tally: Shared,
}

/// Nanoseconds of server CPU.
#[derive(Debug, Default, Clone, Copy)]
pub struct Each {
    /// A delivery, without what its text costs anyway.
    pub slope: f64,
    /// A delivery, everything counted.
    pub all_in: f64,
    /// A text, with one agent to be told.
    pub text: f64,
}

/// Measures what a delivery costs.
pub async fn measure(args: &FanoutArgs) -> Result<Cost> {
    let agents = args.sessions * args.watchers;
    let mut server = args.server.clone();
    server.set.extend([
        // One customer writes as a hundred.
        "limits.rates.session=100000/s burst 100000".to_owned(),
        "limits.rates.address=1000000/s burst 1000000".to_owned(),
    ]);
    let server = crew::start(&server, agents, 1).await?;
    let tally = Shared::default();
    let told = Rc::new(Cell::new(0_u64));
    let mut working = JoinSet::new();
    let mut stage = Stage {
        customers: Customers::of(&server).await?,
        widgets: Vec::new(),
        told: Rc::clone(&told),
        tally: Rc::clone(&tally),
        crowded: watch::Sender::new(false),
        server,
    };
    stage.open(args, &mut working).await?;
    let few = stage.flows(args, 1).await?;
    stage.fill(args, &mut working).await?;
    let many = stage.flows(args, args.watchers).await?;
    let each = |few: f64, many: f64| Each {
        slope: (many - few) / (args.watchers - 1).max(1) as f64,
        all_in: many / args.watchers as f64,
        text: few,
    };
    working.shutdown().await;
    Ok(Cost {
        single: each(few[0], many[0]),
        burst: each(few[1], many[1]),
        tally,
    })
}

struct Stage {
    customers: Customers,
    widgets: Vec<Widget>,
    told: Rc<Cell<u64>>,
    tally: Shared,
    /// Whether it is time for the others to come in.
    crowded: watch::Sender<bool>,
    server: Server,
}

impl Stage {
    /// Every chat with its first agent.
    async fn open(&mut self, args: &FanoutArgs, working: &mut JoinSet<()>) -> Result<()> {
        for index in 0..args.sessions {
            let mut agent = self.sign_in(index).await?;
            self.widgets.push(self.customers.chat().await?);
            let session = loop {
                if let Some(session) = crew::began(&agent.next().await?) {
                    break session.to_owned();
                }
            };
            // Which chat each got does not matter, as long as everybody has one.
            let others =
                (1..args.watchers).map(|other| args.sessions + index * (args.watchers - 1) + other - 1);
            let others: Vec<String> = others.map(crew::login).collect();
            working.spawn_local(self.listen(agent, Some((session, others)), index));
        }
        Ok(())
    }

    /// The agents who come in beside the first.
    async fn fill(&mut self, args: &FanoutArgs, working: &mut JoinSet<()>) -> Result<()> {
        let agents = args.sessions * args.watchers;
        let bar = crew::bar(agents - args.sessions, "watchers")?;
        let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
        for index in args.sessions..agents {
            pace.next().await;
            let agent = self.sign_in(index).await?;
            working.spawn_local(self.listen(agent, None, index));
            bar.inc(1);
        }
        self.crowded.send_replace(true);
        reach(120, || {
            self.tally.borrow().is_over(WORKING, agents - args.sessions)
        })
        .await;
        bar.finish_and_clear();
        let there = self.tally.borrow().counted(WORKING) as usize;
        if there < agents - args.sessions {
            bail!(
                "only {there} of {} came in: {:?}",
                agents - args.sessions,
                self.tally.borrow().errors()
            );
        }
        Ok(())
    }

    async fn sign_in(&self, index: usize) -> Result<AgentStream> {
        let mut agent = crew::sign_in(&self.server.target(), index).await?;
        crew::take_chats(&mut agent).await?;
        self.tally.borrow_mut().count(SIGNED_IN);
        Ok(agent)
    }

    /// Counts what an agent is told; the first of a chat invites the others when it is time.
    fn listen(
        &self,
        mut agent: AgentStream,
        mut host: Option<(String, Vec<String>)>,
        index: usize,
    ) -> impl Future<Output = ()> + use<> {
        let (told, tally) = (Rc::clone(&self.told), Rc::clone(&self.tally));
        let mut crowded = self.crowded.subscribe();
        async move {
            let is_host = host.is_some();
            let mut works = false;
            let listens = async {
                loop {
                    let event: Value = tokio::select! {
                        event = agent.next() => event?,
                        _ = crowded.wait_for(|crowded| *crowded), if host.is_some() => {
                            let (session, others) = host.take().unwrap_or_default();
                            for other in others {
                                invite(&mut agent, &session, &other).await?;
                            }
                            continue;
                        }
                    };
                    if !is_host && crew::began(&event).is_some() && !std::mem::replace(&mut works, true) {
                        tally.borrow_mut().count(WORKING);
                    }
                    told.set(told.get() + crew::texts(&event).count() as u64);
                }
            };
            let ended: Result<()> = listens.await;
            if let Err(error) = ended {
                tally.borrow_mut().failed(&format!("agent {index}"), &error);
            }
        }
    }

    /// Nanoseconds of CPU a text, one at a time and in bursts.
    async fn flows(&mut self, args: &FanoutArgs, watchers: usize) -> Result<[f64; 2]> {
        let mut costs = [0.0; 2];
        let flows = [
            ("one at a time", 1, args.rate),
            ("in bursts", args.burst, args.bursts),
        ];
        for (cost, (what, burst, rate)) in costs.iter_mut().zip(flows) {
            // What it takes while nobody says anything is not what a text costs.
            let idle = self.cpu(tokio::time::sleep(Duration::from_secs(2))).await? / 2.0;
            let began = Instant::now();
            let rounds = u64::from(rate) * args.seconds;
            let told = self.told.get();
            let before = Usage::of(self.server.pid())?.cpu;
            let mut pace = Pace::new(began, Duration::from_secs(1) / rate.max(1));
            let mut saying = JoinSet::new();
            for round in 0..rounds {
                let due = pace.next().await;
                self.say(usize::try_from(round)?, burst, watchers, what, due, &mut saying)?;
                while saying.try_join_next().is_some() {}
            }
            while saying.join_next().await.is_some() {}
            let wanted = told + rounds * (burst * watchers) as u64;
            reach(PATIENCE, || self.told.get() >= wanted).await;
            let spent = (Usage::of(self.server.pid())?.cpu - before).as_secs_f64();
            let missing = wanted.saturating_sub(self.told.get());
            let mut tally = self.tally.borrow_mut();
            if missing > 0 {
                bail!("{missing} texts were not told: {:?}", tally.errors());
            }
            tally.add(TOLD, self.told.get() - told);
            let texts = (rounds * burst as u64) as f64;
            *cost = (spent - idle * began.elapsed().as_secs_f64()) / texts * 1e9;
        }
        Ok(costs)
    }

    /// Seconds of the server's CPU meanwhile.
    async fn cpu(&self, meanwhile: impl Future<Output = ()>) -> Result<f64> {
        let before = Usage::of(self.server.pid())?.cpu;
        meanwhile.await;
        Ok((Usage::of(self.server.pid())?.cpu - before).as_secs_f64())
    }

    /// So many texts of one customer at the same moment, over as many connections.
    fn say(
        &mut self,
        round: usize,
        burst: usize,
        watchers: usize,
        what: &'static str,
        due: Instant,
        saying: &mut JoinSet<()>,
    ) -> Result<()> {
        let chat = round % self.widgets.len();
        let (wanted, started) = ((burst * watchers) as u64, self.told.get());
        for number in 0..burst {
            let request = self.widgets[chat].send_request("Where+is+my+order+and+when+will+it+come%3F")?;
            let lines = self.customers.lines();
            let line = Rc::clone(&lines[(round * burst + number) % lines.len()]);
            let (tally, told) = (Rc::clone(&self.tally), Rc::clone(&self.told));
            let last = number + 1 == burst;
            saying.spawn_local(async move {
                match line.lock().await.send(request).await {
                    Ok((status, _)) if status.is_success() => {}
                    Ok((status, _)) => return tally.borrow_mut().wrong(format!("text: {status}"), 1),
                    Err(error) => return tally.borrow_mut().failed("text", &error),
                }
                if last {
                    // Others may be told meanwhile, so this is how long at least as many deliveries took.
                    reach(PATIENCE, || told.get() >= started + wanted).await;
                    tally.borrow_mut().took(what, due.elapsed());
                }
            });
        }
        Ok(())
    }
}

/// Asks an agent in. One is asked at a time: while another is on the way the answer is no.
async fn invite(host: &mut AgentStream, session: &str, agent: &str) -> Result<()> {
    for _ in 0..TRIES {
        let asked = json!({ "session": session, "agentId": agent });
        if host.asks("invite", asked).await.is_ok() {
            return Ok(());
        }
        // The next thing the host hears of may be that the other is in.
        if let Ok(event) = tokio::time::timeout(AGAIN, host.next()).await {
            event?;
        }
    }
    bail!("{agent} cannot be invited")
}

/// What a message costs an echo that does nothing else, nanoseconds.
async fn echo(connections: usize, time: Duration) -> Result<f64> {
    let echo = Echo::start().await?;
    let target = Target::of(echo.addr(), None);
    let mut asking = JoinSet::new();
    let mut sockets = Vec::with_capacity(connections);
    for index in 0..connections {
        sockets.push(target.open(loopback(index, 100)).await?);
    }
    let before = Usage::of(echo.pid())?.cpu;
    let end = Instant::now() + time;
    for mut socket in sockets {
        asking.spawn_local(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut count, mut piece) = (0_u64, [b'x'; 100]);
            while Instant::now() < end {
                socket.write_all(&piece).await?;
                socket.read_exact(&mut piece).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut messages = 0;
    while let Some(count) = asking.join_next().await {
        messages += count??;
    }
    let spent = Usage::of(echo.pid())?.cpu - before;
    Ok(spent.as_secs_f64() * 1e9 / messages.max(1) as f64)
}
