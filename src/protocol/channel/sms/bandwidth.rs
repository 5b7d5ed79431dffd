//! Bandwidth: arrays of events in, JSON out (contract 11.2).
//!
//! `secret`: `user:password` of HTTP Basic as set on the application. `credentials`: `{"user", "password"}` of the API. `config`:
//! `accountId` and `applicationId` (needed to send).
//!
//! Every answer must come within 10 s. Whatever is not 2xx is sent again for a day, so 200 answers also what nobody will ever
//! read. Media lie at addresses of theirs that ask for the API's own Basic credentials.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::address::address;
use super::words::{links, words};
use crate::model::DeliveryStatus;
use crate::protocol::channel::fields::message_id;
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::loose::{Loose, parsed};
use crate::protocol::channel::outcome::{accepted, by_status};
use crate::protocol::channel::proof;
use crate::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, HttpCall, Inbound, Outbound,
    Provider, Receipt, Reference, Reply, SendAnswer, Unreadable,
};
use crate::protocol::channel::{call, form};

/// Where it is called, and where it keeps files.
const HOST: &str = "messaging.bandwidth.com";

/// See the module.
#[derive(Debug)]
pub struct Bandwidth;

/// More events, or files of one, than a callback has.
const MOST: usize = 500;

impl Provider for Bandwidth {
    fn name(&self) -> &'static str {
        "bandwidth"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        proof::basic(request, account)
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        callbacks(request.body)
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        callbacks(request.body)
    }

    fn unreadable(&self) -> Reply {
        Reply::empty(200)
    }

    fn fetches_files(&self) -> bool {
        true
    }

    fn opens(&self, account: &Account, url: &str) -> Option<String> {
        let ours = call::lies_at(url, &account.origin(HOST));
        let pair = account.credential("user").zip(account.credential("password"));
        pair.filter(|_| ours)
            .map(|(user, password)| call::basic(&user, &password))
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let user = account.credential("user").ok_or_else(|| call::lacks("user"))?;
        let password = account
            .credential("password")
            .ok_or_else(|| call::lacks("password"))?;
        let id = account
            .setting("accountId")
            .ok_or_else(|| call::lacks("accountId"))?;
        let application = account
            .setting("applicationId")
            .ok_or_else(|| call::lacks("applicationId"))?;
        let mut body = json!({
            "applicationId": application,
            "to": [message.to],
            "from": message.from,
            "text": words(message, false),
            "tag": message.id,
        });
        let media: Vec<&str> = links(message).collect();
        if !media.is_empty() {
            body["media"] = json!(media);
        }
        let origin = account.origin(HOST);
        let url = format!("{origin}/api/v2/users/{}/messages", form::segment(id));
        call::post_json(url, call::basic(&user, &password), &body)
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let why = || {
            (
                answer.kind.map(String::from),
                answer.description.map(String::from),
            )
        };
        by_status(status, retry_after, why)
            .unwrap_or_else(|| accepted(answer.id.map(String::from), retry_after))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    id: Option<Loose>,
    #[serde(rename = "type")]
    kind: Option<Loose>,
    description: Option<Loose>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    time: Option<String>,
    to: Option<Loose>,
    error_code: Option<Loose>,
    description: Option<String>,
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    id: Option<Loose>,
    from: Option<Loose>,
    owner: Option<Loose>,
    text: Option<String>,
    time: Option<String>,
    tag: Option<String>,
    media: Option<Vec<String>>,
}

/// One address may get all kinds, so each is read wherever it comes.
fn callbacks(body: &[u8]) -> Result<Vec<Callback>, Unreadable> {
    let events: Vec<Event> = parsed(body)?;
    if events.len() > MOST {
        return Err(Unreadable("too many events"));
    }
    let read = events.into_iter().map(|event| match &*event.kind {
        "message-received" => message(event),
        "message-sending" => receipt(event, DeliveryStatus::Sent),
        "message-delivered" => receipt(event, DeliveryStatus::Delivered),
        "message-read" => receipt(event, DeliveryStatus::Read),
        "message-failed" => receipt(event, DeliveryStatus::Failed),
        _ => Ok(Callback::Ignored("unknown-type")),
    });
    read.collect()
}

fn message(event: Event) -> Result<Callback, Unreadable> {
    let message = event.message;
    let from = message.from.ok_or(Unreadable("no sender"))?;
    let from = address(from.as_str()).map_err(|_| Unreadable("the sender is no address"))?;
    let to = message.owner.or(event.to);
    let at = message.time.or(event.time);
    let media = message.media.unwrap_or_default().into_iter().take(MOST);
    Ok(Callback::Message(Box::new(Inbound {
        id: message_id(message.id.as_ref().map(Loose::as_str))?,
        automatic: !from.is_answerable(),
        from: from.into(),
        to: to
            .and_then(|to| address(to.as_str()).ok())
            .map_or_else(String::new, String::from),
        at: at.as_deref().and_then(instant),
        text: message.text.unwrap_or_default(),
        attachments: media.map(file).collect(),
        ..Inbound::default()
    })))
}

fn file(url: String) -> Attachment {
    Attachment {
        source: AttachmentSource::Url(url),
        name: None,
        mime: None,
    }
}

fn receipt(event: Event, status: DeliveryStatus) -> Result<Callback, Unreadable> {
    let reference = match event.message.tag.filter(|tag| !tag.is_empty()) {
        Some(ours) => Reference::Ours(ours),
        None => Reference::Theirs(message_id(event.message.id.as_ref().map(Loose::as_str))?),
    };
    let receipt = Receipt {
        reference,
        status,
        code: None,
        detail: None,
        at: event.time.as_deref().and_then(instant),
    };
    let code = event.error_code.as_ref().map(Loose::as_str);
    let words = event.description.as_deref().filter(|_| status.is_failure());
    Ok(Callback::Receipt(receipt.because(code, words)))
}
