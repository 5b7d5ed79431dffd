//! The Third-Party Messaging API (contract section 2): a custom client at the other end, in the shape we propose where nothing
//! is public. It is the only place that knows this shape.
//!
//! The channel's `secret` keys the signatures both ways. `credentials`, where set, are sent as `x-api-key`. The channel's
//! `webhookUrl` is where messages go. `config.subtype` names the messenger (`WhatsApp`, `FacebookPrivate` …).

use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{DeliveryStatus, Digest, Millis};
use crate::protocol::hub_signature;

use super::cards::{Card, Choice, unfold};
use super::hexadecimal::hex;
use super::inbound::{Attachment, AttachmentSource, Callback, Inbound, Receipt, Reference, Thread};
use super::outbound::{HttpCall, Outbound, SendAnswer};
use super::provider::{Account, CallbackRequest, Forged, Provider, Reply, Unreadable};

/// How media uploaded before are named.
const MEDIA_SCHEME: &str = "genesys://nexus/";
/// Characters of a peer's words that are kept.
const DETAIL: usize = 300;

/// The dialect.
pub struct ThirdParty;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incoming {
    #[serde(default)]
    id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    from: Option<Party>,
    #[serde(default)]
    to: Option<Party>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    attachments: Vec<IncomingFile>,
    #[serde(default)]
    cards: Vec<Card>,
    #[serde(default)]
    quick_reply: Choice,
    #[serde(default)]
    user_data: Map<String, Value>,
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    in_reply_to: Option<String>,
    #[serde(default)]
    references: Vec<String>,
    #[serde(default)]
    message_id: Option<String>,
    #[serde(default)]
    receipt: Option<String>,
    #[serde(default)]
    error: Option<Trouble>,
}

#[derive(Deserialize)]
struct Party {
    id: String,
    #[serde(default)]
    nickname: Option<String>,
}

#[derive(Deserialize)]
struct IncomingFile {
    url: String,
    #[serde(default, alias = "name")]
    filename: Option<String>,
    #[serde(default, alias = "mime")]
    mimetype: Option<String>,
}

#[derive(Deserialize)]
struct Trouble {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    from: OutgoingParty<'a>,
    to: OutgoingParty<'a>,
    text: &'a str,
    attachments: Vec<OutgoingFile<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quick_replies: Vec<QuickReply<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cards: &'a [crate::model::Card],
    /// A program's words: nothing automatic is to answer them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    automatic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [String],
    #[serde(skip_serializing_if = "Map::is_empty")]
    user_data: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct OutgoingParty<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<&'a str>,
}

#[derive(Serialize)]
struct OutgoingFile<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mimetype: Option<&'a str>,
}

#[derive(Serialize)]
struct QuickReply<'a> {
    text: &'a str,
    payload: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentAnswer {
    message_id: Option<String>,
}

impl Provider for ThirdParty {
    fn name(&self) -> &'static str {
        "third-party"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        if account.secrets.is_empty() {
            return Err(Forged::NoSecret);
        }
        // Of two headers the stronger counts; it alone is looked at, so that a broken one cannot hide behind a good one.
        let value = request
            .header(hub_signature::SHA256)
            .or_else(|| request.header(hub_signature::SHA1))
            .ok_or(Forged::Absent)?;
        let mut valid = false;
        for secret in &account.secrets {
            valid |= hub_signature::is_valid(value, secret.expose_secret().as_bytes(), request.body);
        }
        if valid { Ok(()) } else { Err(Forged::Wrong) }
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let incoming: Incoming =
            serde_json::from_slice(request.body).map_err(|_| Unreadable("no message in JSON"))?;
        let callback = match incoming.kind.as_str() {
            "Receipt" => Callback::Receipt(receipt(incoming)?),
            "Text" | "RichMedia" | "Structured" | "QuickReply" | "Email" => {
                Callback::Message(Box::new(message(incoming)?))
            }
            "TypingStarted" | "TypingStopped" => Callback::Ignored("typing"),
            _ => return Err(Unreadable("unknown type")),
        };
        Ok(vec![callback])
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        self.inbound(request)
    }

    fn forged(&self) -> Reply {
        Reply::empty(401)
    }

    fn fetches_files(&self) -> bool {
        true
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let url = account.url.clone().ok_or("the channel has no webhookUrl")?;
        let secret = account.secrets.first().ok_or("the channel has no secret")?;
        let body = serde_json::to_vec(&outgoing(message)).map_err(|error| error.to_string())?;
        let secret = secret.expose_secret().as_bytes();
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            (hub_signature::SHA1, hub_signature::sha1(secret, &body)),
            (hub_signature::SHA256, hub_signature::sha256(secret, &body)),
            // The same for every attempt.
            ("x-b3-traceid", hex(&Digest::of(&[message.id.as_bytes()]).0[..8])),
        ];
        if let Some(key) = &account.credentials {
            headers.push(("x-api-key", key.expose_secret().to_owned()));
        }
        Ok(HttpCall {
            method: "POST",
            url,
            headers,
            body: body.into(),
        })
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        match status {
            200..=299 => SendAnswer::Accepted {
                reference: serde_json::from_slice::<SentAnswer>(body)
                    .ok()
                    .and_then(|answer| answer.message_id)
                    .filter(|id| (1..=200).contains(&id.len())),
            },
            429 => SendAnswer::Later { after: retry_after },
            500..=599 => SendAnswer::Later { after: None },
            _ => SendAnswer::Refused {
                code: status.to_string(),
                detail: shortened(&String::from_utf8_lossy(body)),
            },
        }
    }
}

fn message(incoming: Incoming) -> Result<Inbound, Unreadable> {
    let id = incoming.id.filter(|id| (1..=200).contains(&id.len()));
    let from = incoming.from.ok_or(Unreadable("no from"))?;
    if from.id.is_empty() || from.id.len() > 320 {
        return Err(Unreadable("bad from.id"));
    }
    let attachments = incoming.attachments.into_iter().map(|file| Attachment {
        source: match file.url.strip_prefix(MEDIA_SCHEME) {
            Some(id) => AttachmentSource::Media(id.to_owned()),
            None => AttachmentSource::Url(file.url),
        },
        name: file.filename,
        mime: file.mimetype,
    });
    let mut attachments: Vec<_> = attachments.collect();
    let mut text = incoming.text;
    if text.is_empty() {
        text = incoming.quick_reply.words().unwrap_or_default();
    }
    attachments.extend(unfold(&mut text, incoming.cards));
    if text.is_empty() && attachments.is_empty() {
        return Err(Unreadable("neither text nor attachments"));
    }
    Ok(Inbound {
        id: id.ok_or(Unreadable("bad id"))?,
        from: from.id,
        to: incoming.to.map(|to| to.id).unwrap_or_default(),
        nickname: from.nickname.filter(|name| !name.is_empty()),
        at: incoming.time.as_deref().and_then(at),
        text,
        subject: incoming.subject,
        attachments,
        thread: Thread {
            message_id: None,
            in_reply_to: incoming.in_reply_to,
            references: incoming.references,
        },
        subtype: incoming.subtype,
        user_data: incoming.user_data,
        ..Inbound::default()
    })
}

fn receipt(incoming: Incoming) -> Result<Receipt, Unreadable> {
    let status = match incoming.receipt.as_deref() {
        Some("Sent") => DeliveryStatus::Sent,
        Some("Delivered") => DeliveryStatus::Delivered,
        Some("Displayed" | "Read") => DeliveryStatus::Read,
        Some("Failed") => DeliveryStatus::Failed,
        Some("Undelivered") => DeliveryStatus::Undelivered,
        _ => return Err(Unreadable("bad receipt")),
    };
    let id = incoming.message_id.filter(|id| (1..=200).contains(&id.len()));
    let (code, detail) = incoming
        .error
        .map_or((None, None), |error| (error.code, error.message));
    Ok(Receipt {
        reference: Reference::Theirs(id.ok_or(Unreadable("bad messageId"))?),
        status,
        code: code.map(|code| shortened(&code)),
        detail: detail.map(|detail| shortened(&detail)),
        at: incoming.time.as_deref().and_then(at),
    })
}

fn outgoing(message: &Outbound) -> Outgoing<'_> {
    let files = message.attachments.iter().filter_map(|file| {
        let AttachmentSource::Url(url) = &file.source else {
            return None;
        };
        Some(OutgoingFile {
            url,
            filename: file.name.as_deref(),
            mimetype: file.mime.as_deref(),
        })
    });
    let attachments: Vec<_> = files.collect();
    Outgoing {
        id: &message.id,
        kind: match (message.cards.is_empty(), attachments.is_empty()) {
            (false, _) => "Structured",
            (true, true) => "Text",
            (true, false) => "RichMedia",
        },
        from: OutgoingParty {
            id: &message.from,
            nickname: message.from_name.as_deref(),
        },
        to: OutgoingParty {
            id: &message.to,
            nickname: None,
        },
        text: &message.text,
        attachments,
        quick_replies: message
            .quick_replies
            .iter()
            .map(|(text, payload)| QuickReply { text, payload })
            .collect(),
        cards: &message.cards,
        automatic: message.automatic,
        subject: message.subject.as_deref(),
        in_reply_to: message.thread.in_reply_to.as_deref(),
        references: &message.thread.references,
        user_data: &message.user_data,
    }
}

fn at(time: &str) -> Option<Millis> {
    let at: Timestamp = time.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Millis)
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(DETAIL).collect()
}

/// The answer to an accepted message, inside the envelope.
#[must_use]
pub fn accepted(message_id: &str, session_id: &str) -> Value {
    serde_json::json!({"messageId": message_id, "sessionId": session_id})
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;

    fn read(body: &str) -> Result<Vec<Callback>, Unreadable> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        ThirdParty.inbound(&request(&body, &[]))
    }

    fn request<'r>(body: &'r Bytes, headers: &'r [(&'r str, &'r str)]) -> CallbackRequest<'r> {
        CallbackRequest {
            method: "POST",
            url: "https://digital.example.com/nexus/v3/channels/ch-1/messages",
            query: "",
            headers,
            body,
            now: Millis(0),
        }
    }

    fn account() -> Account {
        Account {
            url: Some("https://peer.example.com/hook".to_owned()),
            secrets: vec![
                SecretString::from("old"),
                SecretString::from("demo-channel-secret"),
            ],
            ..Account::default()
        }
    }

    #[test]
    fn the_contracts_message_is_read_whole() {
        let read = read(
            r#"{"id":"ext-1001","type":"Text","time":"2025-01-15T10:00:00Z",
                "from":{"id":"+12025550101","nickname":"Ann"},"to":{"id":"+12025550199"},
                "text":"Hello, I need help","attachments":[],"userData":{"campaign":"spring"}}"#,
        );
        let Ok([Callback::Message(message)]) = read.as_deref() else {
            panic!("{read:?}");
        };
        assert_eq!(
            (message.id.as_str(), message.from.as_str()),
            ("ext-1001", "+12025550101")
        );
        assert_eq!(message.at, Some(Millis(1_736_935_200_000)));
        assert_eq!(message.user_data["campaign"], "spring");
    }

    #[test]
    fn what_a_messenger_shows_is_read_as_words_and_files() {
        let cards = read(
            r#"{"id":"1","type":"Structured","from":{"id":"ann"},
                "cards":[{"title":"Bicycle","image":"https://shop.example/7.png","buttons":[{"text":"Buy"}]}]}"#,
        );
        let Ok([Callback::Message(message)]) = cards.as_deref() else {
            panic!("{cards:?}");
        };
        assert_eq!(
            (message.text.as_str(), message.attachments.len()),
            ("Bicycle\n[Buy]", 1)
        );
        let chosen = r#"{"id":"2","type":"QuickReply","from":{"id":"ann"},"quickReply":{"text":"Orders","payload":"o"}}"#;
        let chosen = read(chosen);
        let Ok([Callback::Message(message)]) = chosen.as_deref() else {
            panic!("{chosen:?}");
        };
        assert_eq!(message.text, "Orders");
    }

    #[test]
    fn media_uploaded_before_are_named_by_their_id() {
        let read = read(
            r#"{"id":"1","type":"RichMedia","from":{"id":"a"},
                "attachments":[{"url":"genesys://nexus/2f7a"},{"url":"https://x.example.com/1","filename":"a.png"}]}"#,
        );
        let Ok([Callback::Message(message)]) = read.as_deref() else {
            panic!("{read:?}");
        };
        assert_eq!(
            message.attachments[0].source,
            AttachmentSource::Media("2f7a".to_owned())
        );
        assert_eq!(message.attachments[1].name.as_deref(), Some("a.png"));
    }

    #[test]
    fn a_receipt_names_what_the_webhook_answered() {
        let read = read(r#"{"type":"Receipt","messageId":"m-9","receipt":"Displayed"}"#);
        let Ok([Callback::Receipt(receipt)]) = read.as_deref() else {
            panic!("{read:?}");
        };
        assert_eq!(receipt.reference, Reference::Theirs("m-9".to_owned()));
        assert_eq!(receipt.status, DeliveryStatus::Read);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for body in [
            "",
            "[]",
            r#"{"type":"Text"}"#,
            r#"{"id":"1","type":"Text","from":{"id":"a"}}"#,
            r#"{"id":"","type":"Text","from":{"id":"a"},"text":"x"}"#,
            r#"{"id":"1","type":"Dance","from":{"id":"a"},"text":"x"}"#,
            r#"{"type":"Receipt","receipt":"Sent"}"#,
            r#"{"type":"Receipt","messageId":"1","receipt":"Eaten"}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn either_secret_may_sign_and_the_stronger_header_decides() {
        let body = Bytes::from_static(br#"{"type":"Text","text":"Hello from the bank"}"#);
        let sha1 = "sha1=19629eae49f8224a762a465f6b1c6e7b2574cbd5";
        let check = |headers: &[(&str, &str)]| ThirdParty.verify(&request(&body, headers), &account());
        assert_eq!(check(&[("x-hub-signature", sha1)]), Ok(()));
        assert_eq!(check(&[]), Err(Forged::Absent));
        assert_eq!(check(&[("x-hub-signature", "sha1=00")]), Err(Forged::Wrong));
        let both = [("x-hub-signature", sha1), ("x-hub-signature-256", "sha256=00")];
        assert_eq!(check(&both), Err(Forged::Wrong));
        let twice = [("x-hub-signature", sha1), ("x-hub-signature", sha1)];
        assert_eq!(check(&twice), Err(Forged::Absent));
        let none = ThirdParty.verify(&request(&body, &[]), &Account::default());
        assert_eq!(none, Err(Forged::NoSecret));
    }

    #[test]
    fn every_attempt_has_the_same_bytes() {
        let message = Outbound {
            id: "a.1".to_owned(),
            from: "bank".to_owned(),
            to: "+12025550101".to_owned(),
            text: "hi".to_owned(),
            ..Outbound::default()
        };
        let one = ThirdParty.send(&account(), &message).unwrap();
        assert_eq!(Ok(&one), ThirdParty.send(&account(), &message).as_ref());
        let signature = one
            .headers
            .iter()
            .find(|(name, _)| *name == "x-hub-signature")
            .unwrap();
        assert!(hub_signature::is_valid(&signature.1, b"old", &one.body));
    }

    #[test]
    fn cards_go_out_in_the_shape_in_which_they_come_in() {
        let card = serde_json::json!({"title": "Bicycle", "subtitle": "EUR 300", "image": "https://shop.example/7.png",
            "buttons": [{"text": "Buy", "payload": "7"}, {"text": "More", "url": "https://shop.example/more"}]});
        let message = Outbound {
            id: "a.1".to_owned(),
            text: "Which one?".to_owned(),
            cards: vec![serde_json::from_value(card.clone()).unwrap()],
            ..Outbound::default()
        };
        let sent: Value =
            serde_json::from_slice(&ThirdParty.send(&account(), &message).unwrap().body).unwrap();
        assert_eq!(
            (&sent["type"], &sent["cards"]),
            (&"Structured".into(), &Value::Array(vec![card]))
        );
        let mut text = String::new();
        unfold(&mut text, serde_json::from_value(sent["cards"].clone()).unwrap());
        assert_eq!(text, "Bicycle\nEUR 300\n[Buy]\n[More: https://shop.example/more]");
    }

    #[test]
    fn the_answers_classes_are_those_of_the_contract() {
        let sent = |status| ThirdParty.sent(status, Some(Duration::from_secs(7)), br#"{"messageId":"m"}"#);
        let reference = Some("m".to_owned());
        assert_eq!(
            sent(200),
            SendAnswer::Accepted {
                reference: reference.clone()
            }
        );
        assert_eq!(sent(202), SendAnswer::Accepted { reference });
        assert_eq!(sent(503), SendAnswer::Later { after: None });
        let after = Some(Duration::from_secs(7));
        assert_eq!(sent(429), SendAnswer::Later { after });
        for refused in [301, 400, 404] {
            assert!(matches!(sent(refused), SendAnswer::Refused { .. }));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let body = Bytes::from(body);
            let _ = ThirdParty.inbound(&request(&body, &[]));
            let _ = ThirdParty.sent(200, None, &body);
        }
    }
}
