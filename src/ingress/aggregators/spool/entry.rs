//! One callback as it lies in a file: its length, a digest, and what is needed to read it again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::Digest;

/// Bytes of the largest entry. Texts are far smaller.
pub(super) const LARGEST: usize = 512 * 1_024;
/// Bytes before the entry itself: four of length, eight of digest.
const HEAD: usize = 12;

/// A callback whose signature was good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The provider's name.
    pub provider: String,
    /// The channel's id.
    pub channel: String,
    /// Whether it is a status callback.
    pub status: bool,
    /// `POST` or `GET`.
    pub method: String,
    /// The raw query.
    pub query: String,
    /// The type of the body; empty when there was none.
    pub content_type: String,
    /// When it arrived, in milliseconds.
    pub at: u64,
    /// Digests of the customers it is from: what comes from them later must wait behind it.
    pub peers: Vec<String>,
    /// The raw body.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub body: Bytes,
}

fn to_text<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body))
}

fn from_text<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    Ok(bytes.into())
}

/// An entry as it is written; `None` where it is too large.
pub(super) fn frame(entry: &Entry) -> Option<Vec<u8>> {
    let payload = serde_json::to_vec(entry).ok()?;
    let length = u32::try_from(payload.len()).ok()?;
    if payload.len() > LARGEST {
        return None;
    }
    let mut frame = Vec::with_capacity(HEAD + payload.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&Digest::of(&[&payload]).0[..8]);
    frame.extend_from_slice(&payload);
    Some(frame)
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// Whole entries, in order.
    pub entries: Vec<Entry>,
    /// Whether something follows that is no entry: at the end of the newest file that is a write that was cut off and never
    /// answered.
    pub torn: bool,
}

/// Reads a file.
pub(super) fn read(mut bytes: &[u8]) -> Read {
    let mut read = Read::default();
    while !bytes.is_empty() {
        let Some((entry, rest)) = next(bytes) else {
            read.torn = true;
            break;
        };
        read.entries.push(entry);
        bytes = rest;
    }
    read
}

fn next(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (digest, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (payload, rest) = rest.split_at_checked(length)?;
    if Digest::of(&[payload]).0[..8] != digest[..] {
        return None;
    }
    Some((serde_json::from_slice(payload).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(body: &[u8], at: u64) -> Entry {
        Entry {
            provider: "twilio".to_owned(),
            channel: "ch-1".to_owned(),
            status: false,
            method: "POST".to_owned(),
            query: String::new(),
            content_type: "application/x-www-form-urlencoded".to_owned(),
            at,
            peers: vec!["00".to_owned()],
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn what_is_too_large_is_not_written() {
        assert_eq!(frame(&entry(&vec![0; LARGEST], 1)), None);
    }

    proptest! {
        #[test]
        fn entries_are_read_as_they_were_written_up_to_where_a_file_was_cut(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let entries: Vec<Entry> = bodies.iter().zip(1..).map(|(body, at)| entry(body, at)).collect();
            let frames: Vec<Vec<u8>> = entries.iter().map(|one| frame(one).unwrap()).collect();
            let whole = frames.concat();
            prop_assert_eq!(read(&whole), Read { entries: entries.clone(), torn: false });
            let at = cut.index(whole.len() + 1);
            let part = read(&whole[..at]);
            let mut end = 0;
            let kept = frames.iter().take_while(|frame| { end += frame.len(); end <= at }).count();
            prop_assert_eq!(&part.entries[..], &entries[..kept]);
        }

        #[test]
        fn any_bytes_are_read_or_left(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
