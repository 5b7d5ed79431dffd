//! The stored form of a record and of an effect.
//!
//! The envelope is JSON that an operator can read with the store's own tools: `v` schema version, `t` time, `c` cause, `bd` digest
//! of the body, then the event under its kind `k`. The body is kept beside it as raw bytes, so that it can be erased without
//! breaking the chain: the record's digest covers the envelope, and through `bd` the body.
//!
//! **Must never happen**: a record that this release does not understand taken for one that it does. A kind or a version that is
//! unknown is [`EntryError::NeedsNewer`], and the node decides nothing in that log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Body, Digest, Effect, Millis, Record};

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
    #[serde(flatten)]
    event: &'a E,
}

#[derive(Deserialize)]
struct EnvelopeIn<E> {
    t: Millis,
    c: Option<Uuid>,
    bd: Option<String>,
    #[serde(flatten)]
    event: E,
}

/// What is read first, whatever else there is.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

/// Writes a record. An erased body is written as none: records are erased in the store, not here.
#[must_use]
pub fn encode<E: Serialize>(record: &Record<E>) -> Stored {
    let body = record.body.bytes().cloned();
    let bd = body
        .as_ref()
        .map(|body| STANDARD_NO_PAD.encode(Digest::of(&[body]).0));
    let envelope = EnvelopeOut {
        v: SCHEMA_LEVEL,
        t: record.at,
        c: record.cause,
        bd,
        event: &record.event,
    };
    // Plain data with text keys always serialises.
    let envelope = Bytes::from(serde_json::to_vec(&envelope).unwrap_or_default());
    let digest = Digest::of(&[&envelope]);
    Stored {
        envelope,
        body,
        digest,
    }
}

/// Reads a record. `body` is what the store has of it.
///
/// # Errors
/// [`EntryError`]; also when a body is not the one its envelope names.
pub fn decode<E: DeserializeOwned>(envelope: &[u8], body: Body) -> Result<Record<E>, EntryError> {
    let read: EnvelopeIn<E> = read(envelope)?;
    match (&read.bd, &body) {
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
    Ok(Record {
        at: read.t,
        cause: read.c,
        event: read.event,
        body,
    })
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
    Bytes::from(
        serde_json::to_vec(&EffectOut {
            v: SCHEMA_LEVEL,
            effect,
        })
        .unwrap_or_default(),
    )
}

/// Reads an effect.
///
/// # Errors
/// [`EntryError`].
pub fn decode_effect(bytes: &[u8]) -> Result<Effect, EntryError> {
    read(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EntryError> {
    let Versioned { v } =
        serde_json::from_slice(bytes).map_err(|error| EntryError::Damaged(error.to_string()))?;
    if v > SCHEMA_LEVEL {
        return Err(EntryError::NeedsNewer(format!("schema version {v}")));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let reason = error.to_string();
        // serde names the kinds it knows when it meets another one.
        if reason.starts_with("unknown variant") {
            EntryError::NeedsNewer(reason)
        } else {
            EntryError::Damaged(reason)
        }
    })
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
    fn a_kind_or_a_version_of_a_newer_release_is_not_guessed_at() {
        let newer = decode::<DeskEvent>(br#"{"v":1,"t":1,"k":"teleported"}"#, Body::None);
        assert!(matches!(newer, Err(EntryError::NeedsNewer(_))), "{newer:?}");
        let newer = decode::<DeskEvent>(br#"{"v":2,"t":1,"k":"lost"}"#, Body::None);
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
