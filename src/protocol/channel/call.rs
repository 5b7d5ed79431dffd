//! Requests to providers, put together: credentials where they belong, and nothing that could break a header line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::form;
use super::outbound::HttpCall;

/// The value of `authorization` for HTTP Basic.
#[must_use]
pub fn basic(user: &SecretString, password: &SecretString) -> String {
    let pair = format!("{}:{}", user.expose_secret(), password.expose_secret());
    format!("Basic {}", STANDARD.encode(pair))
}

/// A scheme and a secret as the value of a header.
///
/// # Errors
/// A secret that no header can carry.
pub fn scheme(scheme: &str, secret: &SecretString) -> Result<String, String> {
    let secret = secret.expose_secret();
    if secret.bytes().all(|c| c.is_ascii_graphic() || c == b' ') {
        Ok(format!("{scheme} {secret}"))
    } else {
        Err("the credentials hold a character that no header can carry".into())
    }
}

/// Whether an address lies at an origin, and not at one whose name only begins like it.
#[must_use]
pub fn lies_at(url: &str, origin: &str) -> bool {
    let rest = url.strip_prefix(origin.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Posts a form.
#[must_use]
pub fn post_form(url: String, authorization: String, fields: &[(&str, &str)]) -> HttpCall {
    let body = form::encode(fields);
    post(
        url,
        authorization,
        "application/x-www-form-urlencoded",
        body.into(),
    )
}

/// Posts JSON.
///
/// # Errors
/// Never for plain data.
pub fn post_json(url: String, authorization: String, body: &impl Serialize) -> Result<HttpCall, String> {
    let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
    Ok(post(url, authorization, "application/json", body.into()))
}

fn post(url: String, authorization: String, content_type: &str, body: Bytes) -> HttpCall {
    HttpCall {
        method: "POST",
        url,
        headers: vec![
            ("authorization", authorization),
            ("content-type", content_type.to_owned()),
            ("accept", "application/json".to_owned()),
        ],
        body,
    }
}

/// What the account lacks.
#[must_use]
pub fn lacks(what: &str) -> String {
    format!("the account has no `{what}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_at_an_origin_does() {
        let origin = "https://api.example.com";
        assert!(lies_at("https://api.example.com/files/1", origin));
        for other in [
            "https://api.example.com.evil.example/files/1",
            "https://api.example.com@evil.example/files/1",
            "https://api.example.com:8443/files/1",
            "http://api.example.com/files/1",
            "https://evil.example/?https://api.example.com/",
            "https://api.example.com",
        ] {
            assert!(!lies_at(other, origin), "{other}");
        }
    }

    #[test]
    fn a_secret_that_would_break_the_header_is_refused_without_being_told() {
        let refusal = scheme("App", &"planted\r\nx: y".to_owned().into()).unwrap_err();
        assert!(!refusal.contains("planted"));
        assert_eq!(scheme("App", &"k-1".to_owned().into()).as_deref(), Ok("App k-1"));
        assert_eq!(
            basic(&"u".to_owned().into(), &"p\r\n".to_owned().into()),
            "Basic dTpwDQo="
        );
    }
}
