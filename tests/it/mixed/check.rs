//! What must be true at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::board::{Board, Notes, texts_of, words};
use super::site::words_of;

/// What was taken of one notice: its ids and its bodies.
type Forms = (BTreeSet<String>, BTreeSet<Vec<u8>>);

/// Every notice that was taken, by interaction and event.
pub(super) fn notices(notes: &Notes) -> BTreeMap<(String, String), Forms> {
    let mut all: BTreeMap<_, Forms> = BTreeMap::new();
    for reached in &notes.told {
        let notice: Value = serde_json::from_slice(&reached.body).unwrap();
        let event = &notice["data"]["entities"][0];
        let key = (event["entity"]["id"].to_string(), event["event"].to_string());
        let (ids, bodies) = all.entry(key).or_default();
        ids.insert(notice["operationId"].to_string());
        bodies.insert(reached.body.clone());
    }
    all
}

pub(super) fn everything(board: &Board) {
    texts_are_kept_once(board);
    texts_are_sent_once_they_are_recorded(board);
    notices_are_one_each(board);
    history_is_written_once(board);
}

/// Every acknowledged text is in exactly one session, once.
fn texts_are_kept_once(board: &Board) {
    let held = board.contacts.held();
    let mut places: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for (id, interaction) in &held.interactions {
        for text in texts_of(interaction) {
            places.entry(text).or_default().push(id);
        }
    }
    for n in board.with(|notes| notes.acknowledged.clone()) {
        let at = places.get(&words(n)).map_or(0, Vec::len);
        assert_eq!(
            at,
            1,
            "{} stands in {at} places: {:?}",
            words(n),
            places.get(&words(n))
        );
    }
}

/// Every answer and every message of the campaign reached the provider, in one form, under one id; and none again after the record
/// of its acceptance could be seen.
fn texts_are_sent_once_they_are_recorded(board: &Board) {
    board.with(|notes| {
        assert_eq!(
            notes.refused,
            Vec::<String>::new(),
            "the provider understood everything"
        );
        let mut bodies: BTreeMap<String, BTreeSet<&[u8]>> = BTreeMap::new();
        for reached in &notes.sent {
            let text = words_of(&reached.body);
            if let Some(recorded) = notes.recorded.get(&text) {
                assert!(
                    reached.at <= *recorded,
                    "{text} was sent after its acceptance was on record"
                );
            }
            bodies.entry(text).or_default().insert(&reached.body);
        }
        for text in notes.answered.iter().chain(&notes.campaign) {
            let forms = bodies.get(text).map_or(0, BTreeSet::len);
            assert_eq!(forms, 1, "{text} was sent in {forms} forms");
        }
    });
}

/// Whoever subscribed was told of every session that it started and that it finished, each with one id and one body.
fn notices_are_one_each(board: &Board) {
    let sessions: BTreeSet<String> = board.contacts.held().interactions.keys().cloned().collect();
    let all = board.with(|notes| notices(notes));
    for session in sessions {
        for event in ["STARTED", "FINISHED"] {
            let key = (format!("\"{session}\""), format!("\"{event}\""));
            let (ids, bodies) = all.get(&key).unwrap_or_else(|| panic!("no {event} of {session}"));
            assert_eq!((ids.len(), bodies.len()), (1, 1), "{event} of {session}");
        }
    }
}

/// History understood everything, and every write of an interaction was the same each time.
fn history_is_written_once(board: &Board) {
    let held = board.contacts.held();
    assert_eq!(held.refused, Vec::<String>::new());
    for (what, times) in &held.written {
        assert_eq!(*times, 1, "{what}");
    }
    let mut bodies: BTreeMap<String, BTreeSet<&[u8]>> = BTreeMap::new();
    for (method, path, body) in &held.seen {
        let data: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = data["data"]["id"].as_str().unwrap_or_default();
        if !path.ends_with("/identify") {
            bodies
                .entry(format!("{method} {path} {id}"))
                .or_default()
                .insert(body);
        }
    }
    for (what, forms) in &bodies {
        assert_eq!(forms.len(), 1, "{what}");
    }
}
