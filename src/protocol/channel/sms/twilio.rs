//! Twilio: forms in, TwiML back, forms out (contract 11.2).
//!
//! `secret`: the account's auth token. `credentials`: `{"accountSid", "authToken"}`, or `apiKey` and `apiSecret` beside
//! `accountSid`. `config`: `messagingServiceSid` (sends through a service instead of from a number), `signature` (`sha1`, as
//! usual, or `sha256` for accounts that sign with a shared key).
//!
//! Twilio sends again once at most, and only if the account says so: hence the spool. Its header
//! `I-Twilio-Idempotency-Token` is not signed, so anyone could change it; the message's own id, which is signed, makes a repeat
//! recognisable. Twilio has no field for our id; it comes back in the query of the status address, which it signs.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::SecretString;
use serde::Deserialize;
use std::time::Duration;

use super::address::address;
use super::words::{links, words};
use crate::model::DeliveryStatus;
use crate::protocol::channel::fields::{Fields, is_json, message_id};
use crate::protocol::channel::outcome::{accepted, by_status};
use crate::protocol::channel::proof::{is_hmac, is_sha256, one_of, present};
use crate::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, HttpCall, Inbound, Outbound,
    Provider, Receipt, Reference, Reply, SendAnswer, Unreadable,
};
use crate::protocol::channel::{call, form};

/// Codes that are not the message's fault: the account is not active, the number's queue is full.
const NOT_ITS_FAULT: [u32; 2] = [20_005, 21_611];

/// Where it is called, and where it keeps files.
const HOST: &str = "api.twilio.com";

/// See the module.
#[derive(Debug)]
pub struct Twilio;

/// The field of the status address that brings our id back.
const OURS: &str = "ref";

/// More media than a message can have.
const MOST_MEDIA: usize = 10;

impl Provider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        let tag = present(request, account, "x-twilio-signature")?;
        let tag = STANDARD.decode(tag).map_err(|_| Forged::Wrong)?;
        let algorithm = match account.setting("signature").unwrap_or("sha1") {
            "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            "sha256" => hmac::HMAC_SHA256,
            _ => return Err(Forged::Wrong),
        };
        let signed = signed_text(request).ok_or(Forged::Wrong)?;
        let urls = with_and_without_port(request.url);
        one_of(account, |secret| {
            let fits = |url: &String| is_hmac(algorithm, secret, &[url.as_bytes(), signed.as_bytes()], &tag);
            // Not `any`: both are always tried.
            fits(&urls[0]) | fits(&urls[1])
        })
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let fields = Fields::of(request)?;
        let id = message_id(fields.first(&["MessageSid", "SmsMessageSid", "SmsSid"]))?;
        let from = fields.get("From").ok_or(Unreadable("no sender"))?;
        let from = address(from).map_err(|_| Unreadable("the sender is no address"))?;
        let media = fields
            .get("NumMedia")
            .and_then(|count| count.parse().ok())
            .unwrap_or(0);
        let attachments = (0..MOST_MEDIA.min(media)).filter_map(|index| {
            Some(Attachment {
                source: AttachmentSource::Url(fields.get(&format!("MediaUrl{index}"))?.to_owned()),
                name: None,
                mime: fields.get(&format!("MediaContentType{index}")).map(str::to_owned),
            })
        });
        Ok(vec![Callback::Message(Box::new(Inbound {
            id,
            subtype: subtype(from.as_str()).map(str::to_owned),
            automatic: !from.is_answerable(),
            from: from.into(),
            to: fields
                .get("To")
                .and_then(|to| address(to).ok())
                .map_or_else(String::new, String::from),
            nickname: fields.get("ProfileName").map(str::to_owned),
            text: fields.get("Body").unwrap_or_default().to_owned(),
            attachments: attachments.collect(),
            ..Inbound::default()
        }))])
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let fields = Fields::of(request)?;
        let sid = message_id(fields.first(&["MessageSid", "SmsSid"]))?;
        let word = fields
            .first(&["MessageStatus", "SmsStatus"])
            .ok_or(Unreadable("no status"))?;
        let code = fields.get("ErrorCode");
        let status = match word {
            // The recipient has sent STOP to this very sender.
            _ if code == Some("21610") => DeliveryStatus::OptOut,
            "accepted" | "scheduled" | "queued" | "sending" => DeliveryStatus::Queued,
            "sent" => DeliveryStatus::Sent,
            "delivered" | "partially_delivered" => DeliveryStatus::Delivered,
            "read" => DeliveryStatus::Read,
            "undelivered" => DeliveryStatus::Undelivered,
            "failed" | "canceled" => DeliveryStatus::Failed,
            "receiving" | "received" => return Ok(vec![Callback::Ignored("inbound-status")]),
            _ => return Ok(vec![Callback::Ignored("unknown-status")]),
        };
        let query = Fields::of_form(request.query.as_bytes())?;
        let reference = match query.get(OURS) {
            Some(ours) => Reference::Ours(ours.to_owned()),
            None => Reference::Theirs(sid),
        };
        let receipt = Receipt {
            reference,
            status,
            code: None,
            detail: None,
            at: None,
        };
        Ok(vec![Callback::Receipt(
            receipt.because(code, fields.get("ErrorMessage")),
        )])
    }

    fn accepted(&self) -> Reply {
        Reply {
            status: 200,
            content_type: "text/xml",
            body: Bytes::from_static(b"<Response/>"),
        }
    }

    fn hardly_retries(&self) -> bool {
        true
    }

    fn fetches_files(&self) -> bool {
        true
    }

    fn opens(&self, account: &Account, url: &str) -> Option<String> {
        let ours = call::lies_at(url, &account.origin(HOST));
        let user = user(account).filter(|_| ours);
        user.map(|(user, password)| call::basic(&user, &password))
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let sid = account
            .credential("accountSid")
            .ok_or_else(|| call::lacks("accountSid"))?;
        let (user, password) = user(account).ok_or_else(|| call::lacks("authToken"))?;
        let text = words(message, false);
        let status_url = message.status_url.as_deref().map(|url| {
            let joint = if url.contains('?') { '&' } else { '?' };
            format!("{url}{joint}{}", form::encode(&[(OURS, &message.id)]))
        });
        let mut fields = vec![("To", message.to.as_str())];
        fields.push(match account.setting("messagingServiceSid") {
            Some(service) => ("MessagingServiceSid", service),
            None => ("From", &message.from),
        });
        if !text.is_empty() {
            fields.push(("Body", &text));
        }
        fields.extend(links(message).take(MOST_MEDIA).map(|link| ("MediaUrl", link)));
        fields.extend(status_url.as_deref().map(|url| ("StatusCallback", url)));
        let sid = form::segment(secrecy::ExposeSecret::expose_secret(&sid));
        let url = format!("{}/2010-04-01/Accounts/{sid}/Messages.json", account.origin(HOST));
        Ok(call::post_form(url, call::basic(&user, &password), &fields))
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        if answer.code.is_some_and(|code| NOT_ITS_FAULT.contains(&code)) {
            return SendAnswer::Later { after: retry_after };
        }
        let why = || (answer.code.map(|code| code.to_string()), answer.message);
        by_status(status, retry_after, why).unwrap_or_else(|| accepted(answer.sid, retry_after))
    }
}

/// Who calls: a key, or the account itself.
fn user(account: &Account) -> Option<(SecretString, SecretString)> {
    let key = account.credential("apiKey").zip(account.credential("apiSecret"));
    key.or_else(|| {
        account
            .credential("accountSid")
            .zip(account.credential("authToken"))
    })
}

#[derive(Deserialize, Default)]
struct Answer {
    sid: Option<String>,
    code: Option<u32>,
    message: Option<String>,
}

/// What follows the URL in the text that is signed: the query, then the fields of a form; a JSON body is vouched for by a
/// digest in the query. `None` for a body that nothing vouches for.
fn signed_text(request: &CallbackRequest<'_>) -> Option<String> {
    let mut text = String::new();
    if !request.query.is_empty() {
        text = format!("?{}", request.query);
    }
    if request.method == "GET" {
        return Some(text);
    }
    if is_json(request) {
        let query = form::pairs(request.query.as_bytes())?;
        let mut digests = query.iter().filter(|(name, _)| name == "bodySHA256");
        let (_, digest) = digests.next()?;
        let vouched = digests.next().is_none() && is_sha256(digest, request.body);
        return vouched.then_some(text);
    }
    let mut fields = form::pairs(request.body)?;
    fields.sort_unstable();
    fields.dedup();
    for (name, value) in fields {
        text.push_str(&name);
        text.push_str(&value);
    }
    Some(text)
}

/// The URL with its port and without: which of them Twilio signs is not the same everywhere.
fn with_and_without_port(url: &str) -> [String; 2] {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let port = authority
        .rfind(':')
        .filter(|at| authority[at + 1..].bytes().all(|c| c.is_ascii_digit()));
    match port {
        Some(at) => [url.to_owned(), format!("{scheme}://{}{path}", &authority[..at])],
        None => {
            let usual = if scheme == "http" { 80 } else { 443 };
            [url.to_owned(), format!("{scheme}://{authority}:{usual}{path}")]
        }
    }
}

/// Messengers behind the same API mark their people with their name.
fn subtype(from: &str) -> Option<&'static str> {
    match from.split_once(':')?.0 {
        "whatsapp" => Some("WhatsApp"),
        "messenger" => Some("FacebookPrivate"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_added_or_taken_away() {
        let [first, second] = with_and_without_port("https://a.example/x");
        assert_eq!(
            (&*first, &*second),
            ("https://a.example/x", "https://a.example:443/x")
        );
        assert_eq!(
            with_and_without_port("http://a.example")[1],
            "http://a.example:80"
        );
        assert_eq!(
            with_and_without_port("https://a.example:8443/x:1")[1],
            "https://a.example/x:1"
        );
        assert_eq!(
            with_and_without_port("https://[::1]:8443/x")[1],
            "https://[::1]/x"
        );
        assert_eq!(with_and_without_port("https://[::1]/x")[1], "https://[::1]:443/x");
    }
}
