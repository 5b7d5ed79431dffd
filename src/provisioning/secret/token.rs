//! The texts callers present, and the digests they are found by.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use thiserror::Error;
use zeroize::Zeroizing;

use super::cipher::Unopenable;

/// The text is no key or token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a key of this service")]
pub struct BadToken;

/// Scanners of source trees find our keys by this.
const PREFIX: &str = "nxk_";

/// A new API key: `nxk_<id>.<secret>.<crc32>`. The checksum lets a mistyped key be told from a wrong one without a
/// look-up, and lets scanners avoid false alarms.
///
/// # Errors
/// [`Unopenable`] when the system gives no random bytes.
pub fn fresh_api_key() -> Result<SecretString, Unopenable> {
    let mut random = Zeroizing::new([0u8; 41]);
    aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| Unopenable)?;
    let (id, secret) = random.split_at(9);
    let id = URL_SAFE_NO_PAD.encode(id);
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
    let body = Zeroizing::new(format!("{PREFIX}{id}.{}", *secret));
    Ok(SecretString::from(format!("{}.{:08x}", *body, checksum(&body))))
}

/// Whether a text has the form of an API key: ours, or a UUID as the original service gives out.
///
/// # Errors
/// [`BadToken`].
pub fn check_api_key(text: &str) -> Result<(), BadToken> {
    if text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() {
        return Ok(());
    }
    let (body, sum) = text.rsplit_once('.').ok_or(BadToken)?;
    let (id, secret) = body
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('.'))
        .ok_or(BadToken)?;
    let word = |s: &str| {
        s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let good = id.len() == 12
        && secret.len() == 43
        && word(id)
        && word(secret)
        && sum.len() == 8
        && u32::from_str_radix(sum, 16) == Ok(checksum(body));
    if good { Ok(()) } else { Err(BadToken) }
}

/// Whether a text may be a static token: 16 to 256 visible characters.
///
/// # Errors
/// [`BadToken`].
pub fn check_static_token(text: &str) -> Result<(), BadToken> {
    let good = (16..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if good { Ok(()) } else { Err(BadToken) }
}

fn checksum(body: &str) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(body.as_bytes());
    crc.sum()
}

/// HMAC-SHA-256 of a presented secret under the pepper. Right for secrets of full strength; needs no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::provisioning) struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// Reads a stored digest.
    pub(in crate::provisioning) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(SecretDigest)
    }

    /// The bytes to store.
    pub(in crate::provisioning) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    pub(in crate::provisioning) fn matches(&self, other: &SecretDigest) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// Computes digests under one pepper.
#[derive(Clone)]
pub(in crate::provisioning) struct Digester(hmac::Key);

impl Digester {
    /// A digester under a pepper.
    pub(in crate::provisioning) fn new(pepper: &[u8]) -> Self {
        Digester(hmac::Key::new(hmac::HMAC_SHA256, pepper))
    }

    /// The digest of a secret for a use; the same text for another use has another digest.
    pub(in crate::provisioning) fn digest(&self, usage: &str, secret: &str) -> SecretDigest {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(usage.as_bytes());
        context.update(&[0]);
        context.update(secret.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        SecretDigest(out)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_fresh_key_checks_and_a_mistyped_one_does_not() {
        let key = fresh_api_key().unwrap();
        let text = key.expose_secret();
        assert_eq!(check_api_key(text), Ok(()));
        let at = text.len() - 20;
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        let mistyped = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        assert_eq!(check_api_key(&mistyped), Err(BadToken));
    }

    #[test]
    fn a_uuid_is_a_key_in_its_canonical_form_only() {
        assert_eq!(check_api_key("00000000-0000-4000-8000-000000000001"), Ok(()));
        assert_eq!(check_api_key("00000000000040008000000000000001"), Err(BadToken));
        assert_eq!(check_api_key(""), Err(BadToken));
    }

    #[test]
    fn one_text_has_a_digest_for_each_use() {
        let digester = Digester::new(b"pepper");
        assert!(digester.digest("a", "x") == digester.digest("a", "x"));
        assert!(digester.digest("a", "x") != digester.digest("b", "x"));
        assert!(Digester::new(b"salt").digest("a", "x") != digester.digest("a", "x"));
    }
}
