//! OAuth tokens of the authentication service (contract 1.5).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// Where tokens are asked for, below the address of the authentication service.
pub const TOKEN_PATH: &str = "/auth/v3/oauth/token";

/// The longest token, in bytes; a header must hold it.
const MAX_TOKEN: usize = 8_192;
/// A token whose life was not told lives this long.
const USUAL: Duration = Duration::from_secs(300);
/// No token is kept longer, whatever was told: 12 hours are what the service gives.
const LONGEST: Duration = Duration::from_secs(43_200);

/// `application/x-www-form-urlencoded` leaves these as they are.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How a token is asked for.
#[derive(Debug, Clone, Copy)]
pub enum TokenRequest<'a> {
    /// With our own credentials.
    ClientCredentials,
    /// With what came with the token before.
    Refresh(&'a SecretString),
}

impl TokenRequest<'_> {
    /// The body, a form.
    #[must_use]
    pub fn body(self, client_id: &str) -> String {
        let client_id = utf8_percent_encode(client_id, FORM);
        match self {
            Self::ClientCredentials => {
                format!("grant_type=client_credentials&client_id={client_id}&scope=%2A")
            }
            Self::Refresh(refresh) => format!(
                "grant_type=refresh_token&client_id={client_id}&refresh_token={}",
                utf8_percent_encode(refresh.expose_secret(), FORM)
            ),
        }
    }

    /// The value of `Authorization`: HTTP Basic, both parts form-encoded (RFC 6749 2.3.1).
    #[must_use]
    pub fn basic(client_id: &str, client_secret: &SecretString) -> SecretString {
        let pair = format!(
            "{}:{}",
            utf8_percent_encode(client_id, FORM),
            utf8_percent_encode(client_secret.expose_secret(), FORM)
        );
        SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
    }
}

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Presented as `Authorization: Bearer`.
    pub access: SecretString,
    /// Presented for the next one, where there is one.
    pub refresh: Option<SecretString>,
    /// How long it lives.
    pub lives: Duration,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The credentials, or the refresh token, are not accepted. Asking again changes nothing.
    #[error("the authentication service does not accept the credentials")]
    Refused,
    /// Not now.
    #[error("the authentication service answers {0}")]
    Unavailable(u16),
    /// The answer is no token.
    #[error("the authentication service answers something else than a token")]
    Unreadable,
}

#[derive(Deserialize)]
struct Wire {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<f64>,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// Reads the answer to a request for a token.
///
/// # Errors
/// [`TokenError`].
pub fn token(status: u16, body: &[u8]) -> Result<Token, TokenError> {
    match status {
        200 => {}
        400 | 401 | 403 => return Err(TokenError::Refused),
        other => return Err(TokenError::Unavailable(other)),
    }
    let wire: Wire = serde_json::from_slice(body).map_err(|_| TokenError::Unreadable)?;
    let bearer = wire
        .token_type
        .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !bearer || !is_token(&wire.access_token) {
        return Err(TokenError::Unreadable);
    }
    let lives = wire
        .expires_in
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(Token {
        access: SecretString::from(wire.access_token),
        refresh: wire
            .refresh_token
            .filter(|refresh| is_token(refresh))
            .map(SecretString::from),
        lives: lives.unwrap_or(USUAL).min(LONGEST),
    })
}

/// Whether it may stand in a header.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_and_the_header_are_those_of_the_contract() {
        assert_eq!(
            TokenRequest::ClientCredentials.body("nexus_client"),
            "grant_type=client_credentials&client_id=nexus_client&scope=%2A"
        );
        let basic = TokenRequest::basic("nexus_client", &SecretString::from("s3:cret"));
        assert_eq!(basic.expose_secret(), "Basic bmV4dXNfY2xpZW50OnMzJTNBY3JldA==");
    }

    #[test]
    fn a_token_comes_with_its_life_and_its_successor() {
        let token = token(
            200,
            br#"{"access_token":"abc","token_type":"bearer","expires_in":60,"refresh_token":"def","scope":"*"}"#,
        )
        .unwrap();
        assert_eq!(token.lives, Duration::from_secs(60));
        assert_eq!(token.access.expose_secret(), "abc");
        assert_eq!(token.refresh.unwrap().expose_secret(), "def");
    }

    #[test]
    fn refused_credentials_and_an_absent_service_are_told_apart() {
        assert_eq!(token(401, b"").unwrap_err(), TokenError::Refused);
        assert_eq!(token(503, b"").unwrap_err(), TokenError::Unavailable(503));
        assert_eq!(token(302, b"").unwrap_err(), TokenError::Unavailable(302));
    }

    #[test]
    fn a_token_that_would_break_a_header_is_none() {
        assert_eq!(
            token(200, b"{\"access_token\":\"a\\r\\nX: y\"}").unwrap_err(),
            TokenError::Unreadable
        );
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = token(status, &body);
        }

        #[test]
        fn any_life_is_bounded(seconds in any::<f64>()) {
            let body = serde_json::json!({"access_token": "a", "expires_in": seconds}).to_string();
            if let Ok(token) = token(200, body.as_bytes()) {
                prop_assert!(token.lives <= LONGEST);
            }
        }
    }
}
