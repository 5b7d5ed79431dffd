//! SendGrid: mails in by Inbound Parse, parsed or raw; mails out as JSON; events signed with ECDSA (contract 11.3).
//!
//! `secret`: either the verification key of a signed webhook (the base64 text of the settings page) or `user:password` of an address
//! of the form `https://user:password@…`, which is how Inbound Parse is protected; the two may stand beside each other.
//! `credentials`: `{"apiKey"}` or the key itself. `config`: nothing.
//!
//! A signature may be 300 s off. SendGrid sends again for three days on 5xx, and never on 4xx. It gives mails no id; see
//! `letter`. It accepts a message without naming it, so that our id travels in `custom_args` and comes back with each event.

use std::time::Duration;

use aws_lc_rs::{digest, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::form_data::FormData;
use super::head::Head;
use super::letter::Letter;
use super::mime::{self, Block, LARGEST};
use crate::model::{DeliveryStatus, Millis};
use crate::protocol::channel::fields::detail;
use crate::protocol::channel::outcome::by_status;
use crate::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, HttpCall, Outbound, Provider,
    Receipt, Reference, SendAnswer, Unreadable, call, proof,
};

/// See the module.
#[derive(Debug)]
pub struct SendGrid;

const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";
/// A mail that was taken is answered with this status and nothing else.
const ACCEPTED: u16 = 202;
/// The argument that brings our id back.
pub(super) const OURS: &str = "nexusId";
/// Events of one callback.
const MOST_EVENTS: usize = 1_000;
/// What comes before the 65 bytes of a P-256 point in the usual form of a public key.
const KEY_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl Provider for SendGrid {
    fn name(&self) -> &'static str {
        "sendgrid"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        let keys: Vec<Vec<u8>> = account
            .secrets
            .iter()
            .filter_map(|secret| public_key(secret.expose_secret()))
            .collect();
        let signed = request.headers.iter().any(|(name, _)| *name == SIGNATURE);
        if keys.is_empty() || (!signed && account.secrets.len() > keys.len()) {
            let mut basic = Account::default();
            let passwords = account
                .secrets
                .iter()
                .filter(|secret| secret.expose_secret().contains(':'));
            basic.secrets = passwords.cloned().collect();
            return proof::basic(request, &basic);
        }
        let tag = request.header(SIGNATURE).ok_or(Forged::Absent)?;
        let timestamp = request.header(TIMESTAMP).ok_or(Forged::Absent)?;
        let tag = STANDARD.decode(tag.trim()).map_err(|_| Forged::Wrong)?;
        let message = [timestamp.as_bytes(), request.body].concat();
        let good = keys.iter().fold(false, |good, point| {
            let key = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point);
            good | key.verify(&message, &tag).is_ok()
        });
        if !good {
            return Err(Forged::Wrong);
        }
        proof::recent(timestamp.parse().map_err(|_| Forged::Wrong)?, request.now)
    }

    /// What was signed; not the signature, of which a second form can be made without the key.
    fn replay_id(&self, request: &CallbackRequest<'_>) -> Option<String> {
        let timestamp = request.header(TIMESTAMP)?;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(timestamp.as_bytes());
        context.update(request.body);
        Some(STANDARD.encode(context.finish().as_ref()))
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let form = FormData::of(request)?;
        let mut letter = match form.field("email") {
            Some(raw) => Letter {
                mime: mime::parse(&raw.value).map_err(|_| Unreadable("a mail beyond the limits"))?,
                ..Letter::default()
            },
            None => parsed(&form)?,
        };
        if let Some(envelope) = form.text("envelope")
            && let Ok(envelope) = serde_json::from_str::<Envelope>(&envelope)
        {
            letter.sender = envelope.from;
            letter.recipient = envelope.to.into_iter().next();
        }
        for (check, field) in [("spf", "SPF"), ("dkim", "dkim"), ("spamScore", "spam_score")] {
            letter
                .checks
                .extend(form.text(field).map(|result| (check, result.trim().to_owned())));
        }
        Ok(vec![Callback::Message(Box::new(letter.into_inbound()?))])
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let events: Vec<Value> =
            serde_json::from_slice(request.body).map_err(|_| Unreadable("not a list of events"))?;
        if events.len() > MOST_EVENTS {
            return Err(Unreadable("too many events"));
        }
        Ok(events.iter().map(event).collect())
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let key = account
            .only_credential("apiKey")
            .ok_or_else(|| call::lacks("apiKey"))?;
        let draft = Draft::of(message)?;
        let mut from = json!({ "email": draft.from.as_str() });
        if let Some(name) = &draft.from_name {
            from["name"] = name.as_str().into();
        }
        // SendGrid refuses empty texts.
        let or_space = |text: &str| {
            if text.is_empty() {
                " ".to_owned()
            } else {
                text.to_owned()
            }
        };
        let mut content = vec![json!({ "type": "text/plain", "value": or_space(&draft.text) })];
        content.extend(
            draft
                .html
                .map(|html| json!({ "type": "text/html", "value": html })),
        );
        let headers: Map<String, Value> = draft
            .more_headers()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let mut body = json!({
            "personalizations": [{ "to": [{ "email": draft.to.as_str() }] }],
            "from": from,
            "subject": or_space(draft.subject.as_str()),
            "content": content,
            "headers": headers,
            "custom_args": { OURS: draft.id },
        });
        if let Some(reply_to) = &draft.reply_to {
            body["reply_to"] = json!({ "email": reply_to.as_str() });
        }
        if !draft.files.is_empty() {
            let files = draft.files.iter().map(|(name, kind, bytes)| {
                json!({ "content": STANDARD.encode(bytes), "type": kind.as_str(), "filename": name.as_str(), "disposition": "attachment" })
            });
            body["attachments"] = files.collect();
        }
        let url = format!("{}/v3/mail/send", account.origin("api.sendgrid.com"));
        call::post_json(url, call::scheme("Bearer", &key)?, &body)
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let why = || {
            (
                None,
                answer.errors.into_iter().next().and_then(|error| error.message),
            )
        };
        by_status(status, retry_after, why).unwrap_or(
            match status == ACCEPTED && body.trim_ascii().is_empty() {
                true => SendAnswer::Accepted { reference: None },
                false => SendAnswer::Later { after: retry_after },
            },
        )
    }
}

#[derive(Deserialize, Default)]
struct Answer {
    #[serde(default)]
    errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    message: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    to: Vec<String>,
    from: Option<String>,
}

/// The point of a public key in base64, with or without the lines of PEM around it.
fn public_key(secret: &str) -> Option<Vec<u8>> {
    let lines = secret.lines().filter(|line| !line.starts_with("-----"));
    let text: String = lines
        .flat_map(|line| line.chars().filter(|char| !char.is_whitespace()))
        .collect();
    let der = STANDARD.decode(text).ok()?;
    let point = der.strip_prefix(&KEY_PREFIX)?;
    (point.len() == 65).then(|| point.to_vec())
}

/// A mail that SendGrid has taken apart; each field may be in a character set of its own.
fn parsed(form: &FormData) -> Result<Letter, Unreadable> {
    let headers = form
        .field("headers")
        .ok_or(Unreadable("neither headers nor a mail"))?;
    let charsets: Map<String, Value> = form
        .text("charsets")
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let text = |name: &str| {
        let charset = charsets.get(name).and_then(Value::as_str);
        form.text_in(name, charset).filter(|text| !text.trim().is_empty())
    };
    let block = [&headers.value[..], b"\r\n\r\n"].concat();
    let head = Head::read(&block, 1_000).ok_or(Unreadable("too many headers"))?;
    let block = Block {
        text: text("text"),
        html: text("html"),
    };
    let mut attachments = Vec::new();
    let mut total = 0;
    let numbered = |name: &str| {
        let number = name.strip_prefix("attachment").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    for file in form.fields().iter().filter(|field| numbered(&field.name)) {
        total += file.value.len();
        attachments.push(Attachment {
            source: AttachmentSource::Inline(file.value.clone()),
            name: file.file_name.clone(),
            mime: file.mime.clone(),
        });
    }
    if total > LARGEST || attachments.len() > 100 {
        return Err(Unreadable("a mail beyond the limits"));
    }
    Ok(Letter::of(head, block, attachments))
}

fn event(event: &Value) -> Callback {
    let text = |name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let status = match text("event").unwrap_or_default() {
        "processed" | "deferred" => DeliveryStatus::Queued,
        "delivered" => DeliveryStatus::Delivered,
        "open" => DeliveryStatus::Read,
        "click" => DeliveryStatus::Clicked,
        "bounce" => DeliveryStatus::Bounced,
        "dropped" if text("reason") == Some("Unsubscribed Address") => DeliveryStatus::OptOut,
        "dropped" => DeliveryStatus::Failed,
        "spamreport" => DeliveryStatus::Complaint,
        "unsubscribe" | "group_unsubscribe" => DeliveryStatus::OptOut,
        _ => return Callback::Ignored("other-event"),
    };
    // The part before the first dot is what the answer to a send named.
    let theirs = || text("sg_message_id").map(|id| id.split('.').next().unwrap_or(id));
    let reference = match (text(OURS), theirs()) {
        (Some(ours), _) => Reference::Ours(detail(ours)),
        (None, Some(theirs)) => Reference::Theirs(detail(theirs)),
        (None, None) => return Callback::Ignored("nothing-of-ours"),
    };
    let receipt = Receipt {
        reference,
        status,
        code: None,
        detail: None,
        at: event
            .get("timestamp")
            .and_then(Value::as_u64)
            .and_then(|seconds| seconds.checked_mul(1_000))
            .map(Millis),
    };
    Callback::Receipt(receipt.because(text("status"), text("reason").or_else(|| text("response"))))
}
