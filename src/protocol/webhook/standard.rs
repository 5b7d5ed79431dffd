//! The Standard Webhooks headers: `webhook-id`, `webhook-timestamp`, `webhook-signature` (the specification of that name).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The same at every attempt.
pub const ID: &str = "webhook-id";
/// Unix seconds of the attempt.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Space-separated signatures, one a secret.
pub const SIGNATURE: &str = "webhook-signature";

const PREFIX: &str = "whsec_";

/// Whether a text is a secret of this scheme: `whsec_` and 24 to 64 bytes in base64.
#[must_use]
pub fn is_signing_secret(secret: &str) -> bool {
    key(secret).is_some()
}

/// `v1,` and the signature; `None` for what is no secret of this scheme.
#[must_use]
pub fn sign(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key(secret)?);
    let mut signed = hmac::Context::with_key(&key);
    signed.update(format!("{id}.{timestamp}.").as_bytes());
    signed.update(body);
    Some(format!("v1,{}", STANDARD.encode(signed.sign().as_ref())))
}

fn key(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.trim().strip_prefix(PREFIX)?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secrets_of_24_to_64_bytes_are_taken() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7; length]));
        assert!(is_signing_secret(&of(24)) && is_signing_secret(&of(64)));
        for bad in [of(23), of(65), "whsec_!".to_owned(), STANDARD.encode([7; 32])] {
            assert!(!is_signing_secret(&bad), "{bad}");
        }
    }
}
