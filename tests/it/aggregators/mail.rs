//! Mail providers: what we read of a callback is what `django-anymail` reads, what we believe is what others believe, and the MIME of either
//! side is the other's.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nexus::model::{DeliveryStatus, Millis};
use nexus::protocol::channel::mail::{Mailgun, Postmark, SendGrid, SparkPost, compose, parse};
use nexus::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, Inbound, Outbound, Provider,
    Receipt, Reference, Thread,
};
use serde_json::{Value, json};

use crate::support::python::ask;

const SCRIPT: &str = "aggregators/mail.py";
const NOW: u64 = 1_700_000_000;
const KEY: &str = "demo-signing-key";

/// A callback as it travels.
struct Post {
    provider: &'static dyn Provider,
    kind: &'static str,
    content_type: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Post {
    fn json(provider: &'static dyn Provider, kind: &'static str, body: &Value) -> Self {
        Self {
            provider,
            kind,
            content_type: "application/json".into(),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
    }

    /// A form with files: name, file name, type, value.
    fn form(provider: &'static dyn Provider, kind: &'static str, fields: &[Field<'_>]) -> Self {
        let mut body = Vec::new();
        for (name, file, value) in fields {
            body.extend_from_slice(
                format!("--xYzZY\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes(),
            );
            if let Some((file, kind)) = file {
                body.extend_from_slice(format!("; filename=\"{file}\"\r\nContent-Type: {kind}").as_bytes());
            }
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--xYzZY--\r\n");
        Self {
            provider,
            kind,
            content_type: "multipart/form-data; boundary=xYzZY".into(),
            headers: Vec::new(),
            body,
        }
    }

    fn question(&self, settings: &Value) -> Value {
        let headers: serde_json::Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        json!({
            "do": "callback",
            "provider": self.provider.name(),
            "kind": self.kind,
            "content_type": self.content_type,
            "headers": headers,
            "body": STANDARD.encode(&self.body),
            "settings": settings,
        })
    }

    fn with<T>(&self, then: impl FnOnce(&CallbackRequest<'_>) -> T) -> T {
        let mut headers = vec![("content-type", self.content_type.as_str())];
        headers.extend(self.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let body = Bytes::from(self.body.clone());
        then(&CallbackRequest {
            method: "POST",
            url: "https://digital.example.com/in",
            query: "",
            headers: &headers,
            body: &body,
            now: Millis(NOW * 1_000),
        })
    }

    fn inbound(&self) -> Inbound {
        let mut said = self
            .with(|request| self.provider.inbound(request))
            .expect("a readable callback");
        match said.remove(0) {
            Callback::Message(mail) => *mail,
            other => panic!("{other:?}"),
        }
    }

    fn receipts(&self) -> Vec<Option<Receipt>> {
        let said = self
            .with(|request| self.provider.status(request))
            .expect("a readable callback");
        let receipt = |callback| match callback {
            Callback::Receipt(receipt) => Some(receipt),
            _ => None,
        };
        said.into_iter().map(receipt).collect()
    }

    fn verdict(&self, secrets: &[&str]) -> Result<(), Forged> {
        let account = Account {
            secrets: secrets.iter().map(|secret| (*secret).to_owned().into()).collect(),
            ..Account::default()
        };
        self.with(|request| self.provider.verify(request, &account))
    }
}

pub(super) fn digest(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files(attachments: &[Attachment]) -> Value {
    let each = attachments.iter().map(|file| match &file.source {
        AttachmentSource::Inline(bytes) => json!([file.name, digest(bytes)]),
        other => panic!("{other:?}"),
    });
    each.collect()
}

fn hmac_of(parts: &[&str]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let tag = hmac::sign(&key, parts.concat().as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

const RAW: &str = "Received: from a by b\r\nFrom: =?utf-8?q?Jo=C3=A3o?= <Joao@Example.com>\r\nTo: Support <support@shop.example>\r\n\
    Subject: =?utf-8?q?Ol=C3=A1?= 7\r\nMessage-ID: <m1@example.com>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nOl\u{e1}, is it there?\r\n\
    --q\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    JVBERg==\r\n--q--\r\n";

/// A field of a form: its name, file name and type where it is a file, its bytes.
type Field<'f> = (&'f str, Option<(&'f str, &'f str)>, &'f [u8]);
/// The same with bytes of its own.
type Sealed = (&'static str, Option<(&'static str, &'static str)>, Vec<u8>);

fn mailgun_seal() -> [Sealed; 3] {
    let (timestamp, token) = (NOW.to_string(), "a".repeat(50));
    let signature = hmac_of(&[&timestamp, &token]);
    [
        ("timestamp", None, timestamp.into_bytes()),
        ("token", None, token.into_bytes()),
        ("signature", None, signature.into_bytes()),
    ]
}

fn mailgun(fields: &[Field<'_>]) -> Post {
    let seal = mailgun_seal();
    let mut all: Vec<Field<'_>> = fields.to_vec();
    all.extend(
        seal.iter()
            .map(|(name, file, value)| (*name, *file, value.as_slice())),
    );
    Post::form(&Mailgun, "inbound", &all)
}

/// The same mail as each provider tells it, taken apart and raw.
fn inbound_posts() -> Vec<Post> {
    let headers = "From: =?utf-8?q?Jo=C3=A3o?= <Joao@Example.com>\nTo: Support <support@shop.example>\nSubject: =?utf-8?q?Ol=C3=A1?= 7\n\
        Message-ID: <m1@example.com>\n";
    let pairs = json!([
        ["From", "Jo\u{e3}o <Joao@Example.com>"],
        ["To", "Support <support@shop.example>"],
        ["Subject", "Ol\u{e1} 7"],
        ["Message-Id", "<m1@example.com>"],
    ])
    .to_string();
    let text = "Ol\u{e1}, is it there?";
    let latin: Vec<u8> = text
        .chars()
        .map(|char| u8::try_from(u32::from(char)).expect("latin-1"))
        .collect();
    let envelope = br#"{"to":["support@shop.example"],"from":"joao@example.com"}"#;
    let postmark = json!({
        "FromName": "Jo\u{e3}o", "From": "Joao@Example.com", "FromFull": {"Email": "Joao@Example.com", "Name": "Jo\u{e3}o", "MailboxHash": ""},
        "To": "support@shop.example", "ToFull": [{"Email": "support@shop.example", "Name": "Support", "MailboxHash": ""}],
        "CcFull": [], "BccFull": [], "OriginalRecipient": "support@shop.example", "Subject": "Ol\u{e1} 7",
        "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b", "Date": "Tue, 14 Nov 2023 22:13:20 +0000",
        "TextBody": text, "HtmlBody": "", "StrippedTextReply": "", "Tag": "",
        "Headers": [{"Name": "Return-Path", "Value": "<joao@example.com>"}, {"Name": "Message-ID", "Value": "<m1@example.com>"}],
        "Attachments": [{"Name": "a.pdf", "Content": "JVBERg==", "ContentType": "application/pdf", "ContentLength": 4}],
    });
    let mut postmark_raw = postmark.clone();
    postmark_raw["RawEmail"] = RAW.into();
    let relay = |content: Value| {
        json!([{"msys": {"relay_message": {"content": content, "protocol": "smtp", "msg_from": "joao@example.com",
            "rcpt_to": "support@shop.example", "webhook_id": "1", "friendly_from": "joao@example.com"}}}])
    };
    let pdf = Some(("a.pdf", "application/pdf"));
    vec![
        Post::form(
            &SendGrid,
            "inbound",
            &[
                ("headers", None, headers.as_bytes()),
                ("text", None, &latin),
                (
                    "charsets",
                    None,
                    br#"{"to":"UTF-8","subject":"UTF-8","from":"UTF-8","text":"iso-8859-1"}"#,
                ),
                ("attachments", None, b"1"),
                (
                    "attachment-info",
                    None,
                    br#"{"attachment1":{"filename":"a.pdf","name":"a.pdf","type":"application/pdf"}}"#,
                ),
                ("attachment1", pdf, b"%PDF"),
                ("envelope", None, envelope),
                ("SPF", None, b"pass"),
            ],
        ),
        Post::form(
            &SendGrid,
            "inbound",
            &[("email", None, RAW.as_bytes()), ("envelope", None, envelope)],
        ),
        mailgun(&[
            ("recipient", None, b"support@shop.example"),
            ("sender", None, b"joao@example.com"),
            ("message-headers", None, pairs.as_bytes()),
            ("body-plain", None, text.as_bytes()),
            ("stripped-text", None, text.as_bytes()),
            ("attachment-count", None, b"1"),
            ("attachment-1", pdf, b"%PDF"),
        ]),
        mailgun(&[
            ("recipient", None, b"support@shop.example"),
            ("sender", None, b"joao@example.com"),
            ("body-mime", None, RAW.as_bytes()),
        ]),
        Post::json(&Postmark, "inbound", &postmark),
        Post::json(&Postmark, "inbound", &postmark_raw),
        Post::json(
            &SparkPost,
            "inbound",
            &relay(json!({"email_rfc822": RAW, "email_rfc822_is_base64": false})),
        ),
        Post::json(
            &SparkPost,
            "inbound",
            &relay(json!({"email_rfc822": STANDARD.encode(RAW), "email_rfc822_is_base64": true})),
        ),
    ]
}

#[test]
fn anymail_reads_the_same_mail_as_we_do() {
    let posts = inbound_posts();
    let settings = |post: &Post| match post.provider.name() {
        "mailgun" => json!({"webhook_signing_key": KEY}),
        _ => json!({}),
    };
    let answers = ask(
        SCRIPT,
        &posts.iter().map(|post| post.question(&settings(post))).collect(),
    );
    for (index, post) in posts.iter().enumerate() {
        let (answer, ours) = (&answers[index], post.inbound());
        let theirs = &answer["mails"][0];
        let name = format!("{} {index}", post.provider.name());
        assert_eq!(answer["valid"], true, "{name}");
        assert_eq!(ours.from, theirs["from"], "{name}");
        assert_eq!(ours.nickname.as_deref(), theirs["name"].as_str(), "{name}");
        assert_eq!(ours.subject.as_deref(), theirs["subject"].as_str(), "{name}");
        assert_eq!(
            ours.text,
            theirs["text"].as_str().unwrap_or_default().trim(),
            "{name}"
        );
        assert_eq!(ours.to, theirs["recipient"], "{name}");
        assert_eq!(theirs["sender"], "joao@example.com", "{name}");
        assert_eq!(files(&ours.attachments), theirs["files"], "{name}");
        let id = theirs["message_id"].as_str().unwrap_or_default();
        assert_eq!(
            ours.thread.message_id.as_deref(),
            Some(id.trim_matches(['<', '>'])),
            "{name}"
        );
        if post.provider.name() == "postmark" {
            assert_eq!(ours.id, answer["ids"][0], "{name}");
        }
        assert!(!ours.automatic, "{name}");
    }
}

/// What our word for an event is called by anymail.
fn status_named(name: &str) -> Option<DeliveryStatus> {
    Some(match name {
        "queued" | "deferred" => DeliveryStatus::Queued,
        "delivered" => DeliveryStatus::Delivered,
        "opened" => DeliveryStatus::Read,
        "clicked" => DeliveryStatus::Clicked,
        "bounced" => DeliveryStatus::Bounced,
        "rejected" | "failed" => DeliveryStatus::Failed,
        "complained" => DeliveryStatus::Complaint,
        "unsubscribed" => DeliveryStatus::OptOut,
        "autoresponded" | "subscribed" | "unknown" => return None,
        other => panic!("{other}"),
    })
}

fn status_posts() -> Vec<Post> {
    let sendgrid: Vec<Value> = [
        "processed", "deferred", "delivered", "open", "click", "bounce", "dropped", "spamreport", "unsubscribe", "group_unsubscribe",
        "group_resubscribe",
    ]
    .iter()
    .map(|event| {
        json!({"event": event, "timestamp": NOW, "email": "a@b.example", "sg_event_id": "e", "sg_message_id": "m.f1", "nexusId": "n-1",
            "smtp-id": "<x@y>", "reason": "Invalid", "status": "5.1.1"})
    })
    .collect();
    let mailgun = [
        ("accepted", "", ""),
        ("delivered", "", ""),
        ("failed", "permanent", "bounce"),
        ("failed", "temporary", "generic"),
        ("rejected", "", ""),
        ("opened", "", ""),
        ("clicked", "", ""),
        ("complained", "", ""),
        ("unsubscribed", "", ""),
    ];
    let mailgun = mailgun.iter().map(|(event, severity, reason)| {
        let (timestamp, token) = (NOW.to_string(), "b".repeat(50));
        let seal = json!({"timestamp": timestamp, "token": token, "signature": hmac_of(&[&timestamp, &token])});
        let mut data = json!({"event": event, "timestamp": 1_700_000_000.25, "id": "e", "recipient": "a@b.example",
            "user-variables": {"nexusId": "n-1"}, "message": {"headers": {"message-id": "x@y", "to": "a@b.example"}}});
        if !severity.is_empty() {
            data["severity"] = (*severity).into();
            data["reason"] = (*reason).into();
        }
        Post::json(&Mailgun, "status", &json!({"signature": seal, "event-data": data}))
    });
    let postmark = [
        ("Delivery", ""),
        ("Open", ""),
        ("Click", ""),
        ("SpamComplaint", "SpamComplaint"),
        ("Bounce", "HardBounce"),
        ("Bounce", "SoftBounce"),
        ("Bounce", "Transient"),
        ("Bounce", "DnsError"),
        ("Bounce", "AutoResponder"),
        ("Bounce", "BadEmailAddress"),
        ("Bounce", "Blocked"),
        ("Bounce", "Unsubscribe"),
        ("Bounce", "SpamNotification"),
        ("Bounce", "ManuallyDeactivated"),
    ];
    let postmark = postmark.iter().map(|(record, kind)| {
        let mut event = json!({"RecordType": record, "MessageID": "m", "Metadata": {"nexusId": "n-1"}, "Recipient": "a@b.example",
            "ReceivedAt": "2023-11-14T22:13:20Z"});
        if !kind.is_empty() {
            event["Type"] = (*kind).into();
        }
        Post::json(&Postmark, "status", &event)
    });
    let sparkpost: Vec<Value> = [
        ("injection", ""), ("delivery", ""), ("delay", ""), ("bounce", "10"), ("bounce", "60"), ("bounce", "90"), ("out_of_band", "30"),
        ("policy_rejection", ""), ("spam_complaint", ""), ("open", ""), ("click", ""), ("generation_failure", ""), ("generation_rejection", ""),
        ("list_unsubscribe", ""), ("link_unsubscribe", ""),
    ]
    .iter()
    .map(|(event, class)| {
        let mut entry = json!({"type": event, "timestamp": NOW.to_string(), "transmission_id": "t", "event_id": "e",
            "rcpt_meta": {"nexusId": "n-1"}, "raw_rcpt_to": "a@b.example"});
        if !class.is_empty() {
            entry["bounce_class"] = (*class).into();
        }
        json!({"msys": {"message_event": entry}})
    })
    .collect();
    let mut posts = vec![
        Post::json(&SendGrid, "status", &sendgrid.into()),
        Post::json(&SparkPost, "status", &sparkpost.into()),
        Post::json(&SparkPost, "status", &json!([{"msys": {}}])),
    ];
    posts.extend(mailgun);
    posts.extend(postmark);
    posts
}

#[test]
fn anymail_reads_the_same_events_as_we_do() {
    let posts = status_posts();
    let settings = |post: &Post| match post.provider.name() {
        "mailgun" => json!({"webhook_signing_key": KEY}),
        _ => json!({}),
    };
    let answers = ask(
        SCRIPT,
        &posts.iter().map(|post| post.question(&settings(post))).collect(),
    );
    for (index, post) in posts.iter().enumerate() {
        let theirs = answers[index]["events"].as_array().expect("events");
        let ours = post.receipts();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            let name = format!("{} {theirs} {ours:?}", post.provider.name());
            assert_eq!(
                ours.as_ref().map(|ours| ours.status),
                status_named(theirs["type"].as_str().unwrap()),
                "{name}"
            );
            if let Some(ours) = ours {
                assert_eq!(
                    ours.reference,
                    Reference::Ours(theirs["ours"].as_str().unwrap().into()),
                    "{name}"
                );
                if let Some(at) = theirs["at"].as_u64() {
                    assert_eq!(ours.at.map(|at| at.0 / 1_000), Some(at), "{name}");
                }
            }
        }
    }
}

#[test]
fn a_signed_event_is_believed_by_all_and_a_changed_one_by_none() {
    let body = r#"[{"event":"delivered","email":"ü@example.com","nexusId":"n-1"}]"#;
    let timestamp = NOW.to_string();
    let question = json!([{"do": "sign", "timestamp": timestamp, "body": body}]);
    let signed = &ask(SCRIPT, &question)[0];
    let (key, signature) = (
        signed["key"].as_str().unwrap(),
        signed["signature"].as_str().unwrap(),
    );
    let post = |timestamp: &str, body: &str| Post {
        provider: &SendGrid,
        kind: "status",
        content_type: "application/json".into(),
        headers: vec![
            ("x-twilio-email-event-webhook-signature", signature.to_owned()),
            ("x-twilio-email-event-webhook-timestamp", timestamp.to_owned()),
        ],
        body: body.as_bytes().to_vec(),
    };
    let good = post(&timestamp, body);
    assert_eq!(good.verdict(&[key]), Ok(()));
    assert_eq!(good.verdict(&["wrong", key]), Ok(()));
    assert_eq!(good.verdict(&["user:password", key]), Ok(()));
    assert_eq!(good.verdict(&[]), Err(Forged::NoSecret));
    let changed = post(&timestamp, &body.replace("delivered", "bounce"));
    let later = post(&(NOW + 1).to_string(), body);
    let others = [&good, &changed, &later]
        .map(|post| post.question(&json!({"tracking_webhook_verification_key": key})));
    let answers = ask(SCRIPT, &others.to_vec().into());
    assert_eq!(answers[0]["valid"], true);
    for (index, post) in [(1, &changed), (2, &later)] {
        assert_eq!(answers[index]["valid"], false);
        assert_eq!(post.verdict(&[key]), Err(Forged::Wrong));
    }
    // Each bit of the signature counts.
    let tag = STANDARD.decode(signature).unwrap();
    for bit in 0..tag.len() * 8 {
        let mut forged = tag.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let mut forgery = post(&timestamp, body);
        forgery.headers[0].1 = STANDARD.encode(&forged);
        assert_eq!(forgery.verdict(&[key]), Err(Forged::Wrong), "{bit}");
    }
}

#[test]
fn a_token_of_mailgun_is_believed_while_it_is_fresh() {
    let post = mailgun(&[("recipient", None, b"support@shop.example")]);
    assert_eq!(post.verdict(&[KEY]), Ok(()));
    assert_eq!(post.verdict(&["new", KEY]), Ok(()));
    assert_eq!(post.verdict(&["other"]), Err(Forged::Wrong));
    assert_eq!(post.verdict(&[""]), Err(Forged::NoSecret));
    assert_eq!(
        post.with(|request| Mailgun.replay_id(request)),
        Some("a".repeat(50))
    );
    let question = |key: &str| post.question(&json!({"webhook_signing_key": key}));
    assert_eq!(ask(SCRIPT, &json!([question("other")]))[0]["valid"], false);
    let account = Account {
        secrets: vec![KEY.to_owned().into()],
        ..Account::default()
    };
    let later = post.with(|request| {
        let request = CallbackRequest {
            now: Millis((NOW + 301) * 1_000),
            ..*request
        };
        Mailgun.verify(&request, &account)
    });
    assert_eq!(later, Err(Forged::Stale));
    assert_eq!(
        Post::form(&Mailgun, "inbound", &[]).verdict(&[KEY]),
        Err(Forged::Absent)
    );
}

#[test]
fn unsigned_callbacks_need_their_password_or_token() {
    let with = |provider: &'static dyn Provider, name: &'static str, value: &str| {
        let mut post = Post::json(provider, "inbound", &json!([]));
        post.headers.push((name, value.to_owned()));
        post
    };
    let basic = format!("Basic {}", STANDARD.encode("user:planted"));
    for provider in [&Postmark as &dyn Provider, &SparkPost, &SendGrid] {
        assert_eq!(
            with(provider, "authorization", &basic).verdict(&["user:planted"]),
            Ok(())
        );
        assert_eq!(
            with(provider, "authorization", &basic).verdict(&["user:other"]),
            Err(Forged::Wrong)
        );
        assert_eq!(
            Post::json(provider, "inbound", &json!([])).verdict(&["user:planted"]),
            Err(Forged::Absent)
        );
        assert_eq!(
            with(provider, "authorization", &basic).verdict(&[]),
            Err(Forged::NoSecret)
        );
    }
    let token = with(&SparkPost, "x-messagesystems-webhook-token", "planted");
    assert_eq!(token.verdict(&["planted"]), Ok(()));
    assert_eq!(token.verdict(&["other"]), Err(Forged::Wrong));
    let answers = [&Postmark as &dyn Provider, &SendGrid, &Mailgun, &SparkPost].map(|provider| {
        (
            provider.accepted().status,
            provider.unreadable().status,
            provider.forged().status,
            provider.later().status,
        )
    });
    assert_eq!(
        answers,
        [
            (200, 403, 401, 503),
            (200, 400, 403, 503),
            (200, 406, 403, 503),
            (200, 400, 403, 503)
        ]
    );
}

fn outbound() -> Outbound {
    Outbound {
        id: "n-1".into(),
        from: "support@shop.example".into(),
        from_name: Some("Jörg, Support \"2\"".into()),
        to: "anna@example.com".into(),
        subject: Some(format!("Re: Grüße {}", "lang ".repeat(30).trim_end())),
        text: "Grüße\n\n.\nFrom here on\n=20 stays\n".to_owned() + &"long ".repeat(300),
        html: Some("<p>Grüße</p>".into()),
        at: Some(Millis(NOW * 1_000)),
        automatic: true,
        thread: Thread {
            message_id: None,
            in_reply_to: Some("c@example.com".into()),
            references: (0..20)
                .map(|number| format!("{number}-{}@example.com", "x".repeat(40)))
                .collect(),
        },
        attachments: vec![Attachment {
            source: AttachmentSource::Inline((0..=255).collect::<Vec<u8>>().into()),
            name: Some("Übersicht 2023.bin".into()),
            mime: Some("application/x-test".into()),
        }],
        ..Outbound::default()
    }
}

#[test]
fn the_library_of_python_reads_the_mime_that_we_write() {
    let message = outbound();
    let raw = compose(&message).unwrap();
    let read = &ask(SCRIPT, &json!([{"do": "read", "raw": STANDARD.encode(&raw)}]))[0];
    assert_eq!(read["defects"], json!([]));
    assert_eq!(read["from"], message.from);
    assert_eq!(read["name"].as_str(), message.from_name.as_deref());
    assert_eq!(read["subject"].as_str(), message.subject.as_deref());
    let text = read["text"].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), message.text.trim_end());
    assert_eq!(read["html"].as_str().unwrap().trim_end(), "<p>Grüße</p>");
    assert_eq!(read["files"], files(&message.attachments));
    assert!(read["longest"].as_u64().unwrap() <= 998, "{read}");
    let headers = read["headers"].as_array().unwrap();
    let header = |name: &str| {
        headers
            .iter()
            .find(|pair| pair[0] == name)
            .map(|pair| pair[1].as_str().unwrap())
    };
    assert_eq!(header("message-id"), Some("<n-1@shop.example>"));
    assert_eq!(header("in-reply-to"), Some("<c@example.com>"));
    assert_eq!(header("references").unwrap().split_whitespace().count(), 20);
    assert_eq!(header("auto-submitted"), Some("auto-replied"));
    assert_eq!(header("x-loop"), Some("support@shop.example"));
    assert_eq!(header("date"), Some("Tue, 14 Nov 2023 22:13:20 +0000"));
}

#[test]
fn we_read_the_mime_that_the_library_of_python_writes() {
    let long = "Zeile mit ß ".repeat(40);
    let cases = [
        (
            "Grüße aus Wien",
            "äöü und mehr\n",
            "utf-8",
            "base64",
            "Übersicht.bin",
        ),
        (
            "plain",
            "caf\u{e9}\n",
            "iso-8859-1",
            "quoted-printable",
            "a b.bin",
        ),
        (
            &*"sehr lange Betreffzeile mit ü ".repeat(8),
            &*long,
            "utf-8",
            "quoted-printable",
            &*format!("{}.bin", "ü".repeat(60)),
        ),
        ("日本語の件名", "こんにちは\n", "iso-2022-jp", "7bit", "日本.bin"),
    ];
    let questions: Vec<Value> = cases
        .iter()
        .map(|(subject, text, charset, cte, file)| {
            json!({"do": "write", "subject": subject, "text": text, "charset": charset, "cte": cte, "file": file})
        })
        .collect();
    let written = ask(SCRIPT, &questions.into());
    for (index, (subject, text, charset, _, file)) in cases.iter().enumerate() {
        let raw = STANDARD.decode(written[index].as_str().unwrap()).unwrap();
        let mail = parse(&raw).unwrap();
        assert_eq!(mail.head.subject.as_deref(), Some(subject.trim()), "{charset}");
        assert_eq!(
            mail.head.from.as_ref().map(|from| from.as_str()),
            Some("joerg@example.com")
        );
        assert_eq!(mail.head.from_name.as_deref(), Some("Jörg Ünger"));
        assert_eq!(mail.blocks[0].words().trim(), text.trim(), "{charset}");
        assert_eq!(mail.blocks[0].html.as_deref().map(str::trim), Some("<p>html</p>"));
        assert_eq!(mail.head.thread.references, ["a@shop.example", "b@shop.example"]);
        assert_eq!(mail.head.at, Some(Millis(NOW * 1_000)));
        let names: Vec<Option<&str>> = mail.attachments.iter().map(|file| file.name.as_deref()).collect();
        assert_eq!(names, [Some("p.png"), Some(*file), None]);
        let bytes: Vec<u8> = (0..9).flat_map(|_| 0..=255_u8).collect();
        assert_eq!(files(&mail.attachments)[1][1], digest(&bytes));
        assert_eq!(mail.attachments[2].mime.as_deref(), Some("message/rfc822"));
    }
}

#[test]
fn each_provider_is_sent_the_same_mail_each_time() {
    let account = Account {
        credentials: Some("planted".to_owned().into()),
        ..Account::default()
    };
    let message = outbound();
    for (provider, url) in [
        (&SendGrid as &dyn Provider, "api.sendgrid.com/v3/mail/send"),
        (&Mailgun, "api.mailgun.net/v3/shop.example/messages.mime"),
        (&Postmark, "api.postmarkapp.com/email"),
        (&SparkPost, "api.sparkpost.com/api/v1/transmissions"),
    ] {
        let call = provider.send(&account, &message).unwrap();
        assert_eq!(
            (call.method, call.url.strip_prefix("https://")),
            ("POST", Some(url))
        );
        assert_eq!(call, provider.send(&account, &message).unwrap());
        assert!(!format!("{call:?}").contains("planted"));
        let body = String::from_utf8_lossy(&call.body).into_owned();
        for said in [
            "nexusId",
            "n-1",
            "anna@example.com",
            "support@shop.example",
            "<n-1@shop.example>",
            "auto-replied",
        ] {
            assert!(body.contains(said), "{} {said}", provider.name());
        }
        assert!(provider.send(&Account::default(), &message).is_err());
    }
}
