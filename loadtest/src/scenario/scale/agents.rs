//! Agents of one process; some of them work in a chat whose customer writes.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Growth, ScaleArgs};
use crate::crew::{self, Customers, reach};
use crate::measure::Results;
use crate::pace::Pace;
use crate::proc::Usage;
use crate::server::Server;
use crate::stream::command_id;
use crate::tally::Shared;
use crate::widget::Widget;

/// Agents who work in a chat.
const CHATS: usize = 100;
/// Texts a second while they are measured.
const RATE: u32 = 500;
/// Agents who sign in a second.
const RAMP: u32 = 300;
/// How long the last texts may take, seconds.
const PATIENCE: u64 = 30;

pub(super) async fn run(args: &ScaleArgs) -> Result<Results> {
    let mut set = args.server.clone();
    set.set
        .push("limits.rates.session=100000/s burst 100000".to_owned());
    let server = crew::start(&set, args.agents, 1).await?;
    let tally = Shared::default();
    let heard: crew::Heard = {
        let (tally, working) = (Rc::clone(&tally), RefCell::new(HashSet::new()));
        Rc::new(move |agent, event: &Value| {
            if crew::began(event).is_some() && working.borrow_mut().insert(agent) {
                tally.borrow_mut().count("working");
            }
            for text in crew::texts(event) {
                tally.borrow_mut().seen("seen", text);
            }
        })
    };
    let mut working = JoinSet::new();
    let (mut cost, mut bytes, mut idle) = (Growth::default(), Growth::default(), Growth::default());
    let mut chats: Vec<Widget> = Vec::new();
    let mut customers = Customers::of(&server).await?;
    let (mut there, mut wanted) = (0, 1_000.min(args.agents));
    let mut held = Usage::of(server.pid())?.anonymous;
    loop {
        crew::work(
            &server.target(),
            there..wanted,
            RAMP,
            &tally,
            &mut working,
            Rc::clone(&heard),
        )
        .await?;
        if chats.is_empty() {
            for _ in 0..CHATS.min(wanted) {
                chats.push(customers.chat().await?);
            }
            reach(60, || tally.borrow().is_over("working", chats.len())).await;
            if tally.borrow().counted("working") < chats.len() as u64 {
                bail!("not every chat was taken: {:?}", tally.borrow().errors());
            }
        }
        tokio::time::sleep(Duration::from_secs(args.settle)).await;
        let now = Usage::of(server.pid())?.anonymous;
        bytes.at(
            wanted as f64,
            now.saturating_sub(held) as f64 / (wanted - there) as f64,
        );
        held = now;
        there = wanted;
        let rest = rest(&server).await?;
        idle.at(there as f64, rest * 1e6 / there as f64);
        cost.at(
            there as f64,
            texts(&server, args, &mut chats, &tally, rest).await?,
        );
        if there >= args.agents {
            break;
        }
        wanted = (there * 2).min(args.agents);
    }
    working.shutdown().await;
    let mut results = Results {
        title: format!("scale: {there} agents over WSS, {} chats", chats.len()),
        ..Results::default()
    };
    cost.tell("us_per_text_to_its_agent", &mut results)?;
    bytes.tell("bytes_per_agent", &mut results)?;
    idle.tell("us_per_second_of_an_idle_agent", &mut results)?;
    let mut tally = tally.borrow_mut();
    results
        .latencies
        .insert("due to seen by the agent".to_owned(), tally.latency("seen"));
    let missing = tally.on_their_way() as u64;
    tally.wrong("texts not seen", missing);
    results.errors = tally.errors();
    Ok(results)
}

/// Seconds of CPU that the server takes in a second in which nobody says anything.
async fn rest(server: &Server) -> Result<f64> {
    let (before, began) = (Usage::of(server.pid())?.cpu, Instant::now());
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok((Usage::of(server.pid())?.cpu - before).as_secs_f64() / began.elapsed().as_secs_f64())
}

/// Microseconds of CPU a text, beyond what idling takes.
async fn texts(
    server: &Server,
    args: &ScaleArgs,
    chats: &mut [Widget],
    tally: &Shared,
    rest: f64,
) -> Result<f64> {
    let count = args.measured.div_ceil(4);
    let (before, began) = (Usage::of(server.pid())?.cpu, Instant::now());
    let mut pace = Pace::new(began, Duration::from_secs(1) / RATE);
    let mut sending = JoinSet::new();
    for number in 0..usize::try_from(count)? {
        let due = pace.next().await;
        let words = command_id();
        let chat = &mut chats[number % CHATS];
        tally.borrow_mut().sent(words.clone(), due);
        let (line, request, tally) = (chat.line(), chat.send_request(&words)?, Rc::clone(tally));
        sending.spawn_local(async move {
            match line.lock().await.send(request).await {
                Ok((status, _)) if status.is_success() => {}
                Ok((status, _)) => tally.borrow_mut().wrong(format!("text: {status}"), 1),
                Err(error) => tally.borrow_mut().failed("text", &error),
            }
        });
        while sending.try_join_next().is_some() {}
    }
    while sending.join_next().await.is_some() {}
    reach(PATIENCE, || tally.borrow().on_their_way() == 0).await;
    let spent = (Usage::of(server.pid())?.cpu - before).as_secs_f64();
    Ok((spent - rest * began.elapsed().as_secs_f64()) * 1e6 / count as f64)
}
