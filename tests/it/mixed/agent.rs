//! The agent: takes every offer, answers every text once, and ends a session now and then.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::board::{Board, Notes};
use super::site::Reach;
use crate::support::whole::send;
use crate::workspace::desktop::Desktop;

/// Texts after which a session has gone on long enough.
const ENOUGH: usize = 3;
/// How long a frame is waited for before it is asked whether the round is over.
const TURN: Duration = Duration::from_millis(100);

/// Works until the connection is cut or the round is over. In the `last` round every session is ended.
pub(super) fn works(node: &Reach, board: &Board, last: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let bearer = ("authorization", "Bearer alice-development-token");
        let (status, answer) = send(node.public, "POST", "/nexus/v3/agents/ticket", &[bearer], b"");
        assert_eq!(status, 200, "{answer}");
        let mut alice = Desktop::at(node.public, answer["data"]["ticket"].as_str().unwrap()).await;
        alice.does("ready", json!({"media": "sms"})).await;
        board.logged_in();
        // What was asked on this connection and is not answered yet is asked once.
        let mut asked = BTreeSet::new();
        for frame in alice.memory.seen.clone() {
            hear(board, &frame);
        }
        while !node.over.load(Ordering::Acquire) {
            for command in
                board.with(|notes| wants(notes, &mut asked, last && notes.acknowledged.len() == board.texts))
            {
                alice.send(command).await;
            }
            match tokio::time::timeout(TURN, alice.frame()).await {
                Ok(Ok(frame)) => hear(board, &frame),
                Ok(Err(_)) => return,
                Err(_) => {}
            }
        }
    });
}

fn hear(board: &Board, frame: &Value) {
    let done = board.with(|notes| note(notes, frame));
    for _ in 0..done {
        board.count();
    }
}

/// Notes what a frame tells; how many answers it says were given.
fn note(notes: &mut Notes, frame: &Value) -> usize {
    if frame["event"] == "reply" && frame["status"]["code"] == 0 {
        let command = frame["cmdId"].as_str().unwrap_or_default();
        let of = notes.commands.iter().find(|(_, id)| id.to_string() == command);
        let text = of.map(|(text, _)| text.clone());
        return text.map_or(0, |text| usize::from(notes.answered.insert(text)));
    }
    let Some(log) = frame["log"].as_str() else {
        return 0;
    };
    if let Some(state) = frame["interaction"]["state"].as_str() {
        let session = notes.sessions.entry(log.to_owned()).or_default();
        session.state = state.to_owned();
        session.offer = frame["interaction"]["offer"]["offerId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
    }
    for line in frame["messages"].as_array().into_iter().flatten() {
        let index = line["index"].as_u64().unwrap_or_default();
        if let Some(text) = line["text"].as_str() {
            if text.starts_with("in-") {
                let session = notes.sessions.entry(log.to_owned()).or_default();
                session.heard.insert(text.to_owned());
            } else if text.starts_with("re-") {
                notes.lines.insert((log.to_owned(), index), text.to_owned());
            }
        }
        if let Some(of) = line["delivery"]["of"].as_u64()
            && let Some(text) = notes.lines.get(&(log.to_owned(), of))
        {
            let text = text.clone();
            notes.recorded.entry(text).or_insert_with(Instant::now);
        }
    }
    0
}

/// What the agent would do now and has not asked for yet.
fn wants(notes: &mut Notes, asked: &mut BTreeSet<String>, finish: bool) -> Vec<Value> {
    let mut wanted = Vec::new();
    for (log, session) in &notes.sessions {
        match session.state.as_str() {
            "Invited" if asked.insert(format!("accept {log} {}", session.offer)) => {
                wanted.push(json!({"cmd": "accept", "cmdId": Uuid::new_v4(), "session": log}));
            }
            "Processing" => {
                for heard in &session.heard {
                    let text = format!("re-{heard}");
                    let id = *notes.commands.entry(text.clone()).or_insert_with(Uuid::new_v4);
                    if !notes.answered.contains(&text) && asked.insert(text.clone()) {
                        wanted.push(
                            json!({"cmd": "send-message", "cmdId": id, "session": log, "message": text}),
                        );
                    }
                }
                // Who has left does not see what becomes of an answer.
                let known = |heard: &String| notes.recorded.contains_key(&format!("re-{heard}"));
                let answered = session.heard.iter().all(known);
                let enough = session.heard.len() >= ENOUGH || (finish && !session.heard.is_empty());
                if answered && enough && asked.insert(format!("complete {log}")) {
                    wanted.push(json!({"cmd": "complete", "cmdId": Uuid::new_v4(), "session": log}));
                }
            }
            _ => {}
        }
    }
    wanted
}
