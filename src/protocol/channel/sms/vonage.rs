//! Vonage (SMS API): queries, forms or JSON in, forms out (contract 11.2).
//!
//! `secret`: the signature secret. `credentials`: `{"apiKey", "apiSecret"}`. `config`: `signature`, one of `sha256` (the default),
//! `sha512`, `sha1`, `md5` (HMAC by the parameter `sig`), `md5hash` (the plain digest of old accounts) and `jwt` (a token in
//! `Authorization` whose `payload_hash` must name the very body).
//!
//! By the parameter scheme `&` and `=` in values are signed as `_`: it vouches for everything else. With a token a `GET` is not
//! believed, for nothing vouches for its query. Whatever is not answered with 200 or 204 is sent again for a day, so 204
//! answers also what nobody will ever read.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use md5::{Digest, Md5};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::address::address;
use super::segments::Encoding;
use super::words::words;
use crate::model::DeliveryStatus;
use crate::protocol::channel::fields::{Fields, detail, message_id};
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::outcome::{by_status, refused};
use crate::protocol::channel::proof::{self, is_hmac, one_of, present};
use crate::protocol::channel::{
    Account, Callback, CallbackRequest, Forged, HttpCall, Inbound, Outbound, Provider, Receipt, Reference,
    Reply, SendAnswer, Unreadable,
};
use crate::protocol::channel::{call, jwt};

/// Statuses of a part that are not the message's fault: throttled (1), wrong credentials (4), broken on their side (5), the account barred
/// (8), without credit (9), with too many connections (10), not enabled (11), a wrong signature (14).
const NOT_ITS_FAULT: [&str; 8] = ["1", "4", "5", "8", "9", "10", "11", "14"];

/// See the module.
#[derive(Debug)]
pub struct Vonage;

impl Provider for Vonage {
    fn name(&self) -> &'static str {
        "vonage"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        let scheme = account.setting("signature").unwrap_or("sha256");
        if scheme == "jwt" {
            return verify_token(request, account);
        }
        if !account
            .secrets
            .iter()
            .any(|secret| !secret.expose_secret().is_empty())
        {
            return Err(Forged::NoSecret);
        }
        let fields = Fields::of(request).map_err(|_| Forged::Wrong)?.sorted();
        let tag = fields.get("sig").ok_or(Forged::Absent)?;
        let tag = proof::hex(tag).ok_or(Forged::Wrong)?;
        let signed = signed_text(&fields).ok_or(Forged::Wrong)?;
        let signed = signed.as_bytes();
        one_of(account, |secret| match scheme {
            "sha256" => is_hmac(hmac::HMAC_SHA256, secret, &[signed], &tag),
            "sha512" => is_hmac(hmac::HMAC_SHA512, secret, &[signed], &tag),
            "sha1" => is_hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret, &[signed], &tag),
            "md5" => verify_slices_are_equal(&hmac_md5(secret, signed), &tag).is_ok(),
            "md5hash" => {
                let digest = Md5::new().chain_update(signed).chain_update(secret).finalize();
                verify_slices_are_equal(&digest, &tag).is_ok()
            }
            _ => false,
        })?;
        let seconds = fields.get("timestamp").and_then(|text| text.parse().ok());
        proof::recent(seconds.ok_or(Forged::Wrong)?, request.now)
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        callback(request)
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        callback(request)
    }

    fn replay_id(&self, request: &CallbackRequest<'_>) -> Option<String> {
        let fields = Fields::of(request).ok()?;
        let (nonce, timestamp) = (fields.get("nonce")?, fields.get("timestamp")?);
        message_id(Some(&format!("{timestamp}.{nonce}"))).ok()
    }

    fn accepted(&self) -> Reply {
        Reply::empty(204)
    }

    fn unreadable(&self) -> Reply {
        Reply::empty(204)
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let key = account
            .credential("apiKey")
            .ok_or_else(|| call::lacks("apiKey"))?;
        let secret = account
            .credential("apiSecret")
            .ok_or_else(|| call::lacks("apiSecret"))?;
        let text = words(message, true);
        let kind = match Encoding::of(&text) {
            Encoding::Gsm7 => "text",
            Encoding::Ucs2 => "unicode",
        };
        let bare = |number: &str| {
            address(number).map_or_else(|_| number.to_owned(), |known| known.digits().to_owned())
        };
        let (from, to) = (bare(&message.from), bare(&message.to));
        let mut fields = vec![
            ("from", from.as_str()),
            ("to", &to),
            ("text", &text),
            ("type", kind),
            ("client-ref", &message.id),
        ];
        if let Some(url) = &message.status_url {
            fields.extend([("status-report-req", "1"), ("callback", url.as_str())]);
        }
        let url = format!("{}/sms/json", account.origin("rest.nexmo.com"));
        Ok(call::post_form(url, call::basic(&key, &secret), &fields))
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        if let Some(answer) = by_status(status, retry_after, || (None, None)) {
            return answer;
        }
        let later = SendAnswer::Later { after: retry_after };
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
            return later;
        };
        // One entry a part. Once any part is on its way the message must not be sent again.
        let gone = answer.messages.iter().find(|part| part.status == "0");
        match (gone, answer.messages.first()) {
            (Some(part), _) => SendAnswer::Accepted {
                reference: part.id.clone(),
            },
            (None, Some(part)) if NOT_ITS_FAULT.contains(&&*part.status) => later,
            (None, Some(part)) => refused(detail(&part.status), part.words.as_deref().unwrap_or_default()),
            (None, None) => later,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    messages: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    status: String,
    #[serde(rename = "message-id")]
    id: Option<String>,
    #[serde(rename = "error-text")]
    words: Option<String>,
}

#[derive(Deserialize, Clone)]
struct Claims {
    payload_hash: String,
    iat: u64,
    exp: Option<u64>,
}

fn verify_token(request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
    let value = present(request, account, "authorization")?;
    let token = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or(Forged::Wrong)?
        .1;
    let claims: Claims = jwt::claims(token.trim(), jsonwebtoken::Algorithm::HS256, account)?;
    if request.method == "GET" || !proof::is_sha256(&claims.payload_hash, request.body) {
        return Err(Forged::Wrong);
    }
    if claims
        .exp
        .is_some_and(|exp| exp.saturating_mul(1_000) < request.now.0)
    {
        return Err(Forged::Stale);
    }
    proof::recent(claims.iat, request.now)
}

/// `&name=value` of everything but `sig`, by name. `None` where names are repeated or could stand for several.
fn signed_text(fields: &Fields<'_>) -> Option<String> {
    if fields.repeats() {
        return None;
    }
    let mut text = String::new();
    for (name, value) in fields.pairs().iter().filter(|(name, _)| name != "sig") {
        if name.contains(['&', '=']) {
            return None;
        }
        text.push('&');
        text.push_str(name);
        text.push('=');
        text.extend(
            value
                .chars()
                .map(|c| if matches!(c, '&' | '=') { '_' } else { c }),
        );
    }
    Some(text)
}

/// RFC 2104 with MD5, which the cryptography library leaves out on purpose.
fn hmac_md5(secret: &[u8], text: &[u8]) -> [u8; 16] {
    const BLOCK: usize = 64;
    let mut key = [0; BLOCK];
    let hashed = Md5::digest(secret);
    let secret = if secret.len() > BLOCK { &hashed } else { secret };
    key[..secret.len()].copy_from_slice(secret);
    let inner = Md5::new()
        .chain_update(key.map(|byte| byte ^ 0x36))
        .chain_update(text);
    let outer = Md5::new()
        .chain_update(key.map(|byte| byte ^ 0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

/// Accounts may have one address for both kinds, so either is read wherever it comes.
fn callback(request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
    let fields = Fields::of(request)?;
    let id = message_id(fields.get("messageId"))?;
    let at = fields
        .first(&["message-timestamp", "timestamp"])
        .and_then(instant);
    if let Some(word) = fields.get("status") {
        let status = match word {
            "accepted" | "buffered" => DeliveryStatus::Sent,
            "delivered" => DeliveryStatus::Delivered,
            "expired" => DeliveryStatus::Undelivered,
            "failed" | "rejected" => DeliveryStatus::Failed,
            _ => return Ok(vec![Callback::Ignored("unknown-status")]),
        };
        let reference = match fields.get("client-ref") {
            Some(ours) => Reference::Ours(ours.to_owned()),
            None => Reference::Theirs(id),
        };
        let code = fields.get("err-code").filter(|code| *code != "0");
        let receipt = Receipt {
            reference,
            status,
            code: None,
            detail: None,
            at,
        };
        return Ok(vec![Callback::Receipt(receipt.because(code, None))]);
    }
    if fields.get("type") == Some("binary") {
        return Ok(vec![Callback::Ignored("binary")]);
    }
    if !fields.has("text") {
        return Err(Unreadable("neither a text nor a status"));
    }
    let from = fields.get("msisdn").ok_or(Unreadable("no sender"))?;
    let from = address(from).map_err(|_| Unreadable("the sender is no address"))?;
    Ok(vec![Callback::Message(Box::new(Inbound {
        id,
        automatic: !from.is_answerable(),
        from: from.into(),
        to: fields
            .get("to")
            .and_then(|to| address(to).ok())
            .map_or_else(String::new, String::from),
        at,
        text: fields.get("text").unwrap_or_default().to_owned(),
        ..Inbound::default()
    }))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hmac_with_md5_is_the_one_of_rfc_2202() {
        let hex = |tag: [u8; 16]| tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac_md5(b"Jefe", b"what do ya want for nothing?")),
            "750c783e6ab0b503eaa86e310a5db738"
        );
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(hmac_md5(&[0xaa; 80], long)),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }
}
