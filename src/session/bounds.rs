//! How much a session takes. Each bound keeps one append within what a log accepts and one state within what a core can hold.

use serde_json::{Map, Value};

use super::outcome::Rejection;
use super::participants::Participants;

/// Bytes of one message; the configured limit, in characters, is lower.
const TEXT_BYTES: usize = 64 * 1024;
/// Members of attached data.
const DATA_KEYS: usize = 1_000;
/// Attached data as JSON, in bytes.
const DATA_BYTES: usize = 64 * 1024;
/// In the session at once: an end takes everybody out in one append.
const PRESENT: usize = 20;

/// Whether a text fits into a record.
pub(super) fn text(text: &str) -> Result<(), Rejection> {
    at_most(text.len(), TEXT_BYTES)
}

/// Whether attached data stays within its bounds with `added` in it.
pub(super) fn data(present: &Map<String, Value>, added: &Map<String, Value>) -> Result<(), Rejection> {
    let new = added.keys().filter(|key| !present.contains_key(*key)).count();
    at_most(present.len() + new, DATA_KEYS)?;
    let kept = present.iter().filter(|(key, _)| !added.contains_key(*key));
    at_most(kept.chain(added).map(bytes).sum(), DATA_BYTES)
}

/// Whether one more may come in.
pub(super) fn room_for_another(participants: &Participants) -> Result<(), Rejection> {
    let present = participants.iter().filter(|known| known.present).count();
    at_most(present + 1, PRESENT)
}

fn bytes((key, value): (&String, &Value)) -> usize {
    key.len() + measure(value)
}

/// About as many bytes as the value's JSON has.
fn measure(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 20,
        Value::String(text) => text.len() + 2,
        Value::Array(values) => 2 + values.iter().map(|value| 1 + measure(value)).sum::<usize>(),
        Value::Object(members) => 2 + members.iter().map(|member| 4 + bytes(member)).sum::<usize>(),
    }
}

fn at_most(count: usize, most: usize) -> Result<(), Rejection> {
    if count <= most {
        Ok(())
    } else {
        Err(Rejection::TooMuch)
    }
}
