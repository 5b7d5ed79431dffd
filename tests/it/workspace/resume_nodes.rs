//! Cut and resume at random between two nodes over one Redis: everything once, in order, nothing silently missing.
//! `NEXUS_TEST_CUTS` sets how often; the default is what a build server has time for.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use super::desktop::{Desktop, texts};
use crate::support::customer::Customer;
use crate::support::dice::Dice;
use crate::support::pair::Pair;
use crate::support::part::number;

/// Agents who are cut off at the same time.
const AGENTS: usize = 4;
/// Cuts in one chat; then it ends and the next begins.
const CUTS_OF_A_CHAT: usize = 50;

/// What one agent went through.
#[derive(Default, Debug)]
struct Tally {
    cuts: usize,
    chats: usize,
    /// Connections that were replaced while they were open.
    replaced: usize,
    /// Commands of which the node got half.
    halves: usize,
    /// Texts of customers and of the agent, each seen once.
    texts: usize,
    /// Times a command was sent again because its answer was not seen.
    repeats: usize,
}

#[test]
fn cuts_and_resumes_between_two_nodes_lose_nothing_and_repeat_nothing() {
    let cuts = number("NEXUS_TEST_CUTS", 200);
    let pair = Pair::start(AGENTS, 1);
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let all = runtime.unwrap().block_on(join_all(
        (0..AGENTS).map(|agent| works(&pair, agent, cuts.div_ceil(AGENTS))),
    ));
    let sum = |of: fn(&Tally) -> usize| all.iter().map(of).sum::<usize>();
    eprintln!(
        "{} cuts of {AGENTS} agents on two nodes in {:.0?}: {} chats, {} texts each seen once and in order, {} connections replaced, \
         {} commands cut in half, {} sent again, no gap",
        sum(|tally| tally.cuts),
        began.elapsed(),
        sum(|tally| tally.chats),
        sum(|tally| tally.texts),
        sum(|tally| tally.replaced),
        sum(|tally| tally.halves),
        sum(|tally| tally.repeats),
    );
}

/// Takes one chat after another and is cut off again and again in each.
async fn works(pair: &Pair, agent: usize, cuts: usize) -> Tally {
    let mut dice = Dice::new(u64::try_from(agent).unwrap());
    let mut tally = Tally::default();
    let mut desk = pair.agent(agent, dice.roll(2)).await;
    desk.does("ready", json!({"media": "chat"})).await;
    while tally.cuts < cuts {
        let chat = Customer::open(pair.addr(dice.roll(2)), &format!("e{agent}")).await;
        desk.state(&chat.session, "Invited").await;
        desk.does("accept", json!({"session": chat.session})).await;
        desk.state(&chat.session, "Processing").await;
        let wanted = (tally.cuts + CUTS_OF_A_CHAT).min(cuts);
        desk = talks(pair, desk, &chat, wanted, &mut dice, &mut tally).await;
        desk.does("complete", json!({"session": chat.session})).await;
        desk.state(&chat.session, "Completed").await;
        // A page forgets what is over.
        desk.memory.seen.clear();
        desk.memory.positions.remove(&chat.session);
        tally.chats += 1;
    }
    tally
}

/// Talks in one chat, and judges at its end what the agent was told of it over all connections.
async fn talks(
    pair: &Pair,
    mut desk: Desktop,
    chat: &Customer,
    wanted: usize,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Desktop {
    let (mut said, mut commands) = (Vec::new(), Vec::new());
    while tally.cuts < wanted {
        for _ in 0..dice.roll(4) {
            let text = format!("c{}", said.len());
            chat.say(pair.addr(dice.roll(2)), &text).await;
            said.push(text);
        }
        // A command whose answer may never be read; it is sent again on the next connection under the same id.
        let id = Uuid::new_v4();
        commands.push(id);
        desk.begin(
            json!({"cmd": "send-message", "cmdId": id, "session": chat.session, "message": format!("a{id}")}),
        )
        .await;
        let most = dice.roll(6);
        desk.reads_some(most, id, || dice.roll(3) == 0).await;
        tally.repeats += desk.memory.pending.len();
        desk = cut(pair, desk, dice, tally).await;
    }
    desk.does("send-message", json!({"session": chat.session, "message": "end"}))
        .await;
    desk.hears("end").await;
    let pending = &desk.memory.pending;
    assert!(pending.is_empty(), "never answered: {pending:?}");
    assert_eq!(desk.memory.gaps, Vec::<Value>::new());
    let heard = texts(&desk.memory, &chat.session);
    let customer: Vec<&String> = heard.iter().filter(|text| text.starts_with('c')).collect();
    assert_eq!(customer, said.iter().collect::<Vec<_>>());
    let mut mine: BTreeMap<&String, u32> = BTreeMap::new();
    for text in heard.iter().filter(|text| text.starts_with('a')) {
        *mine.entry(text).or_default() += 1;
    }
    for id in &commands {
        assert_eq!(mine.get(&format!("a{id}")), Some(&1), "{id}");
    }
    tally.texts += said.len() + commands.len();
    desk
}

/// Loses the connection in one of several ways and resumes on any node.
async fn cut(pair: &Pair, mut desk: Desktop, dice: &mut Dice, tally: &mut Tally) -> Desktop {
    let memory = std::mem::take(&mut desk.memory);
    let addr = pair.addr(dice.roll(2));
    tally.cuts += 1;
    match dice.roll(4) {
        0 => {
            // The page comes back before the node has noticed anything.
            let back = Desktop::back(addr, memory).await;
            assert_eq!(desk.farewell().await, 4409, "the newest connection wins");
            tally.replaced += 1;
            back
        }
        1 => {
            // A masked text frame of 256 bytes of which three arrive.
            let half = desk.socket.get_mut().write_all(&[0x81, 0xfe, 0x01]).await;
            tally.halves += usize::from(half.is_ok());
            drop(desk);
            Desktop::back(addr, memory).await
        }
        _ => {
            drop(desk);
            Desktop::back(addr, memory).await
        }
    }
}
