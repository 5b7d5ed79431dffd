//! Agent tickets and resume tokens: claims that only this cluster can write and read.
//!
//! AES-256-GCM-SIV (RFC 8452) under a shared key whose number travels in clear, so that any node opens what any node sealed and keys
//! rotate while tokens are out. The text is base64url without padding, so it may stand in `Sec-WebSocket-Protocol`.
//!
//! **Must never happen**: a token of one purpose opened as another; a reason given to the bearer of why a token was refused.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::model::{AgentId, Millis, TenantId};

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const FIXED: usize = 1 + 16 + 8 + 8 + 16;
/// Longer than any token of ours: 128 characters of login are at most 512 bytes.
const MAX_TEXT: usize = 1_024;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Opens one stream, once, within seconds.
    Ticket,
    /// Opens the stream after it, within a day.
    Resume,
}

impl Purpose {
    const fn domain(self) -> &'static [u8] {
        match self {
            Self::Ticket => b"nexus agent ticket",
            Self::Resume => b"nexus agent resume",
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whose contact centre.
    pub tenant: TenantId,
    /// Which agent.
    pub agent: AgentId,
    /// The connection it was given on; 0 in a ticket.
    pub conn: u64,
    /// When it was given.
    pub issued: Millis,
    /// What makes it spendable once.
    pub id: [u8; 16],
}

/// A key and its number.
#[derive(Clone, Copy)]
pub struct SealKey<'a> {
    /// Carried in clear by what it seals.
    pub id: u32,
    /// 256 bits.
    pub secret: &'a [u8; 32],
}

/// Why a token was refused; for the operator, never for the bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// Not of the form of a token.
    #[error("malformed token")]
    Malformed,
    /// Sealed with a key that is no longer, or was never, ours.
    #[error("unknown key")]
    UnknownKey,
    /// Not sealed by us for this purpose.
    #[error("forged token")]
    Forged,
    /// Given too long ago, or in the future.
    #[error("expired token")]
    Expired,
}

/// Seals claims. `nonce` must be fresh random bytes. `None` only if the cipher refuses the key, which a key of 32 bytes rules out.
#[must_use]
pub fn seal(purpose: Purpose, key: SealKey<'_>, nonce: [u8; NONCE], claims: &Claims) -> Option<String> {
    let id = key.id.to_be_bytes();
    let mut sealed = Vec::with_capacity(FIXED + claims.agent.as_str().len() + 16);
    sealed.push(VERSION);
    sealed.extend_from_slice(claims.tenant.0.as_bytes());
    sealed.extend_from_slice(&claims.conn.to_be_bytes());
    sealed.extend_from_slice(&claims.issued.0.to_be_bytes());
    sealed.extend_from_slice(&claims.id);
    sealed.extend_from_slice(claims.agent.as_str().as_bytes());
    cipher(key.secret)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(purpose, id), &mut sealed)
        .ok()?;
    let mut token = Vec::with_capacity(KEY_ID + NONCE + sealed.len());
    token.extend_from_slice(&id);
    token.extend_from_slice(&nonce);
    token.append(&mut sealed);
    Some(URL_SAFE_NO_PAD.encode(token))
}

/// Opens a token that was given for `purpose` at most `lifetime_ms` before `now`. A clock that is `5 s` behind the issuer's is forgiven.
///
/// # Errors
/// [`Unsealed`].
pub fn open<'k>(
    purpose: Purpose,
    token: &str,
    key: impl FnOnce(u32) -> Option<&'k [u8; 32]>,
    now: Millis,
    lifetime_ms: u64,
) -> Result<Claims, Unsealed> {
    if token.len() > MAX_TEXT {
        return Err(Unsealed::Malformed);
    }
    let mut token = URL_SAFE_NO_PAD.decode(token).map_err(|_| Unsealed::Malformed)?;
    let (id, rest) = token
        .split_first_chunk_mut::<KEY_ID>()
        .ok_or(Unsealed::Malformed)?;
    let (nonce, sealed) = rest.split_first_chunk_mut::<NONCE>().ok_or(Unsealed::Malformed)?;
    let secret = key(u32::from_be_bytes(*id)).ok_or(Unsealed::UnknownKey)?;
    let plain = cipher(secret)
        .ok_or(Unsealed::UnknownKey)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(purpose, *id), sealed)
        .map_err(|_| Unsealed::Forged)?;
    let claims = read(plain).ok_or(Unsealed::Malformed)?;
    if now.since(claims.issued) > lifetime_ms || claims.issued.since(now) > 5_000 {
        return Err(Unsealed::Expired);
    }
    Ok(claims)
}

fn read(plain: &[u8]) -> Option<Claims> {
    let (version, rest) = plain.split_first()?;
    let (tenant, rest) = rest.split_first_chunk::<16>()?;
    let (conn, rest) = rest.split_first_chunk::<8>()?;
    let (issued, rest) = rest.split_first_chunk::<8>()?;
    let (id, agent) = rest.split_first_chunk::<16>()?;
    if *version != VERSION {
        return None;
    }
    Some(Claims {
        tenant: TenantId(Uuid::from_bytes(*tenant)),
        agent: std::str::from_utf8(agent).ok()?.parse().ok()?,
        conn: u64::from_be_bytes(*conn),
        issued: Millis(u64::from_be_bytes(*issued)),
        id: *id,
    })
}

fn cipher(secret: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM_SIV, secret)
        .ok()
        .map(LessSafeKey::new)
}

fn aad(purpose: Purpose, key_id: [u8; KEY_ID]) -> Aad<Vec<u8>> {
    Aad::from([purpose.domain(), &key_id].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: [u8; 32] = [7; 32];
    const KEY: SealKey<'_> = SealKey {
        id: 3,
        secret: &SECRET,
    };
    const DAY: u64 = 86_400_000;

    fn claims() -> Claims {
        Claims {
            tenant: TenantId(Uuid::from_u128(1)),
            agent: "alice".parse().unwrap(),
            conn: 9,
            issued: Millis(1_000_000),
            id: [5; 16],
        }
    }

    fn keys(id: u32) -> Option<&'static [u8; 32]> {
        (id == 3).then_some(&SECRET)
    }

    #[test]
    fn any_node_reads_what_another_sealed() {
        let token = seal(Purpose::Resume, KEY, [1; 12], &claims()).unwrap();
        assert_eq!(
            open(Purpose::Resume, &token, keys, Millis(1_000_500), DAY),
            Ok(claims())
        );
    }

    #[test]
    fn a_resume_token_is_no_ticket() {
        let token = seal(Purpose::Resume, KEY, [1; 12], &claims()).unwrap();
        assert_eq!(
            open(Purpose::Ticket, &token, keys, Millis(1_000_500), DAY),
            Err(Unsealed::Forged)
        );
    }

    #[test]
    fn an_old_token_and_one_from_the_future_are_expired() {
        let token = seal(Purpose::Ticket, KEY, [1; 12], &claims()).unwrap();
        let at = |now| open(Purpose::Ticket, &token, keys, Millis(now), 30_000);
        assert_eq!(at(1_030_000), Ok(claims()));
        assert_eq!(at(1_030_001), Err(Unsealed::Expired));
        assert_eq!(at(990_000), Err(Unsealed::Expired));
    }

    #[test]
    fn a_key_that_was_retired_opens_nothing() {
        let token = seal(Purpose::Ticket, KEY, [1; 12], &claims()).unwrap();
        assert_eq!(
            open(Purpose::Ticket, &token, |_| None, Millis(1_000_000), DAY),
            Err(Unsealed::UnknownKey)
        );
    }

    proptest! {
        #[test]
        fn no_changed_byte_goes_unnoticed(at in 4_usize..100, flip in 1_u8..) {
            let token = seal(Purpose::Resume, KEY, [1; 12], &claims()).unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= flip;
            let token = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(
                open(Purpose::Resume, &token, keys, Millis(1_000_500), DAY),
                Err(Unsealed::Forged)
            );
        }

        #[test]
        fn arbitrary_text_is_refused(text in ".{0,200}") {
            prop_assert!(open(Purpose::Resume, &text, keys, Millis(1_000_500), DAY).is_err());
        }
    }
}
