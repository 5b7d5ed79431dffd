//! permessage-deflate (RFC 7692), without context takeover.
//!
//! Each message is compressed by itself, so nothing is kept between messages and a compressed frame can be
//! shared by all sockets that negotiated it. Inflating is bounded by the inflated size, while it grows.

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::frame::{self, OpCode};
use super::reader::Violation;

/// What we answer to an offer we take.
pub const ACCEPTED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Whether one of the offers in a `Sec-WebSocket-Extensions` value can be taken. An offer with an unknown, a
/// repeated or an invalid parameter is declined, and so is one that asks for a smaller window on our side.
pub fn is_acceptable(extensions: &str) -> bool {
    extensions.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        parts.next() == Some("permessage-deflate") && parameters_are_sound(parts)
    })
}

fn parameters_are_sound<'a>(parameters: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = [false; 4];
    for parameter in parameters {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (parameter, None),
        };
        let (which, sound) = match (name, value) {
            ("server_no_context_takeover", None) => (0, true),
            ("client_no_context_takeover", None) => (1, true),
            ("server_max_window_bits", Some(bits)) => (2, bits == "15"),
            ("client_max_window_bits", None) => (3, true),
            ("client_max_window_bits", Some(bits)) => (
                3,
                matches!(bits, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15"),
            ),
            _ => return false,
        };
        if !sound || std::mem::replace(&mut seen[which], true) {
            return false;
        }
    }
    true
}

/// The message in `compressed`, if it is at most `limit` bytes.
///
/// # Errors
/// [`Violation::TooBig`] as soon as it exceeds `limit`; [`Violation::Deflate`] when it is broken.
pub fn inflate(compressed: &[u8], limit: usize) -> Result<Vec<u8>, Violation> {
    let mut inflater = Decompress::new(false);
    let mut message = Vec::with_capacity((compressed.len() * 4).clamp(64, limit.saturating_add(1)));
    for mut input in [compressed, TAIL.as_slice()] {
        loop {
            let before = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress_vec(input, &mut message, FlushDecompress::Sync)
                .map_err(|_| Violation::Deflate)?;
            if message.len() > limit {
                return Err(Violation::TooBig);
            }
            let used = usize::try_from(inflater.total_in() - before.0).unwrap_or(usize::MAX);
            input = input.get(used..).unwrap_or_default();
            if status == Status::StreamEnd {
                // A final block ends the data; whatever follows it has no meaning.
                return if input.is_empty() || input == TAIL {
                    Ok(message)
                } else {
                    Err(Violation::Deflate)
                };
            }
            if message.len() == message.capacity() {
                let more = message.capacity().min(limit + 1 - message.len()).max(1);
                message.reserve_exact(more);
            } else if input.is_empty() {
                break;
            } else if (inflater.total_in(), inflater.total_out()) == before {
                return Err(Violation::Deflate);
            }
        }
    }
    Ok(message)
}

/// A text message as one compressed frame, to be shared by all sockets that negotiated compression; `None`
/// when compressing it does not make it smaller.
pub fn encode_text(payload: &[u8]) -> Option<Bytes> {
    let mut deflater = Compress::new(Compression::fast(), false);
    let mut compressed = Vec::with_capacity(payload.len() + 16);
    deflater
        .compress_vec(payload, &mut compressed, FlushCompress::Sync)
        .ok()?;
    let whole = usize::try_from(deflater.total_in()).ok() == Some(payload.len());
    let compressed = compressed.strip_suffix(&TAIL)?;
    (whole && compressed.len() < payload.len()).then(|| frame::encode(OpCode::Text, true, compressed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offers_are_taken_or_declined_by_their_parameters() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8; server_max_window_bits=\"15\"",
            "x-other, permessage-deflate; server_no_context_takeover",
            "permessage-deflate; bogus, permessage-deflate",
        ] {
            assert!(is_acceptable(offer), "{offer}");
        }
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate; bogus",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover=1",
        ] {
            assert!(!is_acceptable(offer), "{offer}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit_and_not_after_it() {
        let mut deflater = Compress::new(Compression::best(), false);
        let mut bomb = Vec::with_capacity(64 * 1024);
        deflater
            .compress_vec(&vec![0; 8 << 20], &mut bomb, FlushCompress::Sync)
            .unwrap();
        assert!(bomb.len() < 16 * 1024);
        assert_eq!(inflate(&bomb, 64 * 1024), Err(Violation::TooBig));
    }

    #[test]
    fn a_message_of_exactly_the_limit_passes() {
        let text = vec![b'a'; 4096];
        let frame = encode_text(&text).unwrap();
        assert_eq!(inflate(&frame[2..], 4096).unwrap(), text);
        assert_eq!(inflate(&frame[2..], 4095), Err(Violation::TooBig));
    }

    proptest! {
        #[test]
        fn what_is_deflated_inflates(text in "[a-c]{30,3000}") {
            let frame = encode_text(text.as_bytes()).unwrap();
            let start = if frame[1] < 126 { 2 } else { 4 };
            prop_assert_eq!(inflate(&frame[start..], 65_536).unwrap(), text.into_bytes());
        }

        #[test]
        fn no_bytes_panic_or_exceed_the_limit(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(message) = inflate(&bytes, 1000) {
                prop_assert!(message.len() <= 1000);
            }
        }
    }
}
