//! `widgets`: N chats at the widget's real rhythm. A poll every 3 s, each with its preflight; a text now and then.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use crate::http::{Connection, Target, loopback};
use crate::measure::{Latencies, Results};
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::{Server, ServerArgs};
use crate::widget::Widget;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct WidgetsArgs {
    /// How many chats.
    #[arg(long, default_value_t = 5_000)]
    pub chats: usize,
    /// How long they go on once all are open, seconds.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// New chats a second while the load builds up.
    #[arg(long, default_value_t = 200)]
    pub ramp: u32,
    /// Seconds between two texts of one customer.
    #[arg(long, default_value_t = 20)]
    pub text_every: u64,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// The widget's poll interval.
const POLL_EVERY: Duration = Duration::from_secs(3);
/// Connections that one address may open are limited by the server.
const PER_ADDRESS: usize = 50;

#[derive(Default)]
struct Tally {
    create: Latencies,
    preflight: Latencies,
    poll: Latencies,
    send: Latencies,
    seen: Latencies,
    polls: u64,
    errors: std::collections::BTreeMap<String, u64>,
}

impl Tally {
    fn failed(&mut self, what: &str, error: &anyhow::Error) {
        *self.errors.entry(format!("{what}: {error}")).or_default() += 1;
    }
}

/// Runs the story.
pub async fn run(args: WidgetsArgs) -> Result<Results> {
    let server = Server::of(&args.server).await?;
    let tally = Rc::new(RefCell::new(Tally::default()));
    let bar = ProgressBar::new(args.chats as u64)
        .with_style(ProgressStyle::with_template(
            "{msg} {wide_bar} {pos}/{len} {elapsed}",
        )?)
        .with_message("opening chats");
    let before = Usage::of(server.pid())?;
    let started = Instant::now();
    let ramp = Duration::from_secs(1) / args.ramp.max(1);
    let end =
        started + ramp * u32::try_from(args.chats).unwrap_or(u32::MAX) + Duration::from_secs(args.seconds);
    let mut chats = JoinSet::new();
    let mut pace = Pace::new(started, ramp);
    for index in 0..args.chats {
        let due = pace.next().await;
        let chat = chat(
            server.target(),
            server.api_key().to_owned(),
            index,
            due,
            end,
            args.clone(),
            Rc::clone(&tally),
        );
        chats.spawn_local(chat);
        bar.inc(1);
    }
    let (full, full_since) = (Usage::of(server.pid())?, Instant::now());
    bar.set_message("chatting");
    let polls_before = tally.borrow().polls;
    while chats.join_next().await.is_some() {}
    bar.finish_with_message("done");
    let after = Usage::of(server.pid())?;
    let tally = tally.borrow();
    let seconds = full_since.elapsed().as_secs_f64();
    let cpu = (after.cpu - full.cpu).as_secs_f64();
    let mut results = Results {
        title: format!("widgets: {} chats", args.chats),
        ..Results::default()
    };
    let polls = (tally.polls - polls_before) as f64;
    results.figures.extend([
        ("chats".to_owned(), args.chats as f64),
        ("polls_per_second".to_owned(), polls / seconds),
        ("server_cpu_share".to_owned(), cpu / seconds),
        (
            "polls_with_preflight_per_cpu_second".to_owned(),
            polls / cpu.max(f64::EPSILON),
        ),
        (
            "bytes_per_chat_resident".to_owned(),
            full.resident.saturating_sub(before.resident) as f64 / args.chats as f64,
        ),
    ]);
    let named = [
        ("create", &tally.create),
        ("preflight", &tally.preflight),
        ("poll", &tally.poll),
        ("send", &tally.send),
        ("sent to seen (a poll interval included)", &tally.seen),
    ];
    results
        .latencies
        .extend(named.map(|(name, latencies)| (name.to_owned(), latencies.summary())));
    results.errors = tally.errors.clone();
    Ok(results)
}

async fn chat(
    target: Target,
    api_key: String,
    index: usize,
    due: Instant,
    end: Instant,
    args: WidgetsArgs,
    tally: Rc<RefCell<Tally>>,
) {
    let opened = async {
        let connection = Connection::open(&target, loopback(index, PER_ADDRESS)).await?;
        Widget::open(
            connection,
            &api_key,
            args.server.endpoint(),
            &format!("Load{index}"),
        )
        .await
    };
    let mut widget = match opened.await {
        Ok(widget) => widget,
        Err(error) => return tally.borrow_mut().failed("create", &error),
    };
    tally.borrow_mut().create.record(due.elapsed());
    let mut polls = Pace::new(Instant::now(), POLL_EVERY);
    let mut next_text =
        Instant::now() + Duration::from_secs(args.text_every) * u32::try_from(index % 10).unwrap_or(0) / 10;
    let mut sent: Option<(String, Instant)> = None;
    loop {
        let due = polls.next().await;
        if due >= end {
            return;
        }
        if due >= next_text {
            next_text += Duration::from_secs(args.text_every);
            let words = format!("words-{index}-{}", next_text.duration_since(due).as_millis());
            match widget.send(&words).await {
                Ok(()) => {
                    tally.borrow_mut().send.record(due.elapsed());
                    sent = Some((words, due));
                }
                Err(error) => tally.borrow_mut().failed("send", &error),
            }
        }
        let asked = Instant::now().max(due);
        if let Err(error) = widget.poll_preflight().await {
            tally.borrow_mut().failed("preflight", &error);
            return;
        }
        tally.borrow_mut().preflight.record(asked.elapsed());
        match widget.poll().await {
            Ok(polled) => {
                let mut tally = tally.borrow_mut();
                tally.polls += 1;
                tally.poll.record(due.elapsed());
                if let Some((_, at)) = sent.take_if(|(words, _)| polled.texts.contains(words)) {
                    tally.seen.record(at.elapsed());
                }
                if polled.ended {
                    return;
                }
            }
            Err(error) => {
                tally.borrow_mut().failed("poll", &error);
                return;
            }
        }
    }
}
