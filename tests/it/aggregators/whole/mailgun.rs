//! Mailgun: a mail opens a session, the answer belongs to its thread, and events say what became of it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::given::{FORM, MAILGUN_KEY, More, Site, Store, form, redis};
use super::journey::{FILE, sees, sends_a_file, shown, takes};
use crate::aggregators::mail::digest;
use crate::net_server::on_a_core;
use crate::support::part::hmac;
use crate::support::python::ask;
use crate::support::receiver::{Say, Seen};

const PATH: &str = "/nexus/v3/aggregators/mailgun/ch-mailgun";
pub(super) const ANN: &str = "ann.planted@customer.example";

/// The fields of a form with parts; each is its name and its bytes as text.
pub(super) fn parts(seen: &Seen) -> Vec<(String, String)> {
    let kind = seen.header("content-type");
    let boundary = kind.split("boundary=").nth(1).unwrap().trim_matches('"');
    let body = String::from_utf8(seen.body.clone()).unwrap();
    let separator = format!("--{boundary}");
    let parts = body
        .split(separator.as_str())
        .filter(|part| part.starts_with("\r\n"));
    parts
        .map(|part| {
            let (head, value) = part[2..].split_once("\r\n\r\n").unwrap();
            let name = head.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
            (name.to_owned(), value.strip_suffix("\r\n").unwrap().to_owned())
        })
        .collect()
}

/// Mailgun's interface: takes what its documentation lists and nothing else.
pub(super) fn mailgun(seen: &Seen) -> Say {
    let pair = STANDARD.encode("api:planted-mailgun-key");
    if seen.header("authorization") != format!("Basic {pair}") {
        return Say::json(401, "Forbidden");
    }
    if (seen.method.as_str(), seen.path.as_str()) != ("POST", "/v3/shop.example/messages.mime") {
        return Say::json(404, r#"{"message":"not found"}"#);
    }
    let parts = parts(seen);
    let known = |name: &str| name == "to" || name == "message" || name.starts_with("v:");
    if parts.len() != 3 || !parts.iter().all(|(name, _)| known(name)) {
        return Say::json(400, r#"{"message":"unknown field"}"#);
    }
    Say::json(
        200,
        r#"{"id":"<mg-1@shop.example>","message":"Queued. Thank you."}"#,
    )
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().to_string()
}

/// The seal of a callback, made by OpenSSL.
fn seal(key: &str, token: &str) -> Value {
    let timestamp = now();
    let tag = hmac("sha256", key, format!("{timestamp}{token}").as_bytes());
    json!({"timestamp": timestamp, "token": token, "signature": tag.strip_prefix("sha256=").unwrap()})
}

/// A mail as a route of Mailgun posts it.
#[derive(Clone, Copy)]
pub(super) struct Mail<'m> {
    pub(super) from: &'m str,
    pub(super) id: &'m str,
    pub(super) subject: &'m str,
    pub(super) answers: Option<&'m str>,
    pub(super) text: &'m str,
}

impl Mail<'_> {
    fn body(&self, seal: &Value) -> String {
        let mut headers = vec![
            json!(["From", format!("Ann Archer <{}>", self.from)]),
            json!(["To", "Shop <help@shop.example>"]),
            json!(["Subject", self.subject]),
            json!(["Message-Id", format!("<{}>", self.id)]),
        ];
        headers.extend(self.answers.map(|id| json!(["In-Reply-To", format!("<{id}>")])));
        let mut fields = json!({
            "recipient": "help@shop.example", "sender": self.from, "from": self.from, "subject": self.subject,
            "body-plain": self.text, "stripped-text": self.text, "message-headers": json!(headers).to_string(),
        });
        for (name, value) in seal.as_object().unwrap() {
            fields[name] = value.clone();
        }
        form(&fields)
    }

    pub(super) fn post(&self, site: &Site, token: &str) -> u16 {
        posted(site, &self.body(&seal(MAILGUN_KEY, token)))
    }
}

fn posted(site: &Site, body: &str) -> u16 {
    site.post(
        &format!("{PATH}/inbound"),
        &[("content-type", FORM)],
        body.as_bytes(),
    )
}

pub(super) fn event(site: &Site, token: &str, event: &str, ours: &str) -> u16 {
    let data = json!({"event": event, "timestamp": 1_700_000_000.5, "id": token, "user-variables": {"nexusId": ours},
                      "recipient": ANN, "message": {"headers": {"message-id": "mg-1@shop.example"}}});
    let body = json!({"signature": seal(MAILGUN_KEY, token), "event-data": data});
    let headers = [("content-type", "application/json")];
    site.post(&format!("{PATH}/status"), &headers, body.to_string().as_bytes())
}

/// What Python's library reads in the mail that was posted to the stand-in.
pub(super) fn read(seen: &Seen) -> Value {
    let parts = parts(seen);
    let mail = &parts.iter().find(|(name, _)| name == "message").unwrap().1;
    ask(
        "aggregators/mail.py",
        &json!([{"do": "read", "raw": STANDARD.encode(mail)}]),
    )[0]
    .clone()
}

pub(super) fn header(read: &Value, name: &str) -> Option<String> {
    let headers = read["headers"].as_array().unwrap().iter();
    let mut ours = headers.filter(|pair| pair[0] == name);
    ours.next().map(|pair| pair[1].as_str().unwrap().to_owned())
}

async fn a_mail_is_answered_in_its_thread_and_its_fate_is_shown(mut site: Site) {
    let first = Mail {
        from: ANN,
        id: "m1@customer.example",
        subject: "Order 7",
        answers: None,
        text: "planted: where is it?",
    };
    let forged = first.body(&seal("another-key", &"f".repeat(50)));
    assert_eq!(posted(&site, &forged), 403);
    let sealed = first.body(&seal(MAILGUN_KEY, &"a".repeat(50)));
    assert_eq!(posted(&site, &sealed), 200);
    // The same again is a provider that asks once more; the same seal on another mail is not theirs.
    assert_eq!(posted(&site, &sealed), 200);
    assert_eq!(posted(&site, &sealed.replace("where", "whose")), 403);
    let about = r#"channelId="ch-mailgun""#;
    assert_eq!(site.counted("hubpp_webhook_invalid_signature_total", &[about]), 2);

    let mut alice = site.node().agent("alice", "email").await;
    let session = takes(&mut alice).await;
    alice.hears(first.text).await;
    alice
        .does(
            "send-message",
            json!({"session": session, "message": "planted answer: on its way"}),
        )
        .await;
    let seen = site.provider.seen(1);
    let sent = read(&seen[0]);
    assert_eq!(sent["defects"], json!([]));
    assert_eq!(
        (&sent["from"], &sent["subject"]),
        (&json!("help@shop.example"), &json!("Re: Order 7"))
    );
    assert_eq!(header(&sent, "to").as_deref(), Some(ANN));
    assert_eq!(
        header(&sent, "in-reply-to").as_deref(),
        Some("<m1@customer.example>")
    );
    assert_eq!(
        header(&sent, "references").as_deref(),
        Some("<m1@customer.example>")
    );
    assert_eq!(header(&sent, "auto-submitted"), None, "a person wrote it");
    assert_eq!(
        sent["text"].as_str().unwrap().trim(),
        "planted answer: on its way"
    );
    sees(&mut alice, "Sent", 1).await;
    // A file goes along as it is.
    sends_a_file(&site, &mut alice, "alice", &session).await;
    let file = read(&site.provider.seen(2)[1]);
    assert_eq!(file["files"], json!([["plan.txt", digest(FILE.as_bytes())]]));
    assert_eq!(file["defects"], json!([]));
    sees(&mut alice, "Sent", 2).await;
    drop(alice);

    site.crash();
    let mut alice = site.node().agent("alice", "email").await;
    alice.hears(first.text).await;
    let ours = header(&sent, "message-id").unwrap();
    let ours = ours.trim_matches(['<', '>']).split('@').next().unwrap();
    assert_eq!(event(&site, &"b".repeat(50), "delivered", ours), 200);
    sees(&mut alice, "Delivered", 1).await;
    assert_eq!(event(&site, &"c".repeat(50), "accepted", ours), 200);
    assert_eq!(event(&site, &"d".repeat(50), "opened", ours), 200);
    sees(&mut alice, "Read", 1).await;
    assert_eq!(shown(&alice), ["Sent", "Sent", "Delivered", "Read"]);
    assert_eq!(alice.texts(&session), [first.text, "planted answer: on its way"]);
    assert_eq!(site.provider.count(), 2, "each was sent once");
    drop(alice);
    site.logs_hold_none_of(&["customer.example", "Order 7"]);
}

/// A customer goes on from another mailbox, with a program that keeps the ids, and with one that loses them.
async fn a_mail_from_elsewhere_joins_the_conversation_it_answers(site: Site) {
    let first = Mail {
        from: ANN,
        id: "m1@customer.example",
        subject: "Order 7",
        answers: None,
        text: "planted: where is it?",
    };
    assert_eq!(first.post(&site, &"a".repeat(50)), 200);
    let mut alice = site.node().agent("alice", "email").await;
    let session = takes(&mut alice).await;
    alice
        .does(
            "send-message",
            json!({"session": session, "message": "planted answer"}),
        )
        .await;
    let sent = read(&site.provider.seen(1)[0]);
    let ours = header(&sent, "message-id").unwrap();
    let subject = sent["subject"].as_str().unwrap();
    assert!(subject.starts_with("Re: Order 7 [#"), "{subject}");
    let at_work = Mail {
        from: "archer.planted@work.example",
        id: "m2@work.example",
        subject: "Re: something else",
        answers: Some(ours.trim_matches(['<', '>'])),
        text: "planted: I am at work now",
    };
    let marked = format!("AW: {}", subject.to_lowercase());
    let without_ids = Mail {
        id: "m3@work.example",
        subject: &marked,
        answers: None,
        text: "planted: and my phone loses ids",
        ..at_work
    };
    // Somebody who guesses begins a conversation of their own.
    let broken = marked.replace("[#0", "[#1");
    let guessing = Mail {
        from: "eve.planted@work.example",
        id: "m4@work.example",
        subject: &broken,
        answers: Some("00000000000070008000000000000000.2@shop.example"),
        text: "planted: let me in",
    };
    for (mail, token) in [(&at_work, "b"), (&without_ids, "c"), (&guessing, "d")] {
        assert_eq!(mail.post(&site, &token.repeat(50)), 200);
    }
    let told = |mail: &Mail<'_>| format!("{}:\n\n{}", mail.from, mail.text);
    alice.hears(&told(&at_work)).await;
    alice.hears(&told(&without_ids)).await;
    let other = takes(&mut alice).await;
    assert_ne!(other, session);
    assert_eq!(alice.texts(&other), [guessing.text]);
    let all = [first.text, "planted answer", &told(&at_work), &told(&without_ids)];
    assert_eq!(alice.texts(&session), all);
    // What is answered now answers the newest, to the mailbox the conversation began with, and bears one token.
    alice
        .does(
            "send-message",
            json!({"session": session, "message": "planted goodbye"}),
        )
        .await;
    let sent = read(&site.provider.seen(2)[1]);
    assert_eq!(header(&sent, "in-reply-to").as_deref(), Some("<m3@work.example>"));
    assert_eq!(header(&sent, "to").as_deref(), Some(ANN));
    assert_eq!(sent["subject"].as_str().unwrap().matches("[#").count(), 1);
    drop(alice);
    site.logs_hold_none_of(&["work.example", "customer.example"]);
}

#[test]
fn a_mail_from_elsewhere_joins_the_conversation_it_answers_on_the_embedded_default() {
    on_a_core(async {
        let site = Site::new(Store::Embedded, mailgun, &MARKED);
        a_mail_from_elsewhere_joins_the_conversation_it_answers(site).await;
    });
}

#[test]
fn a_mail_from_elsewhere_joins_the_conversation_it_answers_on_redis() {
    on_a_core(async {
        let site = Site::new(redis(), mailgun, &MARKED);
        a_mail_from_elsewhere_joins_the_conversation_it_answers(site).await;
    });
}

/// Subjects name their session.
const MARKED: More<'static> = More {
    mailgun: "config = { subjectToken = true }",
    twilio: "",
    objects: "",
};

#[test]
fn a_mail_is_answered_in_its_thread_on_the_embedded_default() {
    on_a_core(async {
        a_mail_is_answered_in_its_thread_and_its_fate_is_shown(Site::embedded(mailgun)).await
    });
}

#[test]
fn a_mail_is_answered_in_its_thread_on_redis() {
    on_a_core(async {
        a_mail_is_answered_in_its_thread_and_its_fate_is_shown(Site::on_redis(mailgun)).await
    });
}
