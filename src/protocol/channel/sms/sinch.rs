//! Sinch SMS: JSON in and out (contract 11.2).
//!
//! `secret`: `user:password` of HTTP Basic, the value of a header, or the key of their HMAC. `credentials`: `{"apiToken"}` or the
//! plain token. `config`: `servicePlanId` (needed to send), `region` (`us` as usual), `auth` (`basic` as usual, `header` or
//! `hmac`) and `header` (its name, `authorization` as usual).
//!
//! The HMAC is over body, nonce and time, joined by dots. They send again on 5xx and 429 and stop at any other 4xx.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::address::address;
use super::words::words;
use crate::model::DeliveryStatus;
use crate::protocol::channel::fields::message_id;
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::loose::{Loose, parsed};
use crate::protocol::channel::outcome::{accepted, by_status};
use crate::protocol::channel::proof;
use crate::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, HttpCall, Inbound, Outbound,
    Provider, Receipt, Reference, SendAnswer, Unreadable,
};
use crate::protocol::channel::{call, form};

/// See the module.
#[derive(Debug)]
pub struct Sinch;

/// More files or recipients than a callback about one message has.
const MOST: usize = 100;

impl Provider for Sinch {
    fn name(&self) -> &'static str {
        "sinch"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        match account.setting("auth").unwrap_or("basic") {
            "basic" => proof::basic(request, account),
            "header" => proof::header(
                request,
                account,
                account.setting("header").unwrap_or("authorization"),
            ),
            "hmac" => {
                let tag = proof::present(request, account, "x-sinch-webhook-signature")?;
                let tag = STANDARD.decode(tag).map_err(|_| Forged::Wrong)?;
                let header = |name| request.header(name).ok_or(Forged::Absent);
                let nonce = header("x-sinch-webhook-signature-nonce")?;
                let time = header("x-sinch-webhook-signature-timestamp")?;
                let signed: [&[u8]; 5] = [request.body, b".", nonce.as_bytes(), b".", time.as_bytes()];
                proof::one_of(account, |secret| {
                    proof::is_hmac(hmac::HMAC_SHA256, secret, &signed, &tag)
                })?;
                proof::recent(time.parse().map_err(|_| Forged::Wrong)?, request.now)
            }
            _ => Err(Forged::Wrong),
        }
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        callback(request.body)
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        callback(request.body)
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let token = account
            .only_credential("apiToken")
            .ok_or_else(|| call::lacks("apiToken"))?;
        let plan = account
            .setting("servicePlanId")
            .ok_or_else(|| call::lacks("servicePlanId"))?;
        let region = account.setting("region").unwrap_or("us");
        if !region.bytes().all(|c| c.is_ascii_alphanumeric()) {
            return Err("`region` is not a region".into());
        }
        let mut body = json!({
            "from": message.from,
            "to": [message.to],
            "body": words(message, true),
            "delivery_report": "per_recipient",
            "client_reference": message.id,
        });
        if let Some(url) = &message.status_url {
            body["callback_url"] = json!(url);
        }
        let origin = account.origin(&format!("{region}.sms.api.sinch.com"));
        let url = format!("{origin}/xms/v1/{}/batches", form::segment(plan));
        call::post_json(url, call::scheme("Bearer", &token)?, &body)
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let why = || (answer.code.map(String::from), answer.text.map(String::from));
        by_status(status, retry_after, why)
            .unwrap_or_else(|| accepted(answer.id.map(String::from), retry_after))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    id: Option<Loose>,
    code: Option<Loose>,
    text: Option<Loose>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    id: Option<Loose>,
    from: Option<Loose>,
    to: Option<Loose>,
    #[serde(default)]
    body: Value,
    received_at: Option<String>,
    sent_at: Option<String>,
    batch_id: Option<Loose>,
    client_reference: Option<String>,
    status: Option<String>,
    code: Option<Loose>,
    at: Option<String>,
    #[serde(default)]
    statuses: Vec<Summary>,
}

#[derive(Deserialize)]
struct Summary {
    status: String,
    code: Option<Loose>,
}

/// One address may get both kinds, so either is read wherever it comes.
fn callback(body: &[u8]) -> Result<Vec<Callback>, Unreadable> {
    let event: Event = parsed(body)?;
    match &*event.kind {
        "mo_text" | "mo_media" => message(event).map(|message| vec![message]),
        "recipient_delivery_report_sms" | "recipient_delivery_report_mms" => {
            let status = event.status.as_deref().ok_or(Unreadable("no status"))?;
            Ok(vec![receipt(&event, status, event.code.as_ref())?])
        }
        // About a batch; ours have one recipient each.
        "delivery_report_sms" | "delivery_report_mms" => {
            let summaries = event.statuses.iter().take(MOST);
            summaries
                .map(|summary| receipt(&event, &summary.status, summary.code.as_ref()))
                .collect()
        }
        "mo_binary" => Ok(vec![Callback::Ignored("binary")]),
        _ => Ok(vec![Callback::Ignored("unknown-type")]),
    }
}

fn message(event: Event) -> Result<Callback, Unreadable> {
    let from = event.from.ok_or(Unreadable("no sender"))?;
    let from = address(from.as_str()).map_err(|_| Unreadable("the sender is no address"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let media = event
        .body
        .get("media")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let attachments = media.iter().take(MOST).filter_map(|file| {
        Some(Attachment {
            source: AttachmentSource::Url(file.get("url")?.as_str()?.to_owned()),
            name: None,
            mime: file
                .get("content_type")
                .and_then(Value::as_str)
                .map(str::to_owned),
        })
    });
    let at = event.sent_at.or(event.received_at);
    Ok(Callback::Message(Box::new(Inbound {
        id: message_id(event.id.as_ref().map(Loose::as_str))?,
        automatic: !from.is_answerable(),
        from: from.into(),
        to: event
            .to
            .and_then(|to| address(to.as_str()).ok())
            .map_or_else(String::new, String::from),
        at: at.as_deref().and_then(instant),
        text: match &event.body {
            Value::Object(body) => body.get("message").map(text).unwrap_or_default(),
            body => text(body),
        },
        subject: event
            .body
            .get("subject")
            .map(text)
            .filter(|subject| !subject.is_empty()),
        attachments: attachments.collect(),
        ..Inbound::default()
    })))
}

fn receipt(event: &Event, word: &str, code: Option<&Loose>) -> Result<Callback, Unreadable> {
    let status = match word {
        "Queued" => DeliveryStatus::Queued,
        "Dispatched" => DeliveryStatus::Sent,
        "Delivered" => DeliveryStatus::Delivered,
        "Aborted" | "Cancelled" | "Rejected" => DeliveryStatus::Failed,
        "Deleted" | "Failed" | "Expired" => DeliveryStatus::Undelivered,
        _ => return Ok(Callback::Ignored("unknown-status")),
    };
    let reference = match event.client_reference.as_deref().filter(|ours| !ours.is_empty()) {
        Some(ours) => Reference::Ours(ours.to_owned()),
        None => Reference::Theirs(message_id(event.batch_id.as_ref().map(Loose::as_str))?),
    };
    let receipt = Receipt {
        reference,
        status,
        code: None,
        detail: None,
        at: event.at.as_deref().and_then(instant),
    };
    let code = code.filter(|_| status.is_failure()).map(Loose::as_str);
    Ok(Callback::Receipt(receipt.because(code, code.map(|_| word))))
}
