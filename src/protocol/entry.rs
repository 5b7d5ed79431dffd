//! The stored form of a record, of an effect and of a state.
//!
//! The envelope is JSON that an operator can read with the store's own tools: `v` schema version, `t` time, `c` cause, `bd` digest
//! of the body, then the event under its kind `k`. The body is kept beside it as raw bytes, so that it can be erased without
//! breaking the chain: the record's digest covers the envelope, and through `bd` the body.
//!
//! **Forward rule.** Members that are unknown are ignored. A kind that is unknown is passed over if its envelope says that it
//! may be (`i` is 1), else it is [`EntryError::NeedsNewer`], and so is a known kind of a higher version that cannot be read.
//!
//! **Must never happen**: a record that this release does not understand taken for one that it does; it is the newer release
//! that must mark what older ones may pass over, and the node decides nothing in a log that holds anything else.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Body, Digest, Effect, Kinds, Millis, Record};

/// The schema this release writes and the highest it reads.
pub const SCHEMA_LEVEL: u32 = 1;

/// A record in parts, as a store takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What stays for ever.
    pub envelope: Bytes,
    /// What may be erased.
    pub body: Option<Bytes>,
    /// SHA-256 of the envelope.
    pub digest: Digest,
}

/// Why a stored form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Written by a newer release.
    #[error("needs a newer release: {0}")]
    NeedsNewer(String),
    /// Not what any release wrote.
    #[error("damaged: {0}")]
    Damaged(String),
}

#[derive(Serialize)]
struct EnvelopeOut<'a, E> {
    v: u32,
    t: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    i: Option<u8>,
    #[serde(flatten)]
    event: &'a E,
}

#[derive(Deserialize)]
struct EnvelopeIn<'a> {
    t: Millis,
    c: Option<Uuid>,
    bd: Option<String>,
    i: Option<u8>,
    #[serde(borrow)]
    k: Cow<'a, str>,
}

/// What is read first, whatever else there is.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

/// Writes a record. An erased body is written as none: records are erased in the store, not here.
#[must_use]
pub fn encode<E: Kinds + Serialize>(record: &Record<E>) -> Stored {
    let body = record.body.bytes().cloned();
    let envelope = write(&EnvelopeOut {
        v: SCHEMA_LEVEL,
        t: record.at,
        c: record.cause,
        bd: body
            .as_ref()
            .map(|body| STANDARD_NO_PAD.encode(Digest::of(&[body]).0)),
        i: record.event.is_ignorable().then_some(1),
        event: &record.event,
    });
    let digest = Digest::of(&[&envelope]);
    Stored {
        envelope,
        body,
        digest,
    }
}

/// Reads a record. `body` is what the store has of it. Whether the envelope is the one appended, the chain tells.
///
/// # Errors
/// [`EntryError`]; also when a body is not the one its envelope names.
pub fn decode<E: Kinds + DeserializeOwned>(envelope: &[u8], body: Body) -> Result<Record<E>, EntryError> {
    let head: EnvelopeIn<'_> = serde_json::from_slice(envelope).map_err(damaged)?;
    match (&head.bd, &body) {
        (Some(expected), Body::Present(bytes))
            if STANDARD_NO_PAD.encode(Digest::of(&[bytes]).0) != *expected =>
        {
            return Err(EntryError::Damaged(
                "the body is not the one that was written".to_owned(),
            ));
        }
        (Some(_), Body::None) | (None, Body::Present(_)) => {
            return Err(EntryError::Damaged(
                "envelope and body do not belong together".to_owned(),
            ));
        }
        _ => {}
    }
    let event = if E::KINDS.contains(&&*head.k) {
        read(envelope)?
    } else if head.i == Some(1) {
        E::passed()
    } else {
        return Err(EntryError::NeedsNewer(format!("kind {:?}", head.k)));
    };
    Ok(Record {
        at: head.t,
        cause: head.c,
        event,
        body,
    })
}

/// Writes the state of a machine, as the body of a snapshot holds it.
#[must_use]
pub fn encode_state(state: &impl Serialize) -> Bytes {
    write(&StateOut {
        v: SCHEMA_LEVEL,
        state,
    })
}

/// Reads the state of a machine.
///
/// # Errors
/// [`EntryError`].
pub fn decode_state<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, EntryError> {
    read(bytes).map(|read: StateIn<S>| read.state)
}

#[derive(Serialize)]
struct StateOut<'a, S> {
    v: u32,
    state: &'a S,
}

#[derive(Deserialize)]
struct StateIn<S> {
    state: S,
}

#[derive(Serialize)]
struct EffectOut<'a> {
    v: u32,
    #[serde(flatten)]
    effect: &'a Effect,
}

/// Writes an effect.
#[must_use]
pub fn encode_effect(effect: &Effect) -> Bytes {
    write(&EffectOut {
        v: SCHEMA_LEVEL,
        effect,
    })
}

/// Reads an effect.
///
/// # Errors
/// [`EntryError`].
pub fn decode_effect(bytes: &[u8]) -> Result<Effect, EntryError> {
    read(bytes)
}

fn write(value: &impl Serialize) -> Bytes {
    let Ok(bytes) = serde_json::to_vec(value) else {
        unreachable!("plain data with text keys always has a JSON form")
    };
    // Without the room it grew into: most of them are kept.
    bytes.into_boxed_slice().into()
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EntryError> {
    let Versioned { v } = serde_json::from_slice(bytes).map_err(damaged)?;
    serde_json::from_slice(bytes).map_err(|error| {
        if v > SCHEMA_LEVEL {
            EntryError::NeedsNewer(error.to_string())
        } else {
            damaged(error)
        }
    })
}

#[allow(clippy::needless_pass_by_value, reason = "the shape `map_err` takes")]
fn damaged(error: serde_json::Error) -> EntryError {
    EntryError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        DeskEvent, LogId, MatchOp, MessageId, MessageKind, SessionEvent, TenantId, Visibility,
    };

    fn said(text: &str, at: u64) -> Record<SessionEvent> {
        let event = SessionEvent::Message {
            id: MessageId(Uuid::nil()),
            from: None,
            kind: MessageKind::Text,
            visibility: Visibility::All,
        };
        Record {
            at: Millis(at),
            cause: Some(Uuid::nil()),
            event,
            body: Body::text(text),
        }
    }

    #[test]
    fn an_operator_can_read_an_envelope_and_finds_no_words_in_it() {
        let stored = encode(&said("my secret", 7));
        let json: serde_json::Value = serde_json::from_slice(&stored.envelope).unwrap();
        assert_eq!(
            (&json["k"], &json["t"], &json["v"]),
            (&"message".into(), &7.into(), &1.into())
        );
        assert!(!String::from_utf8_lossy(&stored.envelope).contains("secret"));
    }

    #[test]
    fn an_erased_body_leaves_the_record_readable() {
        let stored = encode(&said("x", 7));
        let read: Record<SessionEvent> = decode(&stored.envelope, Body::Erased).unwrap();
        assert_eq!((read.body.as_str(), read.at), ("", Millis(7)));
    }

    #[test]
    fn another_body_than_the_one_written_is_found() {
        let stored = encode(&said("x", 7));
        let read = decode::<SessionEvent>(&stored.envelope, Body::text("y"));
        assert!(matches!(read, Err(EntryError::Damaged(_))));
    }

    #[test]
    fn a_kind_of_a_newer_release_is_not_guessed_at_unless_it_may_be_passed_over() {
        let newer = decode::<DeskEvent>(br#"{"v":1,"t":1,"k":"teleported"}"#, Body::None);
        assert!(matches!(newer, Err(EntryError::NeedsNewer(_))), "{newer:?}");
        let ignorable = decode::<DeskEvent>(br#"{"v":9,"t":1,"k":"teleported","i":1}"#, Body::None);
        assert_eq!(ignorable.unwrap().event, DeskEvent::Passed);
    }

    #[test]
    fn an_unknown_member_is_ignored_and_an_unreadable_one_is_newer_or_damaged() {
        let more = br#"{"v":2,"t":1,"k":"closed","reason":"idle","colour":"red"}"#;
        assert!(decode::<SessionEvent>(more, Body::None).is_ok());
        let newer = decode::<SessionEvent>(br#"{"v":2,"t":1,"k":"closed","reason":"boredom"}"#, Body::None);
        assert!(matches!(newer, Err(EntryError::NeedsNewer(_))), "{newer:?}");
        let damaged = decode::<SessionEvent>(br#"{"v":1,"t":1,"k":"closed","reason":"boredom"}"#, Body::None);
        assert!(matches!(damaged, Err(EntryError::Damaged(_))), "{damaged:?}");
    }

    #[test]
    fn the_list_of_kinds_is_the_list_of_variants() {
        fn check<E: Kinds + DeserializeOwned>() {
            let Err(error) = serde_json::from_str::<E>(r#"{"k":"?"}"#).map(|_| ()) else {
                panic!("an unknown kind was read");
            };
            let said = error.to_string();
            for kind in E::KINDS {
                assert!(
                    said.contains(&format!("`{kind}`")),
                    "{kind} is no variant: {said}"
                );
            }
            assert_eq!(said.matches('`').count() / 2 - 1, E::KINDS.len(), "{said}");
        }
        check::<SessionEvent>();
        check::<DeskEvent>();
    }

    #[test]
    fn a_state_reads_back_and_one_of_a_newer_release_says_so() {
        assert_eq!(decode_state(&encode_state(&vec![1, 2])), Ok(vec![1, 2]));
        let newer = decode_state::<Vec<u8>>(br#"{"v":9,"state":{}}"#);
        assert!(matches!(newer, Err(EntryError::NeedsNewer(_))), "{newer:?}");
    }

    #[test]
    fn an_effect_reads_back() {
        let op = MatchOp::Unready {
            desk: LogId::feed(TenantId(Uuid::nil()), "x"),
            n: 3,
        };
        let effect = Effect::Match {
            tenant: TenantId(Uuid::nil()),
            op,
        };
        assert_eq!(decode_effect(&encode_effect(&effect)), Ok(effect));
    }

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was(text in ".*", at in 0u64..1 << 53) {
            let record = said(&text, at);
            let stored = encode(&record);
            let body = stored.body.clone().map_or(Body::None, Body::Present);
            prop_assert_eq!(decode(&stored.envelope, body), Ok(record));
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<SessionEvent>(&bytes, Body::None);
            let _ = decode_effect(&bytes);
        }
    }
}
