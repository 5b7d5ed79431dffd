//! The cookie of an administrator at the plug-in pages: the bearer token they showed, sealed so that only this cluster can
//! read it, and only for a while.
//!
//! AES-256-GCM-SIV under a shared key whose number travels in clear. The token inside is judged anew at every request, so what
//! is revoked there is revoked here. **Must never happen**: a token in clear on its way through a browser.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::Millis;
use crate::protocol::sealed::SealKey;

const DOMAIN: &[u8] = b"nexus plugin session";
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Bytes of a token: sealed and spelled out it must fit into a cookie of 4,096.
pub const TOKEN_MAX: usize = 2_900;
/// Characters of a cookie's value.
const TEXT_MAX: usize = 4_000;
/// How long a session lasts, milliseconds.
pub const LIFETIME_MS: u64 = 30 * 60 * 1_000;

/// Seals a token at `now`. `nonce` must be fresh random bytes. `None` for a token longer than [`TOKEN_MAX`].
#[must_use]
pub fn seal(key: SealKey<'_>, nonce: [u8; NONCE], token: &str, now: Millis) -> Option<String> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let id = key.id.to_be_bytes();
    let mut sealed = Vec::with_capacity(8 + token.len() + TAG);
    sealed.extend_from_slice(&now.0.to_be_bytes());
    sealed.extend_from_slice(token.as_bytes());
    cipher(key.secret)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(id), &mut sealed)
        .ok()?;
    Some(URL_SAFE_NO_PAD.encode([&id[..], &nonce, &sealed].concat()))
}

/// The token in a cookie, and when the session ends. `None` for everything that was not sealed by us, or too long ago.
#[must_use]
pub fn open<'k>(
    cookie: &str,
    key: impl FnOnce(u32) -> Option<&'k [u8; 32]>,
    now: Millis,
) -> Option<(String, Millis)> {
    if cookie.len() > TEXT_MAX {
        return None;
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
    let (id, rest) = bytes.split_first_chunk_mut::<KEY_ID>()?;
    let (nonce, sealed) = rest.split_first_chunk_mut::<NONCE>()?;
    let secret = key(u32::from_be_bytes(*id))?;
    let plain = cipher(secret)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(*id), sealed)
        .ok()?;
    let (issued, token) = plain.split_first_chunk::<8>()?;
    let issued = Millis(u64::from_be_bytes(*issued));
    let ends = issued.plus(LIFETIME_MS);
    // A clock five seconds behind the issuer's is forgiven.
    if now >= ends || issued.since(now) > 5_000 {
        return None;
    }
    Some((String::from_utf8(token.to_vec()).ok()?, ends))
}

fn cipher(secret: &[u8; 32]) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM_SIV, secret);
    key.ok().map(LessSafeKey::new)
}

fn aad(key_id: [u8; KEY_ID]) -> Aad<Vec<u8>> {
    Aad::from([DOMAIN, &key_id].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: [u8; 32] = [7; 32];
    const KEY: SealKey<'_> = SealKey {
        id: 3,
        secret: &SECRET,
    };

    fn keys(id: u32) -> Option<&'static [u8; 32]> {
        (id == 3).then_some(&SECRET)
    }

    #[test]
    fn a_session_ends_after_its_time_and_begins_not_before_it() {
        let cookie = seal(KEY, [1; 12], "token", Millis(1_000_000)).unwrap();
        let at = |now| open(&cookie, keys, Millis(now)).map(|(token, _)| token);
        assert_eq!(at(1_000_001).as_deref(), Some("token"));
        assert_eq!(at(1_000_000 + LIFETIME_MS), None);
        assert_eq!(at(990_000), None);
        assert_eq!(open(&cookie, |_| None, Millis(1_000_001)), None);
    }

    #[test]
    fn the_longest_token_fits_into_a_cookie_and_a_longer_one_is_refused() {
        let cookie = seal(KEY, [1; 12], &"x".repeat(TOKEN_MAX), Millis(1)).unwrap();
        assert!(cookie.len() <= TEXT_MAX);
        assert_eq!(seal(KEY, [1; 12], &"x".repeat(TOKEN_MAX + 1), Millis(1)), None);
    }

    proptest! {
        #[test]
        fn no_changed_byte_goes_unnoticed(token in "\\PC{1,60}", at in 4_usize..80, flip in 1_u8..) {
            let cookie = seal(KEY, [1; 12], &token, Millis(5)).unwrap();
            prop_assert_eq!(open(&cookie, keys, Millis(6)).map(|(token, _)| token), Some(token));
            let mut bytes = URL_SAFE_NO_PAD.decode(cookie).unwrap();
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= flip;
            prop_assert_eq!(open(&URL_SAFE_NO_PAD.encode(bytes), keys, Millis(6)), None);
        }

        #[test]
        fn any_text_is_refused_calmly(text in "\\PC{0,200}") {
            prop_assert_eq!(open(&text, keys, Millis(6)), None);
        }
    }
}
