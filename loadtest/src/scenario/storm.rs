//! `storm`: all agents but a few lose their connection in one instant and come back at once, each to what was written meanwhile. What the
//! others notice of it, how long it takes, and whether anybody missed anything.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

use crate::crew::{self, Customers, Gate, SIGNED_IN, reach};
use crate::http::Target;
use crate::measure::{Latencies, Results, Summary};
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::ServerArgs;
use crate::stream::AgentStream;
use crate::tally::Shared;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct StormArgs {
    /// Agents who are cut.
    #[arg(long, default_value_t = 15_000)]
    pub agents: usize,
    /// Agents who are not.
    #[arg(long, default_value_t = 100)]
    pub untouched: usize,
    /// Of those who are cut, so many work in a chat whose customer writes meanwhile.
    #[arg(long, default_value_t = 1_000)]
    pub chats: usize,
    /// New agents a second while the load builds up.
    #[arg(long, default_value_t = 400)]
    pub ramp: u32,
    /// Commands a second of those who are not cut, before and during the storm.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// How long the calm before it is measured, seconds.
    #[arg(long, default_value_t = 10)]
    pub calm: u64,
    /// How long the storm may take, seconds.
    #[arg(long, default_value_t = 120)]
    pub patience: u64,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// What a customer writes into the silence.
const WORDS: &str = "while-you-were-away";
/// One who cannot connect tries again so often.
const AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weather {
    Calm,
    Cut,
    Storm,
    Over,
}

/// Runs the story.
pub async fn run(args: StormArgs) -> Result<Results> {
    let everybody = args.agents + args.untouched;
    let chats = args.chats.min(args.agents);
    let server = crew::start(&args.server, everybody, 1).await?;
    let mut customers = Customers::of(&server).await?;
    let tally = Shared::default();
    let curve = Rc::new(RefCell::new(Vec::new()));
    let (weather, forecast) = watch::channel(Weather::Calm);
    let gate = crew::gate();
    let mut agents = JoinSet::new();

    let bar = crew::bar(args.agents, "signing in")?;
    let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
    for index in 0..args.agents {
        pace.next().await;
        let agent = Agent {
            index,
            works: index < chats,
            has_chat: Cell::new(false),
            target: server.target(),
            gate: Gate::clone(&gate),
            tally: Rc::clone(&tally),
            curve: Rc::clone(&curve),
        };
        agents.spawn_local(agent.live(forecast.clone()));
        bar.inc(1);
    }
    reach(60, || tally.borrow().is_over(SIGNED_IN, args.agents)).await;
    bar.finish_and_clear();
    let mut widgets = Vec::with_capacity(chats);
    for _ in 0..chats {
        widgets.push(customers.chat().await?);
    }
    reach(60, || tally.borrow().is_over("working", chats)).await;
    let working = tally.borrow().counted("working") as usize;
    if working < chats {
        bail!(
            "only {working} of {chats} chats were taken: {:?}",
            tally.borrow().errors()
        );
    }

    // Last: nobody answers the server for them until they command something.
    let (untouched, calm) = untouched(&args, server.target(), forecast);
    let calm = calm.await.map_err(|_| anyhow!("the untouched gave up"))?;
    weather.send_replace(Weather::Cut);
    reach(30, || tally.borrow().is_over("cut", args.agents)).await;
    for widget in &mut widgets {
        widget.send(WORDS).await?;
    }

    let bar = crew::bar(args.agents, "coming back")?;
    let (before, began) = (Usage::of(server.pid())?, Instant::now());
    weather.send_replace(Weather::Storm);
    let wanted = args.agents;
    reach(args.patience, || tally.borrow().is_over("back", wanted)).await;
    let (after, took) = (Usage::of(server.pid())?, began.elapsed());
    bar.finish_and_clear();
    weather.send_replace(Weather::Over);
    while agents.join_next().await.is_some() {}
    let storm = untouched.join().map_err(|_| anyhow!("the untouched gave up"))??;

    let mut tally = tally.borrow_mut();
    let curve = curve.take();
    let back = tally.counted("back") as f64;
    let mut results = Results {
        title: format!(
            "storm: {} agents cut at once, {} untouched",
            args.agents, args.untouched
        ),
        ..Results::default()
    };
    let last = curve.last().map_or(took.as_secs_f64(), |(seconds, _)| *seconds);
    let cpu = (after.cpu - before.cpu).as_secs_f64().max(f64::EPSILON);
    results.figures.extend([
        ("agents_back".to_owned(), back),
        ("seconds_until_the_last_was_back".to_owned(), last),
        ("resumes_per_server_cpu_second".to_owned(), back / cpu),
        ("server_cpu_share".to_owned(), cpu / took.as_secs_f64()),
        (
            "connections_tried_again".to_owned(),
            tally.counted("tried again") as f64,
        ),
        ("texts_written_meanwhile".to_owned(), chats as f64),
        ("texts_missed".to_owned(), tally.counted("texts missed") as f64),
        (
            "texts_told_twice".to_owned(),
            tally.counted("texts told twice") as f64,
        ),
        ("gaps".to_owned(), tally.counted("gaps") as f64),
        ("untouched_p99_ratio".to_owned(), ratio(&storm, &calm)),
    ]);
    results.latencies.extend([
        ("untouched: command to reply, calm".to_owned(), calm),
        ("untouched: command to reply, storm".to_owned(), storm),
        ("cut to resumed".to_owned(), tally.latency("back")),
    ]);
    results.curves.insert("agents back, by seconds".to_owned(), curve);
    results.errors = tally.errors();
    for what in ["texts missed", "texts told twice", "gaps"] {
        if tally.counted(what) > 0 {
            results.errors.insert(what.to_owned(), tally.counted(what));
        }
    }
    Ok(results)
}

fn ratio(later: &Summary, earlier: &Summary) -> f64 {
    later.p99_ms / earlier.p99_ms.max(f64::EPSILON)
}

/// Those who are not cut, on a thread of their own, so that a client that is busy with the storm does not delay them; what they notice
/// of the calm is told first.
fn untouched(
    args: &StormArgs,
    target: Target,
    mut forecast: watch::Receiver<Weather>,
) -> (JoinHandle<Result<Summary>>, oneshot::Receiver<Summary>) {
    let (tell, calm) = oneshot::channel();
    let (agents, rate) = (args.agents..args.agents + args.untouched, args.rate);
    let time = Duration::from_secs(args.calm);
    let thread = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async move {
            let mut others = Vec::new();
            for index in agents {
                others.push(crew::sign_in(&target, index).await?);
            }
            let since = Instant::now();
            let calm = commands(&mut others, rate, || since.elapsed() >= time).await?;
            // Where nobody listens, the run is over.
            let _ = tell.send(calm);
            if forecast
                .wait_for(|weather| *weather >= Weather::Storm)
                .await
                .is_err()
            {
                bail!("there was no storm");
            }
            commands(&mut others, rate, || *forecast.borrow() == Weather::Over).await
        })
    });
    (thread, calm)
}

/// Lets the untouched command something, in turn, at an even rate.
async fn commands(others: &mut Vec<AgentStream>, rate: u32, is_over: impl Fn() -> bool) -> Result<Summary> {
    let latencies = Rc::new(RefCell::new(Latencies::default()));
    let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / rate.max(1));
    let mut busy: JoinSet<Result<AgentStream>> = JoinSet::new();
    while !is_over() {
        let due = pace.next().await;
        let other = match others.pop() {
            Some(other) => Some(other),
            None => busy.join_next().await.transpose()?.transpose()?,
        };
        let Some(mut other) = other else {
            bail!("nobody is untouched");
        };
        let latencies = Rc::clone(&latencies);
        busy.spawn_local(async move {
            other.asks("auto-accept", json!({ "on": false })).await?;
            latencies.borrow_mut().record(due.elapsed());
            Ok(other)
        });
        while let Some(other) = busy.try_join_next() {
            others.insert(0, other??);
        }
    }
    while let Some(other) = busy.join_next().await {
        others.insert(0, other??);
    }
    let latencies = latencies.borrow();
    Ok(latencies.summary())
}

struct Agent {
    index: usize,
    works: bool,
    has_chat: Cell<bool>,
    target: Target,
    gate: Gate,
    tally: Shared,
    /// Seconds since the storm began, and how many were back.
    curve: Rc<RefCell<Vec<(f64, f64)>>>,
}

impl Agent {
    /// Signs in, works, is cut, and comes back.
    async fn live(self, mut forecast: watch::Receiver<Weather>) {
        let mut stream = match self.sign_in().await {
            Ok(stream) => stream,
            Err(error) => return self.tally.borrow_mut().failed("sign in", &error),
        };
        self.tally.borrow_mut().count(SIGNED_IN);
        let mut heard = 0;
        if let Err(error) = self
            .work(&mut stream, &mut forecast, Weather::Cut, &mut heard)
            .await
        {
            return self.tally.borrow_mut().failed("before the storm", &error);
        }
        let mut memory = stream.cut();
        self.tally.borrow_mut().count("cut");
        if forecast
            .wait_for(|weather| *weather >= Weather::Storm)
            .await
            .is_err()
        {
            return;
        }
        let since = Instant::now();
        let (mut stream, events) = loop {
            match crew::come_back(&self.target, self.index, &self.gate, memory).await {
                Ok(back) => break back,
                Err(broken) => {
                    for event in &broken.events {
                        self.note(event, &mut heard);
                    }
                    let mut tally = self.tally.borrow_mut();
                    tally.count("tried again");
                    if *forecast.borrow() == Weather::Over {
                        return tally.failed("come back", &broken.error);
                    }
                    memory = broken.memory;
                }
            }
            tokio::time::sleep(AGAIN).await;
        };
        for event in &events {
            self.note(event, &mut heard);
        }
        {
            let mut tally = self.tally.borrow_mut();
            tally.count("back");
            tally.took("back", since.elapsed());
            let back = tally.counted("back") as f64;
            self.curve
                .borrow_mut()
                .push((since.elapsed().as_secs_f64(), back));
        }
        if let Err(error) = self
            .work(&mut stream, &mut forecast, Weather::Over, &mut heard)
            .await
        {
            return self.tally.borrow_mut().failed("after the storm", &error);
        }
        if self.works {
            let mut tally = self.tally.borrow_mut();
            match heard {
                0 => tally.count("texts missed"),
                1 => {}
                _ => tally.count("texts told twice"),
            }
        }
    }

    async fn sign_in(&self) -> Result<AgentStream> {
        let mut stream = crew::sign_in(&self.target, self.index).await?;
        if self.works {
            crew::take_chats(&mut stream).await?;
        }
        Ok(stream)
    }

    /// Reads until the weather has come.
    async fn work(
        &self,
        stream: &mut AgentStream,
        forecast: &mut watch::Receiver<Weather>,
        until: Weather,
        heard: &mut u64,
    ) -> Result<()> {
        loop {
            tokio::select! {
                event = stream.next() => self.note(&event?, heard),
                _ = forecast.wait_for(|weather| *weather >= until) => return Ok(()),
            }
        }
    }

    fn note(&self, event: &Value, heard: &mut u64) {
        if crew::began(event).is_some() && !self.has_chat.replace(true) {
            self.tally.borrow_mut().count("working");
        }
        if event["event"] == "gap" {
            self.tally.borrow_mut().count("gaps");
        }
        *heard += crew::texts(event).filter(|text| *text == WORDS).count() as u64;
    }
}
