//! Mailgun: routes that forward, parsed or raw; mails out in MIME; events in JSON (contract 11.3).
//!
//! `secret`: the HTTP webhook signing key. `credentials`: `{"apiKey"}` or the key itself. `config`: `domain` (the sending domain; else that of
//! the sender's mailbox). `url` of the account is that of `api.eu.mailgun.net` for accounts in Europe.
//!
//! Only a timestamp and a token are signed, not the mail: the token must be remembered, and the address must be kept to HTTPS. A timestamp
//! may be 300 s off. 406 ends the tries, anything else but 200 is tried again.

use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::{BufMut, Bytes, BytesMut};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::draft::{Draft, compose};
use super::form_data::FormData;
use super::head::{Head, push_field};
use super::letter::Letter;
use super::mime::{self, Block, LARGEST};
use super::sendgrid::OURS;
use crate::model::{DeliveryStatus, Millis};
use crate::protocol::channel::fields::{detail, is_json};
use crate::protocol::channel::outcome::{accepted, by_status};
use crate::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, HttpCall, Outbound, Provider,
    Receipt, Reference, Reply, SendAnswer, Unreadable, call, form, proof,
};

/// See the module.
#[derive(Debug)]
pub struct Mailgun;

impl Provider for Mailgun {
    fn name(&self) -> &'static str {
        "mailgun"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        if account
            .secrets
            .iter()
            .all(|secret| secret.expose_secret().is_empty())
        {
            return Err(Forged::NoSecret);
        }
        let seal = Seal::of(request).ok_or(Forged::Absent)?;
        let tag = proof::hex(&seal.signature).ok_or(Forged::Wrong)?;
        proof::one_of(account, |secret| {
            proof::is_hmac(
                hmac::HMAC_SHA256,
                secret,
                &[seal.timestamp.as_bytes(), seal.token.as_bytes()],
                &tag,
            )
        })?;
        proof::recent(seal.timestamp.parse().map_err(|_| Forged::Wrong)?, request.now)
    }

    fn replay_id(&self, request: &CallbackRequest<'_>) -> Option<String> {
        Seal::of(request).map(|seal| seal.token)
    }

    fn unreadable(&self) -> Reply {
        Reply::empty(406)
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let form = FormData::of(request)?;
        let mut letter = match form.field("body-mime") {
            Some(raw) => Letter {
                mime: mime::parse(&raw.value).map_err(|_| Unreadable("a mail beyond the limits"))?,
                ..Letter::default()
            },
            None => parsed(&form)?,
        };
        letter.sender = form.text_in("sender", None);
        letter.recipient = form.text("recipient");
        letter.new_words = form.text("stripped-text");
        for (check, header) in [
            ("spf", "x-mailgun-spf"),
            ("dkim", "x-mailgun-dkim-check-result"),
            ("spamScore", "x-mailgun-sscore"),
        ] {
            // Mailgun writes its headers above those of the mail.
            letter.checks.extend(
                letter
                    .mime
                    .head
                    .field(header)
                    .map(|result| (check, result.to_owned())),
            );
        }
        Ok(vec![Callback::Message(Box::new(letter.into_inbound()?))])
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let event: Event = serde_json::from_slice(request.body).map_err(|_| Unreadable("not an event"))?;
        Ok(vec![event.data.callback()])
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let key = account
            .only_credential("apiKey")
            .ok_or_else(|| call::lacks("apiKey"))?;
        let draft = Draft::of(message)?;
        let mail = compose(message)?;
        let domain = account.setting("domain").unwrap_or_else(|| draft.from.domain());
        let boundary = draft.boundary("form");
        let mut body = BytesMut::with_capacity(mail.len() + 1_024);
        for (name, value) in [("to", draft.to.as_str()), (&format!("v:{OURS}"), draft.id)] {
            body.put(
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .as_bytes(),
            );
        }
        body.put(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"message\"; filename=\"message.mime\"\r\n\
                 Content-Type: message/rfc822\r\n\r\n"
            )
            .as_bytes(),
        );
        body.put(&mail[..]);
        body.put(format!("\r\n--{boundary}--\r\n").as_bytes());
        let host = account.origin("api.mailgun.net");
        Ok(HttpCall {
            method: "POST",
            url: format!("{host}/v3/{}/messages.mime", form::segment(domain)),
            headers: vec![
                ("authorization", call::basic(&"api".to_owned().into(), &key)),
                (
                    "content-type",
                    format!("multipart/form-data; boundary=\"{boundary}\""),
                ),
                ("accept", "application/json".to_owned()),
            ],
            body: body.freeze(),
        })
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let id = answer.id.map(|id| detail(id.trim_matches(['<', '>'])));
        by_status(status, retry_after, || (None, answer.message)).unwrap_or_else(|| accepted(id, retry_after))
    }
}

#[derive(Deserialize, Default)]
struct Answer {
    id: Option<String>,
    message: Option<String>,
}

/// What shows that a callback is Mailgun's.
#[derive(Deserialize)]
struct Seal {
    timestamp: String,
    token: String,
    signature: String,
}

impl Seal {
    fn of(request: &CallbackRequest<'_>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Sealed {
            signature: Seal,
        }
        let seal = if is_json(request) {
            serde_json::from_slice::<Sealed>(request.body).ok()?.signature
        } else {
            let form = FormData::of(request).ok()?;
            Self {
                timestamp: form.text("timestamp")?,
                token: form.text("token")?,
                signature: form.text("signature")?,
            }
        };
        (seal.token.len() <= 200 && seal.timestamp.len() <= 20).then_some(seal)
    }
}

/// A mail that Mailgun has taken apart.
fn parsed(form: &FormData) -> Result<Letter, Unreadable> {
    let headers = form
        .text("message-headers")
        .ok_or(Unreadable("neither headers nor a mail"))?;
    let headers: Vec<(String, String)> =
        serde_json::from_str(&headers).map_err(|_| Unreadable("headers are no pairs"))?;
    let mut block = String::new();
    for (name, value) in &headers {
        push_field(&mut block, name, value);
    }
    block.push_str("\r\n");
    let head = Head::read(block.as_bytes(), 1_000).ok_or(Unreadable("too many headers"))?;
    let block = Block {
        text: form.text("body-plain"),
        html: form.text("body-html"),
    };
    let count: usize = form
        .text("attachment-count")
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0);
    if count > 100 {
        return Err(Unreadable("a mail beyond the limits"));
    }
    let files = (1..=count).filter_map(|number| form.field(&format!("attachment-{number}")));
    let attachments: Vec<Attachment> = files
        .map(|file| Attachment {
            source: AttachmentSource::Inline(file.value.clone()),
            name: file.file_name.clone(),
            mime: file.mime.clone(),
        })
        .collect();
    let size = |attachment: &Attachment| match &attachment.source {
        AttachmentSource::Inline(bytes) => Bytes::len(bytes),
        _ => 0,
    };
    if attachments.iter().map(size).sum::<usize>() > LARGEST {
        return Err(Unreadable("a mail beyond the limits"));
    }
    Ok(Letter::of(head, block, attachments))
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event-data")]
    data: EventData,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EventData {
    event: String,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    timestamp: Option<f64>,
    #[serde(default)]
    user_variables: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    delivery_status: Value,
}

impl EventData {
    fn callback(&self) -> Callback {
        let permanent = self.severity.as_deref() != Some("temporary");
        let status = match self.event.as_str() {
            "accepted" => DeliveryStatus::Queued,
            "delivered" => DeliveryStatus::Delivered,
            "failed" if !permanent => DeliveryStatus::Queued,
            "failed" if self.reason.as_deref() == Some("suppress-unsubscribe") => DeliveryStatus::OptOut,
            "failed" => DeliveryStatus::Bounced,
            "rejected" => DeliveryStatus::Failed,
            "opened" => DeliveryStatus::Read,
            "clicked" => DeliveryStatus::Clicked,
            "complained" => DeliveryStatus::Complaint,
            "unsubscribed" => DeliveryStatus::OptOut,
            _ => return Callback::Ignored("other-event"),
        };
        let ours = self.user_variables.get(OURS).and_then(Value::as_str);
        let theirs = self
            .message
            .pointer("/headers/message-id")
            .and_then(Value::as_str);
        let reference = match (ours, theirs) {
            (Some(ours), _) => Reference::Ours(detail(ours)),
            (None, Some(theirs)) => Reference::Theirs(detail(theirs.trim_matches(['<', '>']))),
            (None, None) => return Callback::Ignored("nothing-of-ours"),
        };
        let code = self
            .delivery_status
            .get("code")
            .and_then(Value::as_u64)
            .filter(|code| *code != 0);
        let words = ["message", "description"]
            .iter()
            .filter_map(|name| self.delivery_status.get(*name)?.as_str());
        let words = words
            .chain(self.reason.as_deref())
            .find(|words| !words.is_empty());
        let receipt = Receipt {
            reference,
            status,
            code: None,
            detail: None,
            at: self.timestamp.and_then(millis),
        };
        Callback::Receipt(receipt.because(code.map(|code| code.to_string()).as_deref(), words))
    }
}

/// Seconds with a fraction.
fn millis(seconds: f64) -> Option<Millis> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(duration.as_millis()).ok().map(Millis)
}
