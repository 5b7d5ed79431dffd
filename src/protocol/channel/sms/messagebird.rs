//! MessageBird: forms, JSON or queries in, JSON out (contract 11.2).
//!
//! `secret`: the signing key. `credentials`: `{"accessKey"}` or the plain key. `config`: `algorithm` (`HS256` as usual, `HS384`,
//! `HS512`).
//!
//! The token in `MessageBird-Signature-JWT` names the digests of the URL they called, query and all, and of the body; it lives
//! as long as it says, to a second. Whatever is not 2xx is sent again, so 200 answers also what nobody will ever read.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::address::address;
use super::words::words;
use crate::model::{DeliveryStatus, Millis};
use crate::protocol::channel::fields::{Fields, message_id};
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::loose::Loose;
use crate::protocol::channel::outcome::{accepted, by_status};
use crate::protocol::channel::proof::{is_sha256, present};
use crate::protocol::channel::{
    Account, Callback, CallbackRequest, Forged, HttpCall, Inbound, Outbound, Provider, Receipt, Reference,
    Reply, SendAnswer, Unreadable,
};
use crate::protocol::channel::{call, jwt};

/// See the module.
#[derive(Debug)]
pub struct MessageBird;

/// How far our clock may be from theirs.
const LEEWAY: u64 = 1_000;

const HEADER: &str = "messagebird-signature-jwt";

impl Provider for MessageBird {
    fn name(&self) -> &'static str {
        "messagebird"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        let token = present(request, account, HEADER)?;
        let algorithm =
            jwt::algorithm(account.setting("algorithm").unwrap_or("HS256")).ok_or(Forged::Wrong)?;
        let claims: Claims = jwt::claims(token, algorithm, account)?;
        let url = match request.query {
            "" => request.url.to_owned(),
            query => format!("{}?{query}", request.url),
        };
        let payload = match &claims.payload_hash {
            Some(hash) => !request.body.is_empty() && is_sha256(hash, request.body),
            None => request.body.is_empty(),
        };
        if claims.iss != "MessageBird" || !payload || !is_sha256(&claims.url_hash, url.as_bytes()) {
            return Err(Forged::Wrong);
        }
        let after = Millis(claims.nbf.saturating_mul(1_000).saturating_sub(LEEWAY));
        let until = Millis(claims.exp.saturating_mul(1_000)).plus(LEEWAY);
        if request.now < after || request.now >= until {
            Err(Forged::Stale)
        } else {
            Ok(())
        }
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let fields = fields(request)?;
        let id = message_id(fields.first(&["id", "mid", "message_id", "rid"]))?;
        let from = fields
            .first(&["originator", "sender"])
            .ok_or(Unreadable("no sender"))?;
        let from = address(from).map_err(|_| Unreadable("the sender is no address"))?;
        let to = fields.first(&["recipient", "shortcode", "receiver"]);
        let at = fields.first(&["createdDatetime", "receive_datetime", "created_at"]);
        Ok(vec![Callback::Message(Box::new(Inbound {
            id,
            automatic: !from.is_answerable(),
            from: from.into(),
            to: to
                .and_then(|to| address(to).ok())
                .map_or_else(String::new, String::from),
            at: at.and_then(instant),
            text: fields
                .first(&["body", "message", "payload"])
                .unwrap_or_default()
                .to_owned(),
            ..Inbound::default()
        }))])
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let fields = fields(request)?;
        let status = match fields.get("status").ok_or(Unreadable("no status"))? {
            "scheduled" => DeliveryStatus::Queued,
            "sent" | "buffered" => DeliveryStatus::Sent,
            "delivered" => DeliveryStatus::Delivered,
            "expired" | "delivery_failed" => DeliveryStatus::Undelivered,
            _ => return Ok(vec![Callback::Ignored("unknown-status")]),
        };
        let reference = match fields.get("reference") {
            Some(ours) => Reference::Ours(ours.to_owned()),
            None => Reference::Theirs(message_id(fields.get("id"))?),
        };
        let receipt = Receipt {
            reference,
            status,
            code: None,
            detail: None,
            at: fields.get("statusDatetime").and_then(instant),
        };
        let words = fields.get("statusReason").filter(|_| status.is_failure());
        let code = fields.get("statusErrorCode").filter(|_| status.is_failure());
        Ok(vec![Callback::Receipt(receipt.because(code, words))])
    }

    fn unreadable(&self) -> Reply {
        Reply::empty(200)
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let key = account
            .only_credential("accessKey")
            .ok_or_else(|| call::lacks("accessKey"))?;
        let bare = |number: &str| {
            address(number).map_or_else(|_| number.to_owned(), |known| known.digits().to_owned())
        };
        let mut body = json!({
            "originator": message.from,
            "recipients": [bare(&message.to)],
            "body": words(message, true),
            "reference": message.id,
            "datacoding": "auto",
        });
        if let Some(url) = &message.status_url {
            body["reportUrl"] = json!(url);
        }
        let url = format!("{}/messages", account.origin("rest.messagebird.com"));
        call::post_json(url, call::scheme("AccessKey", &key)?, &body)
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let error = answer.errors.into_iter().next().unwrap_or_default();
        let why = || (error.code.map(String::from), error.description.map(String::from));
        by_status(status, retry_after, why)
            .unwrap_or_else(|| accepted(answer.id.map(String::from), retry_after))
    }
}

#[derive(Deserialize, Clone)]
struct Claims {
    iss: String,
    nbf: u64,
    exp: u64,
    url_hash: String,
    payload_hash: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    id: Option<Loose>,
    errors: Vec<Error>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Error {
    code: Option<Loose>,
    description: Option<Loose>,
}

/// The body if there is one, else the query: the token vouches for both.
fn fields<'r>(request: &CallbackRequest<'r>) -> Result<Fields<'r>, Unreadable> {
    if request.body.is_empty() {
        Fields::of_form(request.query.as_bytes())
    } else {
        Fields::of(request)
    }
}
