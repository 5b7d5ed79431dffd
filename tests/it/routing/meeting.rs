//! An agent becomes free on one node in the instant in which a chat starts on the other, and neither waits.
//! `NEXUS_TEST_MEETINGS` sets how often; the default is what a build server has time for.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::customer::{Customer, connection};
use crate::support::dice::Dice;
use crate::support::pair::Pair;
use crate::support::part::number;
use crate::workspace::desktop::Desktop;

/// Agents who meet customers at the same time, each in a queue of their own.
const AGENTS: usize = 8;
/// An offer takes a few round trips. A pair that missed one another would wait for ever here: the sweep that repairs is off.
const BOUND: Duration = Duration::from_secs(10);

/// One meeting.
struct Met {
    /// From when both were there to when the agent saw the offer.
    waited: Duration,
    /// Whether each of the two was under way when the other began.
    at_once: bool,
    /// Whether a place became free, rather than a desk ready.
    freed: bool,
}

#[test]
fn an_agent_and_a_customer_who_come_at_once_on_two_nodes_always_meet() {
    let meetings = number("NEXUS_TEST_MEETINGS", 120);
    let pair = Pair::start(AGENTS, 1);
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let mut all: Vec<Met> = runtime
        .unwrap()
        .block_on(join_all(
            (0..AGENTS).map(|agent| meets(&pair, agent, meetings.div_ceil(AGENTS))),
        ))
        .into_iter()
        .flatten()
        .collect();
    all.sort_by_key(|met| met.waited);
    let count = |of: fn(&Met) -> bool| all.iter().filter(|met| of(met)).count();
    let at = |part: usize| all[(all.len() - 1) * part / 1_000].waited;
    eprintln!(
        "{} meetings on two nodes in {:.0?}, {} of them truly at once, {} by a place that became free: the offer came after {:.1?} \
         (median), {:.1?} (99 %), {:.1?} (the last)",
        all.len(),
        began.elapsed(),
        count(|met| met.at_once),
        count(|met| met.freed),
        at(500),
        at(990),
        at(1_000),
    );
    assert!(at(1_000) < BOUND, "somebody waited {:?}", at(1_000));
    assert!(
        count(|met| met.at_once) * 2 > all.len(),
        "most of them did not come at once"
    );
}

async fn meets(pair: &Pair, agent: usize, meetings: usize) -> Vec<Met> {
    let mut dice = Dice::new(u64::try_from(agent).unwrap());
    let (here, there) = (pair.addr(agent % 2), pair.addr(1 - agent % 2));
    let endpoint = format!("e{agent}");
    let mut desk = pair.agent(agent, agent % 2).await;
    // The chat that takes the only place.
    let mut held: Option<Customer> = None;
    let mut all = Vec::new();
    for _ in 0..meetings {
        let freed = held.is_some();
        let over = held.take();
        let connection = connection(there).await;
        let comes = async {
            let began = Instant::now();
            let chat = Customer::open_over(connection, &endpoint).await;
            (began, Instant::now(), chat)
        };
        let free = async {
            let began = Instant::now();
            match &over {
                Some(chat) => desk.does("complete", json!({"session": chat.session})).await,
                None => desk.does("ready", json!({"media": "chat"})).await,
            };
            (began, Instant::now())
        };
        let ((came, there_since, chat), (freeing, free_since)) = if dice.roll(2) == 0 {
            tokio::join!(comes, free)
        } else {
            let (free, comes) = tokio::join!(free, comes);
            (comes, free)
        };
        offered(&mut desk, &chat).await;
        all.push(Met {
            waited: there_since.max(free_since).elapsed(),
            at_once: came < free_since && freeing < there_since,
            freed,
        });
        if dice.roll(2) == 0 {
            desk.does("accept", json!({"session": chat.session})).await;
            desk.state(&chat.session, "Processing").await;
            held = Some(chat);
        } else {
            desk.does("not-ready", json!({"media": "chat"})).await;
            chat.leave(here).await;
            desk.state(&chat.session, "Canceled").await;
        }
        desk.memory.seen.clear();
    }
    all
}

/// Waits until the chat rings; nothing else may.
async fn offered(desk: &mut Desktop, chat: &Customer) {
    let invited = tokio::time::timeout(BOUND * 3, desk.state(&chat.session, "Invited")).await;
    assert!(invited.is_ok(), "{} waits for an agent who is free", chat.session);
}
