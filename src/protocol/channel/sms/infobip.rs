//! Infobip: JSON in and out (contract 11.2).
//!
//! `secret`: `user:password` of HTTP Basic, or the value of a header. `credentials`: `{"apiKey"}` or the plain key. `url`: the
//! account's own address. `config`: `auth` (`basic`, as usual, or `header`) and `header` (its name, `x-api-key` as usual).
//!
//! Whatever is not 2xx is sent again, so 200 answers also what nobody will ever read.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::address::address;
use super::words::words;
use crate::model::DeliveryStatus;
use crate::protocol::channel::call;
use crate::protocol::channel::fields::message_id;
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::loose::{Loose, parsed};
use crate::protocol::channel::outcome::{accepted, by_status, refused};
use crate::protocol::channel::proof;
use crate::protocol::channel::{
    Account, Callback, CallbackRequest, Forged, HttpCall, Inbound, Outbound, Provider, Receipt, Reference,
    Reply, SendAnswer, Unreadable,
};

/// See the module.
#[derive(Debug)]
pub struct Infobip;

/// More results than a callback has; a hundred is what is documented.
const MOST: usize = 500;

impl Provider for Infobip {
    fn name(&self) -> &'static str {
        "infobip"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        match account.setting("auth").unwrap_or("basic") {
            "basic" => proof::basic(request, account),
            "header" => proof::header(request, account, account.setting("header").unwrap_or("x-api-key")),
            _ => Err(Forged::Wrong),
        }
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let results: Results<Message> = parsed(request.body)?;
        bounded(&results.results)?;
        results.results.into_iter().map(message).collect()
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let results: Results<Report> = parsed(request.body)?;
        bounded(&results.results)?;
        results.results.into_iter().map(receipt).collect()
    }

    fn unreadable(&self) -> Reply {
        Reply::empty(200)
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let key = account
            .only_credential("apiKey")
            .ok_or_else(|| call::lacks("apiKey"))?;
        let bare = |number: &str| {
            address(number).map_or_else(|_| number.to_owned(), |known| known.digits().to_owned())
        };
        let mut entry = json!({
            "sender": bare(&message.from),
            "destinations": [{"to": bare(&message.to), "messageId": message.id}],
            "content": {"text": words(message, true)},
        });
        if let Some(url) = &message.status_url {
            entry["webhooks"] = json!({
                "delivery": {"url": url},
                "contentType": "application/json",
                "callbackData": message.id,
            });
        }
        let url = format!("{}/sms/3/messages", account.origin("api.infobip.com"));
        call::post_json(url, call::scheme("App", &key)?, &json!({"messages": [entry]}))
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let error = answer.error.map(|error| error.exception).unwrap_or_default();
        let why = || (error.id.map(String::from), error.text.map(String::from));
        if let Some(answer) = by_status(status, retry_after, why) {
            return answer;
        }
        match answer.messages.into_iter().next() {
            Some(Sent {
                status: Some(state), ..
            }) if state.is("REJECTED") => refused(String::from(state.name), &String::from(state.description)),
            Some(sent) => accepted(sent.id.map(String::from), retry_after),
            None => accepted(None, retry_after),
        }
    }
}

#[derive(Deserialize)]
struct Results<T> {
    results: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: Option<Loose>,
    from: Option<Loose>,
    to: Option<Loose>,
    text: Option<String>,
    clean_text: Option<String>,
    received_at: Option<Loose>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    message_id: Option<Loose>,
    callback_data: Option<String>,
    done_at: Option<Loose>,
    status: State,
    error: Option<State>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct State {
    group_name: Loose,
    name: Loose,
    description: Loose,
}

impl State {
    fn is(&self, group: &str) -> bool {
        self.group_name.as_str() == group
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    messages: Vec<Sent>,
    #[serde(rename = "requestError")]
    error: Option<RequestError>,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "messageId")]
    id: Option<Loose>,
    status: Option<State>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RequestError {
    #[serde(rename = "serviceException")]
    exception: Exception,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Exception {
    #[serde(rename = "messageId")]
    id: Option<Loose>,
    text: Option<Loose>,
}

fn bounded<T>(results: &[T]) -> Result<(), Unreadable> {
    if results.len() > MOST {
        Err(Unreadable("too many results"))
    } else {
        Ok(())
    }
}

fn message(message: Message) -> Result<Callback, Unreadable> {
    let from = message.from.ok_or(Unreadable("no sender"))?;
    let from = address(from.as_str()).map_err(|_| Unreadable("the sender is no address"))?;
    Ok(Callback::Message(Box::new(Inbound {
        id: message_id(message.message_id.as_ref().map(Loose::as_str))?,
        automatic: !from.is_answerable(),
        from: from.into(),
        to: message
            .to
            .and_then(|to| address(to.as_str()).ok())
            .map_or_else(String::new, String::from),
        at: message.received_at.and_then(|at| instant(at.as_str())),
        // `cleanText` lacks the keyword, which may be all that the customer wrote.
        text: message.text.or(message.clean_text).unwrap_or_default(),
        ..Inbound::default()
    })))
}

fn receipt(report: Report) -> Result<Callback, Unreadable> {
    let status = match (report.status.group_name.as_str(), report.status.name.as_str()) {
        (_, "DELIVERED_TO_OPERATOR" | "PENDING_ENROUTE") => DeliveryStatus::Sent,
        ("PENDING" | "ACCEPTED", _) => DeliveryStatus::Queued,
        ("DELIVERED", _) => DeliveryStatus::Delivered,
        ("SEEN", _) => DeliveryStatus::Read,
        ("UNDELIVERABLE" | "EXPIRED", _) => DeliveryStatus::Undelivered,
        ("REJECTED", _) => DeliveryStatus::Failed,
        _ => return Ok(Callback::Ignored("unknown-status")),
    };
    let reference = match report.callback_data.filter(|data| !data.is_empty()) {
        Some(ours) => Reference::Ours(ours),
        None => Reference::Theirs(message_id(report.message_id.as_ref().map(Loose::as_str))?),
    };
    let error = report
        .error
        .filter(|error| !["", "NO_ERROR"].contains(&error.name.as_str()));
    let receipt = Receipt {
        reference,
        status,
        code: None,
        detail: None,
        at: report.done_at.and_then(|at| instant(at.as_str())),
    };
    Ok(Callback::Receipt(match error {
        Some(error) => receipt.because(Some(error.name.as_str()), Some(error.description.as_str())),
        None if status.is_failure() => receipt.because(
            Some(report.status.name.as_str()),
            Some(report.status.description.as_str()),
        ),
        None => receipt,
    }))
}
