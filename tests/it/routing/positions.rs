//! Chats that wait on two nodes see their positions only fall. `NEXUS_TEST_WAITING` sets how many wait; the default is what a build
//! server has time for.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::customer::Customer;
use crate::support::pair::Pair;
use crate::support::part::number;

/// Chats taken before everybody must have heard where they stand now.
const STEP: usize = 5;
/// Positions are looked at every 2 s.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn waiting_chats_on_two_nodes_see_their_positions_only_fall() {
    let waiting = number("NEXUS_TEST_WAITING", 15);
    let pair = Pair::start(1, 1);
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let told = runtime.unwrap().block_on(waits(&pair, waiting));
    eprintln!(
        "{waiting} chats waited on two nodes for {:.0?} and were told {told} positions, each lower than the one before",
        began.elapsed()
    );
}

/// Opens the chats one after another, takes them in steps, and returns how many positions were told.
async fn waits(pair: &Pair, waiting: usize) -> usize {
    let mut chats = Vec::new();
    for number in 0..waiting {
        chats.push(Customer::open(pair.addr(number % 2), "all").await);
    }
    let mut told = vec![0; waiting];
    let mut desk = pair.agent(0, 0).await;
    for taken in 0..waiting {
        if taken % STEP == 0 {
            all_know_where_they_stand(pair, &chats, taken, &mut told).await;
            desk.does("ready", json!({"media": "chat"})).await;
        }
        // First come, first served, whichever node they came to.
        let session = &chats[taken].session;
        desk.state(session, "Invited").await;
        desk.does("accept", json!({"session": session})).await;
        desk.state(session, "Processing").await;
        if taken % STEP == STEP - 1 {
            desk.does("not-ready", json!({"media": "chat"})).await;
        }
        desk.does("complete", json!({"session": session})).await;
        desk.memory.seen.clear();
    }
    told.iter().sum()
}

/// Waits until each chat that still waits was told where it stands; none was ever told one that is not below the one before. Notes
/// how many each was told.
async fn all_know_where_they_stand(pair: &Pair, chats: &[Customer], taken: usize, told: &mut [usize]) {
    let deadline = Instant::now() + PATIENCE;
    let mut turn = 0;
    loop {
        turn += 1;
        let read = chats[taken..].iter().enumerate().map(|(ahead, chat)| async move {
            let positions = positions(&chat.reads(pair.addr((ahead + turn) % 2)).await);
            let fall = positions.windows(2).all(|pair| pair[1] < pair[0]);
            assert!(fall, "chat {} was told {positions:?}", taken + ahead);
            positions
        });
        let read = join_all(read).await;
        for (told, positions) in told[taken..].iter_mut().zip(&read) {
            *told = positions.len();
        }
        // A chat keeps its place while desks are asked for it, so nobody is ever told less than is true.
        let told = |positions: &[usize]| positions.last().copied();
        let low = read
            .iter()
            .enumerate()
            .find(|(ahead, positions)| told(positions).is_some_and(|last| last <= *ahead));
        assert!(low.is_none(), "with {taken} taken, told too little: {low:?}");
        let mut known = read.iter().enumerate();
        let Some((ahead, positions)) = known.find(|(ahead, positions)| told(positions) != Some(ahead + 1))
        else {
            return;
        };
        assert!(
            Instant::now() < deadline,
            "with {taken} taken, chat {} was told {positions:?}",
            taken + ahead
        );
    }
}

/// The positions a chat shows, in order.
fn positions(messages: &[serde_json::Value]) -> Vec<usize> {
    let texts = messages.iter().filter_map(|message| message["text"].as_str());
    texts
        .filter_map(|text| {
            let rest = text.strip_prefix("You are number ")?;
            rest.split(' ').next()?.parse().ok()
        })
        .collect()
}
