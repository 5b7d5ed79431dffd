//! `X-Hub-Signature`: an HMAC over the exact bytes of a body, in hex after the name of its hash (contract sections 2 and 12).

use aws_lc_rs::hmac;

use super::channel::hex;

/// The header of the documented form.
pub const SHA1: &str = "x-hub-signature";
/// The header of the stronger form, offered beside it.
pub const SHA256: &str = "x-hub-signature-256";

/// The value of [`SHA1`] for a body.
#[must_use]
pub fn sha1(secret: &[u8], body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    format!("sha1={}", hex(hmac::sign(&key, body).as_ref()))
}

/// The value of [`SHA256`] for a body.
#[must_use]
pub fn sha256(secret: &[u8], body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("sha256={}", hex(hmac::sign(&key, body).as_ref()))
}

/// Whether a value of either header was made with this secret over this body. Takes as long for a wrong one.
#[must_use]
pub fn is_valid(value: &str, secret: &[u8], body: &[u8]) -> bool {
    let (algorithm, tag) = match value.trim().split_once('=') {
        Some(("sha1", tag)) => (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, tag),
        Some(("sha256", tag)) => (hmac::HMAC_SHA256, tag),
        _ => return false,
    };
    let Some(tag) = bytes_of(tag) else { return false };
    hmac::verify(&hmac::Key::new(algorithm, secret), body, &tag).is_ok()
}

/// The bytes of a hexadecimal text of at most 64 bytes.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 128 {
        return None;
    }
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    digits
        .chunks_exact(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_the_contract_hold() {
        let body = br#"{"type":"Text","text":"Hello from the bank"}"#;
        let signed = sha1(b"demo-channel-secret", body);
        assert_eq!(signed, "sha1=19629eae49f8224a762a465f6b1c6e7b2574cbd5");
        assert!(is_valid(&signed, b"demo-channel-secret", body));
        assert!(is_valid(
            &sha256(b"demo-channel-secret", body),
            b"demo-channel-secret",
            body
        ));
    }

    #[test]
    fn another_secret_body_hash_or_form_is_refused() {
        let good = sha1(b"k", b"body");
        for (value, secret, body) in [
            (good.as_str(), &b"j"[..], &b"body"[..]),
            (good.as_str(), b"k", b"Body"),
            (&good[5..], b"k", b"body"),
            ("sha1=", b"k", b"body"),
            ("md5=00", b"k", b"body"),
            ("sha256=zz", b"k", b"body"),
        ] {
            assert!(!is_valid(value, secret, body), "{value}");
        }
        assert!(!is_valid(&good.replace("sha1", "sha256"), b"k", b"body"));
    }

    proptest! {
        #[test]
        fn any_text_has_a_verdict(value in ".{0,200}", body in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = is_valid(&value, b"k", &body);
        }
    }
}
