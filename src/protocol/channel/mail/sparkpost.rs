//! SparkPost: relayed mails and events in batches of JSON, mails out as transmissions (contract 11.3).
//!
//! `secret`: for relay webhooks the `auth_token`, which comes in `X-MessageSystems-Webhook-Token`; for event webhooks `user:password` of Basic;
//! the two may stand beside each other. Nothing is signed. `credentials`: `{"apiKey"}` or the key itself. `config`: `ipPool`, `subaccount`,
//! `campaignId`. `url` of the account is that of `api.eu.sparkpost.com` for accounts in Europe.
//!
//! Only 200 is success; a batch that is not taken is sent again for eight hours. One mail of a batch that is beyond the limits must therefore
//! not keep the others out: it is counted and left.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::header::HeaderValue;
use super::letter::Letter;
use super::mime;
use super::sendgrid::OURS;
use crate::model::DeliveryStatus;
use crate::protocol::channel::fields::detail;
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::outcome::{accepted, by_status};
use crate::protocol::channel::{
    Account, Callback, CallbackRequest, Forged, HttpCall, Outbound, Provider, Receipt, Reference, SendAnswer,
    Unreadable, call, proof,
};

/// See the module.
#[derive(Debug)]
pub struct SparkPost;

const TOKEN: &str = "x-messagesystems-webhook-token";
/// Entries of one batch.
const MOST_ENTRIES: usize = 10_000;

impl Provider for SparkPost {
    fn name(&self) -> &'static str {
        "sparkpost"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        if request.header(TOKEN).is_some() {
            proof::header(request, account, TOKEN)
        } else {
            proof::basic(request, account)
        }
    }

    fn replay_id(&self, request: &CallbackRequest<'_>) -> Option<String> {
        request
            .header("x-messagesystems-batch-id")
            .filter(|id| (1..=200).contains(&id.len()))
            .map(str::to_owned)
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        entries(request)?.iter().map(relayed).collect()
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        Ok(entries(request)?.iter().map(event).collect())
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let key = account
            .only_credential("apiKey")
            .ok_or_else(|| call::lacks("apiKey"))?;
        let key = HeaderValue::new(key.expose_secret()).map_err(|_| "the key is none")?;
        let draft = Draft::of(message)?;
        let mut from = json!({ "email": draft.from.as_str() });
        if let Some(name) = &draft.from_name {
            from["name"] = name.as_str().into();
        }
        let headers: Map<String, Value> = draft
            .more_headers()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let mut content = json!({ "from": from, "subject": draft.subject.as_str(), "text": draft.text, "headers": headers });
        if let Some(html) = draft.html {
            content["html"] = html.into();
        }
        if let Some(reply_to) = &draft.reply_to {
            content["reply_to"] = reply_to.as_str().into();
        }
        if !draft.files.is_empty() {
            let files = draft.files.iter().map(|(name, kind, bytes)| {
                json!({ "name": name.as_str(), "type": kind.as_str(), "data": STANDARD.encode(bytes) })
            });
            content["attachments"] = files.collect();
        }
        // What people write in braces is text and no template.
        let mut options = json!({ "transactional": true, "perform_substitutions": false });
        if let Some(pool) = account.setting("ipPool") {
            options["ip_pool"] = pool.into();
        }
        let mut body = json!({
            "content": content,
            "recipients": [{ "address": { "email": draft.to.as_str() } }],
            "metadata": { OURS: draft.id },
            "options": options,
        });
        if let Some(campaign) = account.setting("campaignId") {
            body["campaign_id"] = campaign.into();
        }
        let url = format!("{}/api/v1/transmissions", account.origin("api.sparkpost.com"));
        let mut request = call::post_json(url, key.into(), &body)?;
        if let Some(subaccount) = account.setting("subaccount") {
            let subaccount = HeaderValue::new(subaccount).map_err(|_| "the subaccount is none")?;
            request.headers.push(("x-msys-subaccount", subaccount.into()));
        }
        Ok(request)
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        // The sending limit of the hour or the day.
        if status == 420 {
            return SendAnswer::Later { after: retry_after };
        }
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let error = answer.errors.into_iter().next().unwrap_or_default();
        let why = || (error.code, error.description.or(error.message));
        let id = answer.results.and_then(|results| results.id);
        by_status(status, retry_after, why).unwrap_or_else(|| accepted(id.map(|id| detail(&id)), retry_after))
    }
}

#[derive(Deserialize, Default)]
struct Answer {
    results: Option<Results>,
    #[serde(default)]
    errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
struct Results {
    id: Option<String>,
}

#[derive(Deserialize, Default)]
struct AnswerError {
    code: Option<String>,
    message: Option<String>,
    description: Option<String>,
}

/// What a batch holds: kind and content of each entry. An empty entry is a ping.
fn entries(request: &CallbackRequest<'_>) -> Result<Vec<(String, Value)>, Unreadable> {
    #[derive(Deserialize)]
    struct Entry {
        msys: Map<String, Value>,
    }
    let entries: Vec<Entry> = serde_json::from_slice(request.body).map_err(|_| Unreadable("not a batch"))?;
    if entries.len() > MOST_ENTRIES {
        return Err(Unreadable("too large a batch"));
    }
    Ok(entries
        .into_iter()
        .filter_map(|entry| entry.msys.into_iter().next())
        .collect())
}

#[derive(Deserialize)]
struct Relayed {
    content: Content,
    msg_from: Option<String>,
    rcpt_to: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    email_rfc822: String,
    #[serde(default)]
    email_rfc822_is_base64: bool,
}

fn relayed((kind, entry): &(String, Value)) -> Result<Callback, Unreadable> {
    if kind != "relay_message" {
        return Ok(Callback::Ignored("no-mail"));
    }
    let Ok(entry) = Relayed::deserialize(entry) else {
        return Ok(Callback::Ignored("unreadable-mail"));
    };
    let raw = match entry.content.email_rfc822_is_base64 {
        true => STANDARD.decode(entry.content.email_rfc822).unwrap_or_default(),
        false => entry.content.email_rfc822.into_bytes(),
    };
    let Ok(mime) = mime::parse(&raw) else {
        return Ok(Callback::Ignored("mail-beyond-limits"));
    };
    let letter = Letter {
        mime,
        sender: entry.msg_from,
        recipient: entry.rcpt_to,
        ..Letter::default()
    };
    Ok(letter
        .into_inbound()
        .map_or(Callback::Ignored("unreadable-mail"), |inbound| {
            Callback::Message(Box::new(inbound))
        }))
}

fn event((_, event): &(String, Value)) -> Callback {
    let text = |name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let class = text("bounce_class").unwrap_or_default();
    let status = match (text("type").unwrap_or_default(), class) {
        ("bounce" | "out_of_band", "60" | "100" | "80") => return Callback::Ignored("auto-reply"),
        ("bounce" | "out_of_band", "90") | ("list_unsubscribe" | "link_unsubscribe", _) => {
            DeliveryStatus::OptOut
        }
        ("bounce" | "out_of_band", _) => DeliveryStatus::Bounced,
        ("injection" | "delay", _) => DeliveryStatus::Queued,
        ("delivery", _) => DeliveryStatus::Delivered,
        ("open" | "initial_open" | "amp_open" | "amp_initial_open", _) => DeliveryStatus::Read,
        ("click" | "amp_click", _) => DeliveryStatus::Clicked,
        ("spam_complaint", _) => DeliveryStatus::Complaint,
        ("policy_rejection" | "generation_failure" | "generation_rejection", _) => DeliveryStatus::Failed,
        _ => return Callback::Ignored("other-event"),
    };
    let ours = event.get("rcpt_meta").and_then(|meta| meta.get(OURS)?.as_str());
    let reference = match (ours, text("transmission_id")) {
        (Some(ours), _) => Reference::Ours(detail(ours)),
        (None, Some(theirs)) => Reference::Theirs(detail(theirs)),
        (None, None) => return Callback::Ignored("nothing-of-ours"),
    };
    let at = event.get("timestamp").and_then(|at| match at {
        Value::String(text) => instant(text),
        Value::Number(number) => instant(&number.to_string()),
        _ => None,
    });
    let receipt = Receipt {
        reference,
        status,
        code: None,
        detail: None,
        at,
    };
    Callback::Receipt(receipt.because(text("error_code"), text("reason").or_else(|| text("raw_reason"))))
}
