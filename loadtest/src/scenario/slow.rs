//! `slow`: many agents stop reading while their customers go on writing. What each of them costs meanwhile, what those who read notice of
//! it, and whether the slow ones have everything once they read again.
//!
//! The same texts flow twice: while everybody reads, and while the slow ones do not. What the server grew by the first time is what the
//! texts themselves cost; the difference is what the slow sockets cost.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::crew::{self, Customers, Gate, SIGNED_IN, reach};
use crate::http::Target;
use crate::measure::Results;
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::{Server, ServerArgs};
use crate::stream::{AgentStream, command_id};
use crate::tally::Tally;
use crate::widget::Widget;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct SlowArgs {
    /// Agents who stop reading.
    #[arg(long, default_value_t = 15_000)]
    pub slow: usize,
    /// Agents who go on.
    #[arg(long, default_value_t = 100)]
    pub fast: usize,
    /// Texts a second to the slow.
    #[arg(long, default_value_t = 1_000)]
    pub rate: u32,
    /// Texts a second to those who read.
    #[arg(long, default_value_t = 50)]
    pub beside: u32,
    /// Bytes of a text.
    #[arg(long, default_value_t = 1_000)]
    pub bytes: usize,
    /// How long each of the two parts takes, seconds.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// New agents, and then new chats, a second while the load builds up.
    #[arg(long, default_value_t = 400)]
    pub ramp: u32,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// What the kernel of a slow one takes in for it, bytes.
const RECEIVE_BUFFER: u32 = 4_096;
/// One who cannot connect tries again so often.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the slow have to catch up, seconds.
const CATCH_UP: u64 = 120;
/// From the moment a text was due until somebody fast had it.
const SEEN: &str = "seen";
/// How long memory is given to settle before it is read.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Reading,
    Stopped,
    Again,
    Over,
}

/// What the agents heard.
#[derive(Default)]
struct Heard {
    tally: Tally,
    /// Who works in a session, by its id.
    working: HashMap<String, usize>,
    /// Texts that an agent heard.
    texts: Vec<u64>,
}

impl Heard {
    fn note(&mut self, agent: usize, event: &Value) {
        if let Some(session) = crew::began(event) {
            self.working.entry(session.to_owned()).or_insert(agent);
        }
        for text in crew::texts(event) {
            let Some((id, _)) = text.split_once(':') else {
                continue;
            };
            self.texts[agent] += 1;
            self.tally.seen(SEEN, id);
        }
    }
}

/// Runs the story.
pub async fn run(args: SlowArgs) -> Result<Results> {
    let everybody = args.slow + args.fast;
    let server = crew::start(&args.server, everybody, 1).await?;
    let heard = Rc::new(RefCell::new(Heard {
        texts: vec![0; everybody],
        ..Heard::default()
    }));
    let (part, told) = watch::channel(Part::Reading);
    let gate = crew::gate();
    let mut agents = JoinSet::new();
    let bar = crew::bar(everybody, "signing in")?;
    let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
    for index in 0..everybody {
        pace.next().await;
        let target = server.target();
        let slow = index < args.slow;
        let agent = Agent {
            index,
            slow,
            target: if slow {
                target.reading(RECEIVE_BUFFER)
            } else {
                target
            },
            gate: Gate::clone(&gate),
            heard: Rc::clone(&heard),
        };
        agents.spawn_local(agent.live(told.clone()));
        bar.inc(1);
    }
    reach(60, || heard.borrow().tally.is_over(SIGNED_IN, everybody)).await;
    bar.finish_and_clear();
    let chats = Chats::open(&server, &args, &heard).await?;

    let mut grown = [0_i64; 2];
    let mut latencies = Vec::new();
    for (which, grown) in grown.iter_mut().enumerate() {
        tokio::time::sleep(SETTLE).await;
        let before = Usage::of(server.pid())?.anonymous;
        chats.flow(&args, &heard).await;
        tokio::time::sleep(SETTLE).await;
        *grown = i64::try_from(Usage::of(server.pid())?.anonymous)? - i64::try_from(before)?;
        latencies.push(heard.borrow_mut().tally.latency(SEEN));
        if which == 0 {
            part.send_replace(Part::Stopped);
        }
    }
    part.send_replace(Part::Again);
    let sent = |agent: usize| chats.sent.borrow().get(&agent).copied().unwrap_or_default();
    let missing = || -> u64 {
        let heard = heard.borrow();
        (0..everybody)
            .map(|agent| sent(agent).saturating_sub(heard.texts[agent]))
            .sum()
    };
    let again = Instant::now();
    reach(CATCH_UP, || missing() == 0).await;
    let caught_up = again.elapsed();
    let missing = missing();
    part.send_replace(Part::Over);
    while agents.join_next().await.is_some() {}

    let tally = &heard.borrow().tally;
    let [while_read, while_not] = grown;
    let mut results = Results {
        title: format!(
            "slow: {} agents stop reading, {} texts a second of {} bytes",
            args.slow, args.rate, args.bytes
        ),
        ..Results::default()
    };
    results.figures.extend([
        (
            "bytes_a_slow_socket".to_owned(),
            (while_not - while_read) as f64 / args.slow as f64,
        ),
        ("bytes_grown_while_all_read".to_owned(), while_read as f64),
        ("bytes_grown_while_the_slow_did_not".to_owned(), while_not as f64),
        (
            "slow_closed_by_the_server".to_owned(),
            tally.counted("closed") as f64,
        ),
        (
            "seconds_until_the_slow_had_everything".to_owned(),
            caught_up.as_secs_f64(),
        ),
        ("texts_missing".to_owned(), missing as f64),
        (
            "fast_p99_ratio".to_owned(),
            latencies[1].p99_ms / latencies[0].p99_ms.max(f64::EPSILON),
        ),
    ]);
    let names = [
        "fast: due to seen, all read",
        "fast: due to seen, the slow do not",
    ];
    for (name, latency) in names.into_iter().zip(latencies) {
        results.latencies.insert(name.to_owned(), latency);
    }
    results.errors = tally.errors();
    if missing > 0 {
        results.errors.insert("texts missing".to_owned(), missing);
    }
    Ok(results)
}

/// One chat for each agent, and how many texts were sent to whom.
struct Chats {
    slow: Vec<Rc<Mutex<Widget>>>,
    fast: Vec<Rc<Mutex<Widget>>>,
    agents: Rc<HashMap<String, usize>>,
    sent: Rc<RefCell<HashMap<usize, u64>>>,
}

impl Chats {
    async fn open(server: &Server, args: &SlowArgs, heard: &RefCell<Heard>) -> Result<Self> {
        let wanted = args.slow + args.fast;
        let mut customers = Customers::of(server).await?;
        let bar = crew::bar(wanted, "chats")?;
        let mut opening = JoinSet::new();
        let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.ramp.max(1));
        for _ in 0..wanted {
            pace.next().await;
            opening.spawn_local(customers.chat());
            bar.inc(1);
        }
        let mut widgets = Vec::with_capacity(wanted);
        while let Some(widget) = opening.join_next().await {
            widgets.push(widget??);
        }
        reach(60, || heard.borrow().working.len() >= wanted).await;
        bar.finish_and_clear();
        let agents = Rc::new(heard.borrow().working.clone());
        if agents.len() < wanted {
            bail!(
                "only {} of {wanted} chats were taken: {:?}",
                agents.len(),
                heard.borrow().tally.errors()
            );
        }
        let mut chats = Self {
            slow: Vec::new(),
            fast: Vec::new(),
            agents,
            sent: Rc::default(),
        };
        for widget in widgets {
            let agent = chats.agents.get(widget.session()).copied().unwrap_or_default();
            let list = if agent < args.slow {
                &mut chats.slow
            } else {
                &mut chats.fast
            };
            list.push(Rc::new(Mutex::new(widget)));
        }
        Ok(chats)
    }

    /// Customers write for a while, in turn.
    async fn flow(&self, args: &SlowArgs, heard: &Rc<RefCell<Heard>>) {
        let began = Instant::now();
        let mut sending = JoinSet::new();
        let mut pace = Pace::new(began, Duration::from_secs(1) / args.rate.max(1));
        let each = (args.rate / args.beside.max(1)).max(1) as usize;
        let mut number = 0_usize;
        while began.elapsed() < Duration::from_secs(args.seconds) {
            let due = pace.next().await;
            let mut lists = vec![&self.slow];
            if number.is_multiple_of(each) {
                lists.push(&self.fast);
            }
            for list in lists.into_iter().filter(|list| !list.is_empty()) {
                let chat = Rc::clone(&list[number % list.len()]);
                let timed = std::ptr::eq(list, &self.fast);
                let (heard, sent, agents) =
                    (Rc::clone(heard), Rc::clone(&self.sent), Rc::clone(&self.agents));
                let words = "x".repeat(args.bytes);
                sending.spawn_local(async move {
                    let mut chat = chat.lock().await;
                    let id = command_id();
                    if timed {
                        heard.borrow_mut().tally.sent(id.clone(), due);
                    }
                    match chat.send(&format!("{id}%3A{words}")).await {
                        Ok(()) => {
                            let agent = agents.get(chat.session()).copied().unwrap_or_default();
                            *sent.borrow_mut().entry(agent).or_default() += 1;
                        }
                        Err(error) => heard.borrow_mut().tally.failed("send", &error),
                    }
                });
            }
            number += 1;
            while sending.try_join_next().is_some() {}
        }
        while sending.join_next().await.is_some() {}
    }
}

struct Agent {
    index: usize,
    slow: bool,
    target: Target,
    gate: Gate,
    heard: Rc<RefCell<Heard>>,
}

impl Agent {
    /// Signs in, works, stops reading if it is one of the slow, and catches up.
    async fn live(self, mut told: watch::Receiver<Part>) {
        let signed_in = async {
            let mut stream = crew::sign_in(&self.target, self.index).await?;
            crew::take_chats(&mut stream).await?;
            anyhow::Ok(stream)
        };
        let mut stream = match signed_in.await {
            Ok(stream) => stream,
            Err(error) => return self.heard.borrow_mut().tally.failed("sign in", &error),
        };
        self.heard.borrow_mut().tally.count(SIGNED_IN);
        let until = if self.slow { Part::Stopped } else { Part::Over };
        if let Err(error) = self.read(&mut stream, &mut told, until).await {
            return self.heard.borrow_mut().tally.failed("read", &error);
        }
        if told.wait_for(|part| *part >= Part::Again).await.is_err() {
            return;
        }
        while self.read(&mut stream, &mut told, Part::Over).await.is_err() {
            self.heard.borrow_mut().tally.count("closed");
            let mut memory = stream.cut();
            let (back, events) = loop {
                match crew::come_back(&self.target, self.index, &self.gate, memory).await {
                    Ok(back) => break back,
                    Err(broken) if *told.borrow() == Part::Over => {
                        return self.heard.borrow_mut().tally.failed("come back", &broken.error);
                    }
                    Err(broken) => {
                        self.note(&broken.events);
                        memory = broken.memory;
                    }
                }
                tokio::time::sleep(AGAIN).await;
            };
            self.note(&events);
            stream = back;
        }
    }

    fn note(&self, events: &[Value]) {
        for event in events {
            self.heard.borrow_mut().note(self.index, event);
        }
    }

    async fn read(
        &self,
        stream: &mut AgentStream,
        told: &mut watch::Receiver<Part>,
        until: Part,
    ) -> Result<()> {
        loop {
            tokio::select! {
                event = stream.next() => self.heard.borrow_mut().note(self.index, &event?),
                _ = told.wait_for(|part| *part >= until) => return Ok(()),
            }
        }
    }
}
