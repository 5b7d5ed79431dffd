//! `Idempotency-Key`: a repeat of a request gets the first answer, another request under the same key is refused.

use bytes::{BufMut, Bytes, BytesMut};
use hyper::header::HeaderMap;

use crate::log::Key;
use crate::model::{Digest, TenantId};
use crate::protocol::envelope::{Code, Fault};
use crate::shard::KeyedCause;

const NAME: &str = "idempotency-key";

/// The key a request carries: printable ASCII, 1 to `longest` characters. `None` where there is none.
pub(super) fn key(headers: &HeaderMap, longest: usize) -> Result<Option<&str>, Fault> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if values.next().is_some() || !printable || !(1..=longest).contains(&text.len()) {
        return Err(Fault::new(Code::BadValue).detail("Idempotency-Key"));
    }
    Ok(Some(text))
}

/// The key as a cause: what makes a repeat, and what a repeat is told.
pub(super) fn cause(key: Bytes, body_hash: [u8; 16], answer: Bytes) -> KeyedCause {
    KeyedCause {
        key: Key {
            key,
            body_hash,
            answer,
        },
    }
}

/// The key within its tenant and its kind of request.
pub(super) fn scoped(kind: u8, tenant: TenantId, scope: &[u8], key: &str) -> Bytes {
    let mut scoped = BytesMut::with_capacity(2 + 16 + scope.len() + key.len());
    scoped.put_u8(kind);
    scoped.put_slice(tenant.0.as_bytes());
    scoped.put_u8(u8::try_from(scope.len()).unwrap_or(u8::MAX));
    scoped.put_slice(scope);
    scoped.put_slice(key.as_bytes());
    scoped.freeze()
}

/// What makes two requests the same: what they ask for, without what names the call.
pub(super) fn fingerprint(parts: &[&[u8]]) -> [u8; 16] {
    let lengths: Vec<[u8; 8]> = parts
        .iter()
        .map(|part| (part.len() as u64).to_be_bytes())
        .collect();
    let framed: Vec<&[u8]> = lengths
        .iter()
        .zip(parts)
        .flat_map(|(length, part)| [&length[..], *part])
        .collect();
    let digest = Digest::of(&framed);
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest.0[..16]);
    hash
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn read(value: &[u8]) -> Result<Option<String>, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_bytes(value).unwrap());
        key(&headers, 128).map(|key| key.map(str::to_owned))
    }

    #[test]
    fn a_key_is_up_to_128_printable_characters() {
        assert_eq!(read(b"a b~").unwrap().as_deref(), Some("a b~"));
        assert!(read(&[b'x'; 128]).is_ok());
        for wrong in [&b""[..], &[b'x'; 129], b"a\tb", b"\xc3\xbc"] {
            assert_eq!(read(wrong).unwrap_err().code, Code::BadValue);
        }
        assert_eq!(key(&HeaderMap::new(), 128), Ok(None));
    }

    #[test]
    fn parts_do_not_run_into_one_another() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
        let tenant = TenantId(uuid::Uuid::nil());
        assert_ne!(scoped(1, tenant, b"ab", "c"), scoped(1, tenant, b"a", "bc"));
    }
}
