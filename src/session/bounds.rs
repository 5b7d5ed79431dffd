//! How much a session takes. Together the bounds keep an append, and the state in a snapshot, within the 256 KiB a log accepts.

use serde_json::{Map, Value};

use super::outcome::Rejection;
use super::participants::Participants;

/// Bytes of one message; the configured limit, in characters, is lower.
const TEXT_BYTES: usize = 64 * 1024;
/// Members of attached data.
const DATA_KEYS: usize = 1_000;
/// Attached data as JSON, in bytes.
const DATA_BYTES: usize = 64 * 1024;
/// Bytes of a name.
const NAME_BYTES: usize = 512;
/// Bytes of a remark or a disposition.
const NOTE_BYTES: usize = 8 * 1024;
/// In the session at once: an end takes everybody out in one append.
const PRESENT: usize = 20;

/// Whether a text fits into a record.
pub(super) fn text(text: impl AsRef<[u8]>) -> Result<(), Rejection> {
    at_most(text.as_ref().len(), TEXT_BYTES)
}

/// Whether a name can be remembered.
pub(super) fn name(name: &str) -> Result<(), Rejection> {
    at_most(written(name), NAME_BYTES)
}

/// Whether a remark can be remembered.
pub(super) fn note(note: Option<&str>) -> Result<(), Rejection> {
    at_most(note.map_or(0, written), NOTE_BYTES)
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
    written(key) + measure(value)
}

/// About as many bytes as the value's JSON has.
fn measure(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 20,
        Value::String(text) => written(text) + 2,
        Value::Array(values) => 2 + values.iter().map(|value| 1 + measure(value)).sum::<usize>(),
        Value::Object(members) => 2 + members.iter().map(|member| 4 + bytes(member)).sum::<usize>(),
    }
}

/// Bytes of a text inside JSON, where some characters are spelled out.
fn written(text: &str) -> usize {
    let spelled = |byte: u8| match byte {
        0..=0x1f => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    text.bytes().map(spelled).sum()
}

fn at_most(count: usize, most: usize) -> Result<(), Rejection> {
    if count <= most {
        Ok(())
    } else {
        Err(Rejection::TooMuch)
    }
}
