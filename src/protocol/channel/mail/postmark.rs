//! Postmark: mails in and events in JSON, with the raw mail beside it where the server is set so (contract 11.3).
//!
//! `secret`: `user:password` of an address of the form `https://user:password@…`; nothing is signed. `credentials`: `{"serverToken"}` or the
//! token itself. `config`: `messageStream` (else `outbound`).
//!
//! 403 ends the tries, anything else but 200 is tried ten times over about ten hours. A wrong password is therefore answered with 401: the
//! operator may mend it before mails are lost.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::draft::Draft;
use super::head::{Head, push_field};
use super::header::HeaderValue;
use super::letter::Letter;
use super::mime::{self, Block, LARGEST};
use super::sendgrid::OURS;
use crate::model::DeliveryStatus;
use crate::protocol::channel::fields::detail;
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::outcome::{accepted, by_status, refused};
use crate::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, HttpCall, Outbound, Provider,
    Receipt, Reference, Reply, SendAnswer, Unreadable, call, proof,
};

/// Codes that are not the mail's fault: maintenance, an account that may not send or has no credit left.
const NOT_ITS_FAULT: [u32; 3] = [100, 405, 412];

/// See the module.
#[derive(Debug)]
pub struct Postmark;

impl Provider for Postmark {
    fn name(&self) -> &'static str {
        "postmark"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        proof::basic(request, account)
    }

    fn forged(&self) -> Reply {
        Reply::empty(401)
    }

    fn unreadable(&self) -> Reply {
        Reply::empty(403)
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let mail: Mail =
            serde_json::from_slice(request.body).map_err(|_| Unreadable("not a mail in json"))?;
        let mut letter = match &mail.raw_email {
            Some(raw) => Letter {
                mime: mime::parse(raw.as_bytes()).map_err(|_| Unreadable("a mail beyond the limits"))?,
                ..Letter::default()
            },
            None => mail.parsed()?,
        };
        let spf = mail
            .header("received-spf")
            .map(|value| value.split(' ').next().unwrap_or(value).to_owned());
        letter.checks.extend(spf.map(|spf| ("spf", spf)));
        letter.checks.extend(
            mail.header("x-spam-score")
                .map(|score| ("spamScore", score.to_owned())),
        );
        let first = mail
            .headers
            .first()
            .filter(|field| field.name.eq_ignore_ascii_case("return-path"));
        letter.sender = first.map(|field| field.value.trim_matches(['<', '>', ' ']).to_owned());
        letter.recipient = mail.original_recipient;
        letter.new_words = mail.stripped_text_reply;
        letter.id = Some(mail.message_id);
        Ok(vec![Callback::Message(Box::new(letter.into_inbound()?))])
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let event: Event = serde_json::from_slice(request.body).map_err(|_| Unreadable("not an event"))?;
        Ok(vec![event.callback()])
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let token = account
            .only_credential("serverToken")
            .ok_or_else(|| call::lacks("serverToken"))?;
        let token = HeaderValue::new(token.expose_secret()).map_err(|_| "the server token is none")?;
        let draft = Draft::of(message)?;
        let mut headers: Vec<Value> = draft
            .more_headers()
            .into_iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        headers.push(json!({ "Name": "X-PM-KeepID", "Value": "true" }));
        let mut body = json!({
            "From": draft.sender(),
            "To": draft.to.as_str(),
            "Subject": draft.subject.as_str(),
            "TextBody": draft.text,
            "Headers": headers,
            "Metadata": { OURS: draft.id },
            "MessageStream": account.setting("messageStream").unwrap_or("outbound"),
        });
        if let Some(html) = draft.html {
            body["HtmlBody"] = html.into();
        }
        if let Some(reply_to) = &draft.reply_to {
            body["ReplyTo"] = reply_to.as_str().into();
        }
        if !draft.files.is_empty() {
            let files = draft.files.iter().map(|(name, kind, bytes)| {
                json!({ "Name": name.as_str(), "Content": STANDARD.encode(bytes), "ContentType": kind.as_str() })
            });
            body["Attachments"] = files.collect();
        }
        Ok(HttpCall {
            method: "POST",
            url: format!("{}/email", account.origin("api.postmarkapp.com")),
            headers: vec![
                ("x-postmark-server-token", token.into()),
                ("content-type", "application/json".to_owned()),
                ("accept", "application/json".to_owned()),
            ],
            body: serde_json::to_vec(&body)
                .map_err(|error| error.to_string())?
                .into(),
        })
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        if answer.code.is_some_and(|code| NOT_ITS_FAULT.contains(&code)) {
            return SendAnswer::Later { after: retry_after };
        }
        let code = answer.code.filter(|code| *code != 0).map(|code| code.to_string());
        if (200..300).contains(&status)
            && let Some(code) = code
        {
            return refused(code, &answer.message.unwrap_or_default());
        }
        let id = answer.message_id.map(|id| detail(&id));
        by_status(status, retry_after, || (code, answer.message)).unwrap_or_else(|| accepted(id, retry_after))
    }
}

#[derive(Deserialize, Default)]
struct Answer {
    #[serde(rename = "ErrorCode")]
    code: Option<u32>,
    #[serde(rename = "Message")]
    message: Option<String>,
    #[serde(rename = "MessageID")]
    message_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mail {
    #[serde(rename = "MessageID")]
    message_id: String,
    #[serde(default)]
    from_full: Option<Person>,
    #[serde(default)]
    to_full: Vec<Person>,
    #[serde(default)]
    cc_full: Vec<Person>,
    #[serde(default)]
    reply_to: Option<String>,
    #[serde(default)]
    original_recipient: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    date: Option<String>,
    #[serde(default)]
    text_body: Option<String>,
    #[serde(default)]
    html_body: Option<String>,
    #[serde(default)]
    stripped_text_reply: Option<String>,
    #[serde(default)]
    raw_email: Option<String>,
    #[serde(default)]
    headers: Vec<Field>,
    #[serde(default)]
    attachments: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Person {
    email: String,
    #[serde(default)]
    name: Option<String>,
}

impl Person {
    fn written(&self) -> String {
        let name = self
            .name
            .as_deref()
            .unwrap_or_default()
            .replace(['"', '\\', '\r', '\n'], "");
        format!("\"{name}\" <{}>", self.email)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Field {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    #[serde(default)]
    name: Option<String>,
    // Test payloads of the settings page say `Data`.
    #[serde(default, alias = "Data")]
    content: String,
    #[serde(default)]
    content_type: Option<String>,
}

impl Mail {
    fn header(&self, name: &str) -> Option<&str> {
        let field = self
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(field.value.as_str()).filter(|value| !value.is_empty())
    }

    /// A mail that Postmark has taken apart: the headers it has made fields of are put back.
    fn parsed(&self) -> Result<Letter, Unreadable> {
        let mut block = String::new();
        let mut push = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty() && self.header(name).is_none()) {
                push_field(&mut block, name, &value);
            }
        };
        let list =
            |people: &[Person]| Some(people.iter().map(Person::written).collect::<Vec<_>>().join(", "));
        push("From", self.from_full.as_ref().map(Person::written));
        push("To", list(&self.to_full));
        push("Cc", list(&self.cc_full));
        push("Reply-To", self.reply_to.clone());
        push("Subject", self.subject.clone());
        push("Date", self.date.clone());
        for field in &self.headers {
            push_field(&mut block, &field.name, &field.value);
        }
        block.push_str("\r\n");
        let head = Head::read(block.as_bytes(), 1_000).ok_or(Unreadable("too many headers"))?;
        let total: usize = self
            .attachments
            .iter()
            .map(|file| file.content.len() / 4 * 3)
            .sum();
        if total > LARGEST || self.attachments.len() > 100 {
            return Err(Unreadable("a mail beyond the limits"));
        }
        let files = self.attachments.iter().map(|file| {
            let bytes = STANDARD
                .decode(&file.content)
                .map_err(|_| Unreadable("a file is not base64"))?;
            Ok(Attachment {
                source: AttachmentSource::Inline(Bytes::from(bytes)),
                name: file.name.clone().filter(|name| !name.is_empty()),
                mime: file.content_type.clone().filter(|kind| !kind.is_empty()),
            })
        });
        let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let block = Block {
            text: text(&self.text_body),
            html: text(&self.html_body),
        };
        Ok(Letter::of(head, block, files.collect::<Result<_, Unreadable>>()?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    record_type: String,
    #[serde(rename = "Type", default)]
    kind: Option<String>,
    #[serde(rename = "MessageID", default)]
    message_id: Option<String>,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    suppress_sending: Option<bool>,
    #[serde(default)]
    suppression_reason: Option<String>,
    #[serde(default)]
    type_code: Option<u32>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(
        alias = "DeliveredAt",
        alias = "BouncedAt",
        alias = "ReceivedAt",
        alias = "ChangedAt",
        default
    )]
    at: Option<String>,
}

impl Event {
    fn callback(&self) -> Callback {
        let kind = self
            .kind
            .as_deref()
            .or(self.suppression_reason.as_deref())
            .unwrap_or_default();
        let status = match (self.record_type.as_str(), kind) {
            ("Delivery", _) => DeliveryStatus::Delivered,
            ("Open", _) => DeliveryStatus::Read,
            ("Click", _) => DeliveryStatus::Clicked,
            ("SpamComplaint", _)
            | ("Bounce" | "SubscriptionChange", "SpamComplaint" | "SpamNotification") => {
                DeliveryStatus::Complaint
            }
            ("SubscriptionChange", _) if self.suppress_sending == Some(false) => {
                return Callback::Ignored("subscribed");
            }
            ("SubscriptionChange", "HardBounce") => DeliveryStatus::Bounced,
            ("SubscriptionChange", _) | ("Bounce", "Unsubscribe" | "ManualSuppression") => {
                DeliveryStatus::OptOut
            }
            ("Bounce", "Transient" | "DnsError" | "OpenRelayTest") => DeliveryStatus::Queued,
            ("Bounce", "AutoResponder" | "AddressChange" | "ChallengeVerification" | "Subscribe") => {
                return Callback::Ignored("auto-reply");
            }
            (
                "Bounce",
                "BadEmailAddress"
                | "ManuallyDeactivated"
                | "Unconfirmed"
                | "Blocked"
                | "SMTPApiError"
                | "DMARCPolicy"
                | "TemplateRenderingFailed"
                | "VirusNotification",
            ) => DeliveryStatus::Failed,
            ("Bounce", _) => DeliveryStatus::Bounced,
            _ => return Callback::Ignored("other-event"),
        };
        let ours = self.metadata.get(OURS).and_then(Value::as_str);
        let reference = match (ours, self.message_id.as_deref()) {
            (Some(ours), _) => Reference::Ours(detail(ours)),
            (None, Some(theirs)) => Reference::Theirs(detail(theirs)),
            (None, None) => return Callback::Ignored("nothing-of-ours"),
        };
        let receipt = Receipt {
            reference,
            status,
            code: None,
            detail: None,
            at: self.at.as_deref().and_then(instant),
        };
        let code = self.type_code.map(|code| code.to_string());
        let words = self
            .details
            .as_deref()
            .filter(|words| !words.is_empty())
            .or(self.description.as_deref());
        Callback::Receipt(receipt.because(code.as_deref(), words))
    }
}
