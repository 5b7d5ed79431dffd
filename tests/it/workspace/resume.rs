//! Cut and resume at random, on any core: everything once, in order, nothing silently missing.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::commands::{ALICE, talking};
use super::desktop::{Desktop, Memory, texts};
use super::node::Node;
use crate::net_server::on_a_core;
use crate::support::dice::Dice;

#[test]
fn hundreds_of_cuts_lose_nothing_and_repeat_nothing() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let mut dice = Dice::new(1);
        let (mut said, mut commands): (Vec<String>, Vec<Uuid>) = (Vec::new(), Vec::new());
        let mut cuts = 0;
        while cuts < 300 {
            for _ in 0..dice.roll(4) {
                let text = format!("c{}", said.len());
                node.say(chat, &text).await;
                said.push(text);
            }
            // A command whose answer may never be read; it is sent again on the next connection under the same id.
            let id = Uuid::new_v4();
            commands.push(id);
            alice.begin(message(chat.id, id)).await;
            let most = dice.roll(6);
            alice.reads_some(most, id, || dice.roll(3) == 0).await;
            let memory = alice.memory.clone();
            drop(alice);
            alice = Desktop::resume(&node, dice.roll(2), memory).await;
            cuts += 1;
        }
        alice
            .does("send-message", json!({"session": chat.id, "message": "end"}))
            .await;
        alice.hears("end").await;
        assert!(alice.memory.pending.is_empty(), "{:?}", alice.memory.pending);
        let heard = texts(&alice.memory, &chat.id.to_string());
        let customer: Vec<&String> = heard.iter().filter(|text| text.starts_with('c')).collect();
        assert_eq!(customer, said.iter().collect::<Vec<_>>());
        let mut mine: BTreeMap<&String, u32> = BTreeMap::new();
        for text in heard.iter().filter(|text| text.starts_with('a')) {
            *mine.entry(text).or_default() += 1;
        }
        for id in &commands {
            assert_eq!(
                mine.get(&format!("a{id}")),
                Some(&1),
                "{id} of {}",
                commands.len()
            );
        }
        assert!(alice.memory.gaps.is_empty(), "{:?}", alice.memory.gaps);
    });
}

fn message(session: nexus::model::LogId, id: Uuid) -> Value {
    json!({"cmd": "send-message", "cmdId": id, "session": session, "message": format!("a{id}")})
}

#[test]
fn what_happened_in_a_long_absence_comes_from_the_store() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        node.say(chat, "before").await;
        alice.hears("before").await;
        let memory = alice.memory.clone();
        drop(alice);
        for n in 0..700 {
            node.say(chat, &format!("missed {n}")).await;
        }
        let mut again = Desktop::resume(&node, 1, memory).await;
        again.resumed().await;
        let missed: Vec<String> = again
            .texts(chat.id)
            .into_iter()
            .filter(|text| text.starts_with("missed"))
            .collect();
        assert_eq!(
            missed,
            (0..700).map(|n| format!("missed {n}")).collect::<Vec<_>>()
        );
        assert!(again.memory.gaps.is_empty());
    });
}

#[test]
fn a_session_that_ended_in_the_absence_is_told_to_its_end() {
    on_a_core(async {
        let node = Node::start().await;
        let (alice, chat) = talking(&node, 0).await;
        let memory = alice.memory.clone();
        drop(alice);
        node.say(chat, "last words").await;
        node.customer_leaves(chat).await;
        let mut again = Desktop::resume(&node, 1, memory).await;
        again.resumed().await;
        again.hears("last words").await;
        again.state(chat.id, "Completed").await;
        assert!(again.memory.gaps.is_empty(), "{:?}", again.memory.gaps);
    });
}

#[test]
fn a_position_of_another_history_is_a_gap_with_a_snapshot() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        node.say(chat, "truth").await;
        alice.hears("truth").await;
        let mut memory = alice.memory.clone();
        drop(alice);
        for (_, hash) in memory.positions.values_mut() {
            *hash = "00000000deadbeef".to_owned();
        }
        let mut again = Desktop::resume(&node, 1, memory).await;
        again.resumed().await;
        let gaps = again.memory.gaps.clone();
        assert_eq!(gaps.len(), 2, "{gaps:?}");
        let session = gaps
            .iter()
            .find(|gap| gap["log"] == chat.id.to_string().as_str())
            .unwrap();
        assert_eq!(session["reason"], "other-history");
        assert_eq!(session["snapshot"]["interaction"]["state"], "Processing");
        let messages = session["snapshot"]["messages"].as_array().unwrap();
        assert!(messages.iter().any(|message| message["text"] == "truth"));
        node.say(chat, "goes on").await;
        again.hears("goes on").await;
    });
}

#[test]
fn positions_of_sessions_one_was_never_in_reveal_nothing() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        node.say(chat, "secret").await;
        alice.hears("secret").await;
        let stolen = alice.memory.positions.clone();
        for token in ["bob-test-token-123", "mallory-test-token"] {
            let mut thief = Desktop::open(&node, 1, token).await;
            thief.resumed().await;
            let mut memory: Memory = thief.memory.clone();
            drop(thief);
            let known = stolen[&chat.id.to_string()].clone();
            memory
                .positions
                .insert(chat.id.to_string(), (known.0 - 1, "0123456789abcdef".to_owned()));
            let mut thief = Desktop::resume(&node, 0, memory).await;
            thief.resumed().await;
            assert!(
                thief
                    .memory
                    .seen
                    .iter()
                    .chain(&thief.memory.gaps)
                    .all(|frame| !frame.to_string().contains("secret"))
            );
        }
    });
}

#[test]
fn a_page_that_forgot_everything_is_told_from_the_beginning() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        node.say(chat, "hello").await;
        alice.hears("hello").await;
        let mut fresh = Desktop::open(&node, 1, ALICE).await;
        fresh.resumed().await;
        fresh.state(chat.id, "Processing").await;
        fresh.hears("hello").await;
    });
}
