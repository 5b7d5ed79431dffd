//! AWS Signature Version 4 over headers. Time is an argument.

use aws_lc_rs::{digest, hmac};

use crate::model::Millis;
use crate::protocol::channel::hex;

/// Who signs, and for what.
#[derive(Clone, Copy)]
pub struct SigV4<'k> {
    /// The id of the access key.
    pub access_key: &'k str,
    /// Its secret.
    pub secret_key: &'k str,
    /// The token of temporary credentials.
    pub session_token: Option<&'k str>,
    /// The region, for example `eu-west-1`.
    pub region: &'k str,
    /// The service as signatures know it, for example `lex`.
    pub service: &'k str,
}

impl std::fmt::Debug for SigV4<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigV4({}/{})", self.region, self.service)
    }
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'r> {
    /// The method.
    pub method: &'r str,
    /// The host as header `host` has it, with the port unless it is the scheme's.
    pub host: &'r str,
    /// The path as it is sent, percent-encoded.
    pub path: &'r str,
    /// The query as it is sent, percent-encoded, without `?`.
    pub query: &'r str,
    /// Other headers that are signed: names in lower case, each once.
    pub headers: &'r [(&'r str, &'r str)],
    /// The body.
    pub body: &'r [u8],
}

impl SigV4<'_> {
    /// The headers to add: `x-amz-date`, `authorization` and, with temporary credentials, `x-amz-security-token`.
    #[must_use]
    pub fn sign(&self, request: &Signed<'_>, now: Millis) -> Vec<(&'static str, String)> {
        let stamp = stamp(now);
        let day = stamp.get(..8).unwrap_or_default();
        let mut headers: Vec<(&str, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (*name, collapsed(value)))
            .chain([("host", request.host.to_owned()), ("x-amz-date", stamp.clone())])
            .chain(
                self.session_token
                    .map(|token| ("x-amz-security-token", token.to_owned())),
            )
            .collect();
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{lines}\n{names}\n{}",
            request.method,
            encoded_again(request.path),
            sorted(request.query),
            hex(digest::digest(&digest::SHA256, request.body).as_ref()),
        );
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}");
        let mut key = mac(format!("AWS4{}", self.secret_key).as_bytes(), day);
        for part in [self.region, self.service, "aws4_request"] {
            key = mac(key.as_ref(), part);
        }
        let signature = hex(mac(key.as_ref(), &to_sign).as_ref());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );
        let mut added = vec![("x-amz-date", stamp), ("authorization", authorization)];
        added.extend(
            self.session_token
                .map(|token| ("x-amz-security-token", token.to_owned())),
        );
        added
    }
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

/// A time as `20150830T123600Z`.
fn stamp(now: Millis) -> String {
    let at = i64::try_from(now.0)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A header's value without spaces around it and with one between words.
fn collapsed(value: &str) -> String {
    value
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The path with everything but slashes and unreserved characters encoded once more, as every service but S3 has it.
fn encoded_again(path: &str) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    if text.is_empty() { "/".to_owned() } else { text }
}

fn sorted(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join("&")
}

/// The signatures were computed by botocore for the same requests; the first is also in the published test suite.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use super::*;

    /// 2015-08-30T12:36:00Z.
    const NOW: Millis = Millis(1_440_938_160_000);
    const SIGNER: SigV4<'_> = SigV4 {
        access_key: "AKIDEXAMPLE",
        secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        service: "service",
    };
    const GET: Signed<'_> = Signed {
        method: "GET",
        host: "example.amazonaws.com",
        path: "/",
        query: "",
        headers: &[],
        body: b"",
    };

    fn check(signer: &SigV4<'_>, request: &Signed<'_>, names: &str, signature: &str) {
        let added = signer.sign(request, NOW);
        let (_, authorization) = added.iter().find(|(name, _)| *name == "authorization").unwrap();
        let (_, parts) = authorization.split_once("SignedHeaders=").unwrap();
        assert_eq!(parts, format!("{names}, Signature={signature}"));
        assert!(added.contains(&("x-amz-date", "20150830T123600Z".to_owned())));
    }

    #[test]
    fn plain_requests_have_the_published_signatures() {
        let names = "host;x-amz-date";
        check(
            &SIGNER,
            &GET,
            names,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        );
        let query = Signed {
            query: "Param2=value2&Param1=value1",
            ..GET
        };
        check(
            &SIGNER,
            &query,
            names,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        let encoded = Signed {
            path: "/%E1%88%B4",
            ..GET
        };
        check(
            &SIGNER,
            &encoded,
            names,
            "697b34846207a3f72246f99d74ae1ee4fe54f44bb06730c58a0d339eb079596d",
        );
    }

    #[test]
    fn headers_and_bodies_are_part_of_the_signature() {
        let form = Signed {
            method: "POST",
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: b"Param1=value1",
            ..GET
        };
        let signature = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        check(&SIGNER, &form, "content-type;host;x-amz-date", signature);
        let spaced = Signed {
            headers: &[("my-header2", "x"), ("my-header1", " a   b   c ")],
            ..GET
        };
        let signature = "66042f0960e417758148ecec6e2779c9f1dcc2aaad2cb8031f668b303a661184";
        check(
            &SIGNER,
            &spaced,
            "host;my-header1;my-header2;x-amz-date",
            signature,
        );
    }

    #[test]
    fn lex_is_called_with_temporary_credentials_too() {
        let signer = SigV4 {
            session_token: Some("AQoDYXdzEPT//////////wEXAMPLE"),
            region: "eu-west-1",
            service: "lex",
            ..SIGNER
        };
        let request = Signed {
            method: "POST",
            host: "runtime-v2-lex.eu-west-1.amazonaws.com",
            path: "/bots/ABCDEFGHIJ/botAliases/TSTALIASID/botLocales/en_US/sessions/018bcfe5-6800-7000-8000-000000000001/text",
            headers: &[("content-type", "application/json")],
            body: br#"{"text":"hello"}"#,
            ..GET
        };
        let names = "content-type;host;x-amz-date;x-amz-security-token";
        check(
            &signer,
            &request,
            names,
            "c44634b01f0adb4922f71df2d04be87bce0e5f3f70a183b9120a5ed79eb478e9",
        );
        let local = Signed {
            host: "localhost:8443",
            path: "/bots/A%20B/text",
            body: b"{}",
            ..request
        };
        let signer = SigV4 {
            session_token: None,
            ..signer
        };
        let names = "content-type;host;x-amz-date";
        check(
            &signer,
            &local,
            names,
            "8fb732c461902e82b34c647b5f13bebc15f943a7cf1aee3183587d3e45ea0d6b",
        );
        assert!(!format!("{signer:?}").contains("wJalr"));
    }
}
