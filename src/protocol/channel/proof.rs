//! What shows that a callback comes from the account's owner: comparisons that tell nothing by the time they take.
//!
//! Which of several secrets is right is not told either: all are tried.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

use super::provider::{Account, CallbackRequest, Forged};
use crate::model::Millis;

/// How far the clock of a provider may be from ours, in milliseconds.
pub const WINDOW: u64 = 300_000;

/// Whether two texts are the same. Takes no longer for a longer common beginning, and tells no length.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    let of = |bytes| digest::digest(&digest::SHA256, bytes);
    verify_slices_are_equal(of(left).as_ref(), of(right).as_ref()).is_ok()
}

/// Tries each secret of the account. An empty one counts as none.
///
/// # Errors
/// [`Forged::NoSecret`], or [`Forged::Wrong`] when none fits.
pub fn one_of(account: &Account, fits: impl Fn(&[u8]) -> bool) -> Result<(), Forged> {
    let (mut tried, mut good) = (false, false);
    for secret in &account.secrets {
        let secret = secret.expose_secret().as_bytes();
        if !secret.is_empty() {
            tried = true;
            good |= fits(secret);
        }
    }
    match (tried, good) {
        (false, _) => Err(Forged::NoSecret),
        (true, false) => Err(Forged::Wrong),
        (true, true) => Ok(()),
    }
}

/// HTTP Basic; each secret is `user:password`.
///
/// # Errors
/// [`Forged`].
pub fn basic(request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
    let value = present(request, account, "authorization")?;
    let given = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, pair)| STANDARD.decode(pair.trim()).ok())
        .ok_or(Forged::Wrong)?;
    one_of(account, |secret| same(secret, &given))
}

/// A header whose whole value is a secret.
///
/// # Errors
/// [`Forged`].
pub fn header(request: &CallbackRequest<'_>, account: &Account, name: &str) -> Result<(), Forged> {
    let value = present(request, account, name)?;
    one_of(account, |secret| same(secret, value.as_bytes()))
}

/// The one value of a header that carries a signature. A channel without a secret is told apart first: it cannot check anything.
///
/// # Errors
/// [`Forged::NoSecret`] or [`Forged::Absent`].
pub fn present<'r>(request: &CallbackRequest<'r>, account: &Account, name: &str) -> Result<&'r str, Forged> {
    let secret = |secret: &&secrecy::SecretString| !secret.expose_secret().is_empty();
    account.secrets.iter().find(secret).ok_or(Forged::NoSecret)?;
    request.header(&name.to_ascii_lowercase()).ok_or(Forged::Absent)
}

/// Whether `tag` is the HMAC of the parts, one after the other.
#[must_use]
pub fn is_hmac(algorithm: hmac::Algorithm, secret: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret));
    for part in parts {
        context.update(part);
    }
    verify_slices_are_equal(context.sign().as_ref(), tag).is_ok()
}

/// The bytes of a hexadecimal digest, written in one case.
#[must_use]
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let mixed = text.bytes().any(|c| c.is_ascii_lowercase()) && text.bytes().any(|c| c.is_ascii_uppercase());
    if mixed || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// Whether `hash` is the SHA-256 of `bytes` in hexadecimal.
#[must_use]
pub fn is_sha256(hash: &str, bytes: &[u8]) -> bool {
    hex(hash).is_some_and(|hash| {
        verify_slices_are_equal(digest::digest(&digest::SHA256, bytes).as_ref(), &hash).is_ok()
    })
}

/// Whether something signed at `seconds` since the epoch is neither too old nor from the future.
///
/// # Errors
/// [`Forged::Stale`].
pub fn recent(seconds: u64, now: Millis) -> Result<(), Forged> {
    let at = seconds.saturating_mul(1_000);
    if at.abs_diff(now.0) <= WINDOW {
        Ok(())
    } else {
        Err(Forged::Stale)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn account(secrets: &[&str]) -> Account {
        Account {
            secrets: secrets.iter().map(|secret| (*secret).to_owned().into()).collect(),
            ..Account::default()
        }
    }

    fn verdict(headers: &[(&str, &str)], account: &Account) -> Result<(), Forged> {
        let request = CallbackRequest {
            method: "POST",
            url: "https://digital.example.com/in",
            query: "",
            headers,
            body: &Bytes::new(),
            now: Millis(0),
        };
        basic(&request, account)
    }

    #[test]
    fn basic_takes_each_active_secret_and_no_other() {
        let account = account(&["old:1", "new:2"]);
        // old:1, new:2, new:3
        assert_eq!(verdict(&[("authorization", "Basic b2xkOjE=")], &account), Ok(()));
        assert_eq!(verdict(&[("authorization", "basic bmV3OjI=")], &account), Ok(()));
        for wrong in ["Basic bmV3OjM=", "Bearer bmV3OjI=", "Basic", "Basic !", ""] {
            assert_eq!(
                verdict(&[("authorization", wrong)], &account),
                Err(Forged::Wrong),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_missing_a_repeated_and_an_unconfigured_secret_are_told_apart() {
        let good = ("authorization", "Basic b2xkOjE=");
        assert_eq!(verdict(&[], &account(&["old:1"])), Err(Forged::Absent));
        assert_eq!(verdict(&[good, good], &account(&["old:1"])), Err(Forged::Absent));
        assert_eq!(verdict(&[good], &account(&[])), Err(Forged::NoSecret));
        assert_eq!(verdict(&[good], &account(&[""])), Err(Forged::NoSecret));
    }

    #[test]
    fn a_digest_is_read_in_either_case_but_not_in_both() {
        assert_eq!(hex("0aff"), Some(vec![0x0a, 0xff]));
        assert_eq!(hex("0AFF"), Some(vec![0x0a, 0xff]));
        for wrong in ["0aFF", "0a0", "0g"] {
            assert_eq!(hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn five_minutes_to_either_side_are_recent() {
        let now = Millis(1_700_000_000_000);
        assert_eq!(recent(1_700_000_300, now), Ok(()));
        assert_eq!(recent(1_699_999_700, now), Ok(()));
        assert_eq!(recent(1_700_000_301, now), Err(Forged::Stale));
        assert_eq!(recent(1_699_999_699, now), Err(Forged::Stale));
        assert_eq!(recent(u64::MAX, now), Err(Forged::Stale));
    }
}
