//! The `clientToken` of chat v3: a JWT that names one customer's hold on one session (`contracts/chat-v3.md` 1.8, 2.3).
//!
//! **Must never happen**: a token accepted under a header that we did not write ourselves, or compared in a time that
//! tells how much of it is right; a payload that plain `atob` in a browser cannot read.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{LogId, ParticipantId, TransportId};

/// Longer than any token of ours.
const LONGEST: usize = 1_024;

/// What a token says. It has no end of its own: it ends with its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientToken {
    /// Which session.
    pub session: LogId,
    /// Which browser.
    pub transport: TransportId,
    /// Who its customer is in the session.
    pub participant: ParticipantId,
}

/// Not a token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid client token")]
pub struct InvalidToken;

/// One secret that signs tokens.
pub struct TokenKey {
    header: String,
    key: hmac::Key,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

impl TokenKey {
    /// A key with the id under which all nodes know it.
    #[must_use]
    pub fn new(id: &str, secret: &[u8]) -> Self {
        let header = Header {
            alg: "HS256",
            typ: "JWT",
            kid: id,
        };
        Self {
            // Three texts into memory cannot fail.
            header: URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default()),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }
}

/// The keys in force: the current one signs, all verify, so that a rotation invalidates nothing.
#[derive(Debug)]
pub struct TokenKeys {
    current: TokenKey,
    others: Vec<TokenKey>,
}

impl TokenKeys {
    /// Keys in force.
    #[must_use]
    pub const fn new(current: TokenKey, others: Vec<TokenKey>) -> Self {
        Self { current, others }
    }

    /// Writes a token.
    #[must_use]
    pub fn sign(&self, token: &ClientToken) -> String {
        let claims = Claims {
            session: token.session.uuid(),
            transport: token.transport.0,
            participant: token.participant.0,
        };
        let payload = serde_json::to_vec(&claims).unwrap_or_default();
        let mut text = format!("{}.{}", self.current.header, URL_SAFE_NO_PAD.encode(payload));
        let tag = hmac::sign(&self.current.key, text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(tag.as_ref(), &mut text);
        text
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`InvalidToken`] for everything that one of the keys in force did not sign.
    pub fn verify(&self, text: &str) -> Result<ClientToken, InvalidToken> {
        if text.len() > LONGEST {
            return Err(InvalidToken);
        }
        let (signed, tag) = text.rsplit_once('.').ok_or(InvalidToken)?;
        let (header, payload) = signed.split_once('.').ok_or(InvalidToken)?;
        let key = std::iter::once(&self.current)
            .chain(&self.others)
            .find(|key| key.header == header)
            .ok_or(InvalidToken)?;
        let mut room = [0; LONGEST];
        let tag = decoded(tag, &mut room)?;
        hmac::verify(&key.key, signed.as_bytes(), tag).map_err(|_| InvalidToken)?;
        let payload = decoded(payload, &mut room)?;
        let claims = Claims::as_written(payload).map_or_else(|| serde_json::from_slice(payload), Ok);
        let claims = claims.map_err(|_| InvalidToken)?;
        Ok(ClientToken {
            session: LogId::from_bytes(claims.session.into_bytes()),
            transport: TransportId(claims.transport),
            participant: ParticipantId(claims.participant),
        })
    }
}

/// What base64 says, in the front of `room`.
fn decoded<'r>(text: &str, room: &'r mut [u8]) -> Result<&'r [u8], InvalidToken> {
    let len = URL_SAFE_NO_PAD
        .decode_slice(text, room)
        .map_err(|_| InvalidToken)?;
    room.get(..len).ok_or(InvalidToken)
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// Braces, quotes, colons, commas, letters, digits and hyphens: none of the ASCII bytes (`>`, `?`, `~`, DEL) that can become the
/// `-` or `_` of base64url, which `atob` refuses.
#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "sessionId")]
    session: Uuid,
    #[serde(rename = "transportId")]
    transport: Uuid,
    #[serde(rename = "participantId")]
    participant: Uuid,
}

impl Claims {
    /// Reads what [`TokenKeys::sign`] writes today; `None` for any other form, which is no less good.
    fn as_written(payload: &[u8]) -> Option<Self> {
        let (session, rest) = id_behind(br#"{"sessionId":""#, payload)?;
        let (transport, rest) = id_behind(br#"","transportId":""#, rest)?;
        let (participant, rest) = id_behind(br#"","participantId":""#, rest)?;
        (rest == br#""}"#).then_some(Self {
            session,
            transport,
            participant,
        })
    }
}

/// The id that stands behind `before`, and what follows it.
fn id_behind<'p>(before: &[u8], text: &'p [u8]) -> Option<(Uuid, &'p [u8])> {
    let (id, rest) = text.strip_prefix(before)?.split_at_checked(36)?;
    Some((Uuid::try_parse_ascii(id).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn keys(current: &str, previous: Option<&str>) -> TokenKeys {
        let key = |id: &str| TokenKey::new(id, format!("secret of {id}").as_bytes());
        TokenKeys::new(key(current), previous.map(key).into_iter().collect())
    }

    fn token(bits: [u128; 3]) -> ClientToken {
        ClientToken {
            session: LogId::from_bytes(bits[0].to_be_bytes()),
            transport: TransportId(Uuid::from_u128(bits[1])),
            participant: ParticipantId(Uuid::from_u128(bits[2])),
        }
    }

    #[test]
    fn a_rotation_invalidates_nothing_and_two_do() {
        let text = keys("a", None).sign(&token([1, 2, 3]));
        assert_eq!(keys("b", Some("a")).verify(&text), Ok(token([1, 2, 3])));
        assert_eq!(keys("c", Some("b")).verify(&text), Err(InvalidToken));
    }

    #[test]
    fn a_token_of_an_unsigned_or_foreign_algorithm_is_refused() {
        let text = keys("a", None).sign(&token([1, 2, 3]));
        let payload = text.split('.').nth(1).unwrap();
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"RS256","typ":"JWT","kid":"a"}"#,
        ] {
            let forged = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(keys("a", None).verify(&forged), Err(InvalidToken));
        }
    }

    #[test]
    fn every_single_changed_character_is_noticed() {
        let keys = keys("a", None);
        let text = keys.sign(&token([1, 2, 3]));
        for place in 0..text.len() {
            for other in ['A', 'x', '.', '_'] {
                let mut forged = text.clone();
                forged.replace_range(place..=place, &other.to_string());
                // The last character of a tag has bits that carry nothing; the decoder refuses what sets them.
                assert!(forged == text || keys.verify(&forged).is_err(), "{place} {other}");
            }
        }
    }

    #[test]
    fn claims_in_another_order_are_read_as_well() {
        let [session, transport, participant] = [1, 2, 3].map(Uuid::from_u128);
        let other =
            serde_json::json!({"participantId": participant, "transportId": transport, "sessionId": session});
        let keys = keys("a", None);
        let mut text = format!(
            "{}.{}",
            keys.current.header,
            URL_SAFE_NO_PAD.encode(other.to_string())
        );
        assert!(Claims::as_written(other.to_string().as_bytes()).is_none());
        let tag = hmac::sign(&keys.current.key, text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(tag.as_ref(), &mut text);
        assert_eq!(keys.verify(&text), Ok(token([1, 2, 3])));
    }

    #[test]
    fn nothing_is_no_token() {
        for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", &"x".repeat(5_000)] {
            assert_eq!(keys("a", None).verify(text), Err(InvalidToken));
        }
    }

    proptest! {
        /// Contract rule 1.8.
        #[test]
        fn the_middle_of_a_token_decodes_with_plain_atob(bits in any::<[u128; 3]>()) {
            let keys = keys("a", None);
            let text = keys.sign(&token(bits));
            let parts: Vec<&str> = text.split('.').collect();
            prop_assert_eq!(parts.len(), 3);
            prop_assert!(!parts[1].contains(['-', '_']));
            let json: serde_json::Value = serde_json::from_slice(&STANDARD_NO_PAD.decode(parts[1]).unwrap()).unwrap();
            prop_assert_eq!(&json["sessionId"], &token(bits).session.to_string());
            prop_assert_eq!(&json["participantId"], &token(bits).participant.to_string());
            prop_assert_eq!(keys.verify(&text), Ok(token(bits)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a-zA-Z0-9._-]{0,60}\\PC{0,20}") {
            prop_assert_eq!(keys("a", None).verify(&text), Err(InvalidToken));
        }
    }
}
