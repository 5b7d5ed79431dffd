//! What both Dialogflow dialects share: a Google service account, the token it is exchanged for (RFC 7523), and addresses.
//!
//! `credentials` is the service account's key file as it was downloaded: `client_email`, `private_key` (PEM),
//! `private_key_id`, `token_uri`, `project_id`; other members are passed over.

use std::time::Duration;

use bytes::Bytes;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::model::Millis;
use crate::protocol::channel::{Account, HttpCall};

use super::answer::BotFault;
use super::dialect::{AccessToken, Grant};
use super::settings;
use super::turn::Turn;

/// The part of Google's interfaces a token is for; less than the whole platform.
const SCOPE: &str = concat!("https:", "//www.googleapis.com/auth/dialogflow");
/// Where tokens are given when the key file does not say.
const TOKEN_HOST: &str = "oauth2.googleapis.com";
/// How long the claim holds; the most that is taken.
const CLAIM: Duration = Duration::from_secs(3_600);
/// A token announced for longer is asked for anew all the same.
const LONGEST: u64 = 12 * 3_600;
/// Characters of a customer's words that Dialogflow reads.
pub(super) const WORDS: usize = 256;

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: SecretString,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    project_id: Option<String>,
}

#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    scope: &'static str,
    aud: &'c str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Given {
    access_token: SecretString,
    expires_in: u64,
}

/// The request that exchanges a signed claim for a token.
pub(super) fn token_call(account: &Account, now: Millis) -> Result<HttpCall, String> {
    let service: ServiceAccount = settings::credentials(account)?;
    let usual = format!("https://{TOKEN_HOST}/token");
    let url = service.token_uri.as_deref().unwrap_or(&usual);
    let seconds = now.0 / 1_000;
    let claims = Claims {
        iss: &service.client_email,
        scope: SCOPE,
        aud: url,
        iat: seconds,
        exp: seconds + CLAIM.as_secs(),
    };
    let header = Header {
        kid: service.private_key_id.clone(),
        ..Header::new(Algorithm::RS256)
    };
    let assertion = EncodingKey::from_rsa_pem(service.private_key.expose_secret().as_bytes())
        .and_then(|key| encode(&header, &claims, &key))
        .map_err(|_| "the bot's `private_key` is not an RSA key in PEM")?;
    // Both values are of characters that a form leaves as they are, except the colons.
    let body =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    Ok(HttpCall {
        method: "POST",
        url: url.to_owned(),
        headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: Bytes::from(body),
    })
}

/// The token in the answer.
pub(super) fn token(status: u16, body: &[u8]) -> Result<AccessToken, BotFault> {
    BotFault::of_status(status)?;
    let given: Given =
        serde_json::from_slice(body).map_err(|_| BotFault::Unreadable("not a token answer"))?;
    let token = given.access_token.expose_secret();
    if token.is_empty() || !token.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        return Err(BotFault::Unreadable("not a token"));
    }
    Ok(AccessToken {
        seconds: given.expires_in.min(LONGEST),
        secret: given.access_token,
    })
}

/// The project: `config.projectId` or that of the key file.
pub(super) fn project(account: &Account) -> Result<String, String> {
    let id = match settings::text(account, "projectId") {
        Some(id) => id.to_owned(),
        None => settings::credentials::<ServiceAccount>(account)?
            .project_id
            .ok_or("neither `config.projectId` nor a `project_id` in the bot's `credentials`")?,
    };
    settings::segment("projectId", &id).map(str::to_owned)
}

/// The interface's address at a location; `global` and none have no name of their own.
pub(super) fn base(account: &Account, location: Option<&str>) -> String {
    let host = match location {
        None | Some("global") => "dialogflow.googleapis.com".to_owned(),
        Some(location) => format!("{location}-dialogflow.googleapis.com"),
    };
    settings::base(account, &host)
}

/// The language asked in: `config.languageCode`, else the customer's, else English.
pub(super) fn language<'a>(account: &'a Account, turn: &'a Turn) -> &'a str {
    settings::text(account, "languageCode")
        .or(turn.locale.as_deref())
        .unwrap_or("en")
}

/// The call of an interface with a token.
pub(super) fn authorized(
    url: String,
    grant: &Grant<'_>,
    body: &serde_json::Value,
) -> Result<HttpCall, String> {
    let token = grant.token.ok_or("no token was got for the bot")?;
    Ok(HttpCall {
        method: "POST",
        url,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", token.expose_secret())),
        ],
        body: Bytes::from(body.to_string()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
pub(super) mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use serde_json::{Map, Value, json};

    use super::*;

    /// An account with a key file of this private key.
    pub(in super::super) fn account(private_key: &str, config: Value) -> Account {
        let file = json!({"type": "service_account", "project_id": "demo-project", "private_key_id": "k1",
            "private_key": private_key, "client_email": "bot@demo-project.iam.example.com"});
        Account {
            credentials: Some(file.to_string().into()),
            config: serde_json::from_value::<Map<String, Value>>(config).unwrap(),
            ..Account::default()
        }
    }

    fn pem(key: &KeyPair) -> String {
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(key).unwrap();
        let label = "PRIVATE KEY";
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der.as_ref())
        )
    }

    #[test]
    fn a_claim_is_signed_by_the_service_account_for_an_hour() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let call = token_call(&account(&pem(&pair), json!({})), Millis(1_700_000_000_500)).unwrap();
        assert_eq!(call.url, format!("https://{TOKEN_HOST}/token"));
        let body = std::str::from_utf8(&call.body).unwrap();
        let assertion = body
            .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
            .unwrap();
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_audience(&[&call.url]);
        rules.validate_exp = false;
        let key = DecodingKey::from_rsa_der(pair.public_key().as_ref());
        let claim = decode::<Value>(assertion, &key, &rules).unwrap();
        assert_eq!(claim.header.kid.as_deref(), Some("k1"));
        assert_eq!(
            claim.claims,
            json!({"iss": "bot@demo-project.iam.example.com", "scope": SCOPE, "aud": call.url,
                "iat": 1_700_000_000_u64, "exp": 1_700_003_600_u64})
        );
    }

    #[test]
    fn a_key_file_that_is_none_is_said_without_repeating_it() {
        for credentials in [
            "plain",
            "{}",
            r#"{"client_email":"planted","private_key":"planted"}"#,
        ] {
            let account = Account {
                credentials: Some(credentials.to_owned().into()),
                ..Account::default()
            };
            let said = token_call(&account, Millis(0)).unwrap_err();
            assert!(!said.contains("planted"), "{said}");
        }
    }

    #[test]
    fn a_token_is_taken_only_where_it_can_stand_in_a_header() {
        let good = token(
            200,
            br#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#,
        )
        .unwrap();
        assert_eq!((good.secret.expose_secret(), good.seconds), ("ya29.x", 3_599));
        let long = token(200, br#"{"access_token":"t","expires_in":99999999}"#).unwrap();
        assert_eq!(long.seconds, LONGEST);
        for (status, body) in [
            (400, r#"{"error":"invalid_grant"}"#),
            (503, ""),
            (200, "{}"),
            (200, r#"{"access_token":"a\r\nb","expires_in":1}"#),
            (200, r#"{"access_token":"","expires_in":1}"#),
            (200, r#"{"access_token":"a","expires_in":-1}"#),
        ] {
            assert!(token(status, body.as_bytes()).is_err(), "{body}");
        }
    }
}
