//! How a message of ours is named outside, and how what a provider calls it is remembered.

use bytes::Bytes;

use crate::model::{LogId, TenantId};

/// The id of a message over all attempts: its session without hyphens, a dot, its number.
#[must_use]
pub fn message_id(session: LogId, n: u64) -> String {
    format!("{}.{n}", session.uuid().simple())
}

/// The session and number behind such an id; `None` for what is none of ours.
#[must_use]
pub fn parse_id(id: &str) -> Option<(LogId, u64)> {
    let (session, n) = id.split_once('.')?;
    if session.len() != 32 || n.is_empty() || n.len() > 19 || n.starts_with('0') {
        return None;
    }
    let session = uuid::Uuid::try_parse(session).ok()?;
    if !n.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some((LogId::from_bytes(session.into_bytes()), n.parse().ok()?))
}

/// The key under which a provider's id is remembered; at most 300 bytes.
#[must_use]
pub fn reference_key(channel: &str, theirs: &str) -> Bytes {
    let mut key = Vec::with_capacity(2 + channel.len() + theirs.len());
    key.push(b'r');
    key.push(u8::try_from(channel.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(channel.as_bytes());
    key.extend_from_slice(theirs.as_bytes());
    key.truncate(300);
    key.into()
}

/// The other end of a channel: tenant, channel and address, joined unambiguously.
#[must_use]
pub fn peer_name(tenant: TenantId, channel: &str, address: &str) -> Bytes {
    let mut name = Vec::with_capacity(17 + channel.len() + address.len());
    name.extend_from_slice(tenant.0.as_bytes());
    name.push(u8::try_from(channel.len()).unwrap_or(u8::MAX));
    name.extend_from_slice(channel.as_bytes());
    name.extend_from_slice(address.as_bytes());
    name.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_message(bytes: [u8; 16], n in 1u64..1 << 53) {
            let session = LogId::from_bytes(bytes);
            prop_assert_eq!(parse_id(&message_id(session, n)), Some((session, n)));
        }

        #[test]
        fn any_text_is_read_or_none(text in ".{0,80}") {
            let _ = parse_id(&text);
        }
    }
}
