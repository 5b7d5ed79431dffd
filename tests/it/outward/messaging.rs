//! Connection 1: a custom client and an agent talk.

use serde_json::{Value, json};

use crate::net_server::on_a_core;
use crate::support::process::get;
use crate::support::receiver::{Receiver, Say};
use crate::support::whole::{CCID, Whole};

const SECRET: &str = "demo-channel-secret";

/// HMAC-SHA1 by a program that is not ours.
fn signed(secret: &str, body: &[u8]) -> String {
    crate::support::part::hmac("sha1", secret, body)
}

struct Client<'w> {
    whole: &'w Whole,
    channel: String,
}

impl<'w> Client<'w> {
    fn new(whole: &'w Whole, webhook: &str) -> Self {
        Self::of(whole, webhook, "social")
    }

    fn of(whole: &'w Whole, webhook: &str, media: &str) -> Self {
        let (subtype, address) = match media {
            "sms" => ("SMS", "+12025550199"),
            _ => ("WhatsApp", "bank"),
        };
        let endpoint = format!("messenger-{media}");
        whole.provision(
            "endpoints",
            json!({"name": endpoint, "stream": "async", "mediaType": media, "queue": "chat.inbound"}),
        );
        let channel = whole.provision(
            "channels",
            json!({"name": format!("Messenger {media}"), "media": media, "provider": "third-party", "address": address,
                   "endpoint": endpoint, "webhookUrl": webhook, "secret": SECRET, "retryTimeoutMs": 200,
                   "config": {"subtype": subtype}}),
        );
        Self { whole, channel }
    }

    fn post(&self, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let signature = signed(SECRET, body.as_bytes());
        self.post_signed(&body, &signature, CCID)
    }

    fn post_signed(&self, body: &str, signature: &str, ccid: &str) -> (u16, Value) {
        let path = format!("/nexus/v3/channels/{}/messages", self.channel);
        let headers = [
            ("x-ccid", ccid),
            ("x-hub-signature", signature),
            ("content-type", "application/json"),
        ];
        self.whole.send("POST", &path, &headers, body.as_bytes())
    }
}

fn text(id: &str, from: &str, text: &str) -> Value {
    json!({"id": id, "type": "Text", "from": {"id": from, "nickname": "Ann"}, "to": {"id": "bank"}, "text": text})
}

#[test]
fn a_custom_client_and_an_agent_talk_and_the_receipt_is_shown_at_the_message() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, r#"{"messageId":"theirs-1"}"#));
        let whole = Whole::start(&[]);
        let client = Client::new(&whole, &peer.url("/hook"));
        let (status, answer) = client.post(&text("ext-1", "+12025550101", "Hello, I need help"));
        assert_eq!((status, &answer["status"]["code"]), (200, &json!(0)), "{answer}");
        let session = answer["data"]["sessionId"].as_str().unwrap().to_owned();

        let mut alice = whole.agent("alice", "social").await;
        let invited = alice.state(&session, "Invited").await;
        assert_eq!(invited["interaction"]["interactionSubtype"], "WhatsApp");
        alice.does("accept", json!({"session": session})).await;
        alice.state(&session, "Processing").await;
        alice.hears("Hello, I need help").await;

        // A second message continues the session, and is seen at once.
        let (_, again) = client.post(&text("ext-2", "+12025550101", "Are you there?"));
        assert_eq!(again["data"]["sessionId"], session.as_str());
        alice.hears("Are you there?").await;

        // The first again is the first again.
        let (status, repeat) = client.post(&text("ext-1", "+12025550101", "Hello, I need help"));
        assert_eq!((status, &repeat["data"]), (200, &answer["data"]));
        let (status, reused) = client.post(&text("ext-1", "+12025550101", "Something else"));
        assert_eq!((status, &reused["status"]["code"]), (422, &json!(42201)));

        alice
            .does(
                "send-message",
                json!({"session": session, "message": "At your service"}),
            )
            .await;
        let seen = peer.seen(1);
        let sent = &seen[0];
        assert_eq!(sent.header("x-hub-signature"), signed(SECRET, &sent.body));
        let body = sent.json();
        assert_eq!(
            (&body["text"], &body["to"]["id"]),
            (&json!("At your service"), &json!("+12025550101"))
        );
        assert_eq!(sent.header("x-b3-traceid").len(), 16);

        let shown =
            |status: &'static str| move |frame: &Value| frame["messages"][0]["delivery"]["status"] == status;
        alice.until("sent", shown("Sent")).await;
        let receipt = json!({"type": "Receipt", "messageId": "theirs-1", "receipt": "Displayed"});
        assert_eq!(client.post(&receipt).0, 200);
        let read = alice.until("read", shown("Read")).await;
        let message = read["messages"][0]["delivery"]["of"].as_u64().unwrap();
        // A receipt that comes late does not move it back.
        let late = json!({"type": "Receipt", "messageId": "theirs-1", "receipt": "Delivered"});
        assert_eq!(client.post(&late).0, 200);
        let line = alice
            .memory
            .seen
            .iter()
            .find(|frame| frame["n"] == message)
            .unwrap();
        assert_eq!(line["messages"][0]["text"], "At your service");
    });
}

#[test]
fn an_agents_cards_are_shown_where_they_can_be_and_read_where_not() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, r#"{"messageId":"m"}"#));
        let whole = Whole::start(&[]);
        let client = Client::new(&whole, &peer.url("/hook"));
        let texts = Client::of(&whole, &peer.url("/hook"), "sms");
        let card = json!({"title": "Bicycle", "subtitle": "EUR 300",
            "buttons": [{"text": "This one", "payload": "7"}, {"text": "Another"}]});
        let mut alice = whole.agent("alice", "social").await;
        alice.does("ready", json!({"media": "sms"})).await;
        let said = [
            "Which one?\n\nBicycle\nEUR 300\n[This one]\n[Another]",
            "Which one?",
        ];
        for (at, (client, from)) in [(&texts, "+12025550101"), (&client, "ann")]
            .into_iter()
            .enumerate()
        {
            let (status, answer) = client.post(&text("1", from, "Hello"));
            assert_eq!(status, 200, "{answer}");
            let session = answer["data"]["sessionId"].as_str().unwrap().to_owned();
            alice.state(&session, "Invited").await;
            alice.does("accept", json!({"session": session})).await;
            let shown = json!({"session": session, "message": "Which one?", "cards": [card]});
            alice.does("send-message", shown).await;
            alice.hears(said[0]).await;
            let sent = peer.seen(at + 1)[at].json();
            assert_eq!(sent["text"], said[at], "{sent}");
        }
        let (read, shown) = (peer.seen(2)[0].json(), peer.seen(2)[1].json());
        assert_eq!((&read["type"], &read["cards"]), (&json!("Text"), &Value::Null));
        assert_eq!(
            (&shown["type"], &shown["cards"]),
            (&json!("Structured"), &json!([card]))
        );
        // What the customer chose comes back as their words.
        let chosen = json!({"id": "2", "type": "QuickReply", "from": {"id": "ann"}, "to": {"id": "bank"},
            "quickReply": {"text": "This one", "payload": "7"}});
        assert_eq!(client.post(&chosen).0, 200);
        alice.hears("This one").await;
    });
}

#[test]
fn a_peer_in_trouble_is_asked_again_with_the_same_bytes_and_one_that_refuses_is_not() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, r#"{"messageId":"m"}"#));
        peer.script([
            Say::json(503, ""),
            Say::reset(),
            Say::json(200, r#"{"messageId":"m1"}"#),
            Say::json(400, "no"),
        ]);
        let whole = Whole::start(&[]);
        let client = Client::new(&whole, &peer.url("/hook"));
        let (_, answer) = client.post(&text("1", "ann", "hi"));
        let session = answer["data"]["sessionId"].as_str().unwrap().to_owned();
        let mut alice = whole.agent("alice", "social").await;
        alice.state(&session, "Invited").await;
        alice.does("accept", json!({"session": session})).await;
        alice
            .does("send-message", json!({"session": session, "message": "one"}))
            .await;
        alice
            .does("send-message", json!({"session": session, "message": "two"}))
            .await;
        let seen = peer.seen(4);
        assert!(
            seen[..3].iter().all(|one| one.body == seen[0].body),
            "the same bytes at every attempt"
        );
        assert!(
            seen[..3]
                .iter()
                .all(|one| one.header("x-b3-traceid") == seen[0].header("x-b3-traceid"))
        );
        assert_eq!(seen[0].json()["text"], "one");
        assert_eq!(
            seen[3].json()["text"],
            "two",
            "in order, each after the one before"
        );
        let failed = |frame: &Value| frame["messages"][0]["delivery"]["status"] == "Failed";
        let failed = alice.until("failed", failed).await;
        assert_eq!(failed["messages"][0]["delivery"]["code"], "400");
    });
}

#[test]
fn a_file_is_uploaded_named_and_seen() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, "{}"));
        let whole = Whole::start(&[]);
        let client = Client::new(&whole, &peer.url("/hook"));
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\x0f\x04\0\x09\xfb\x03\xfd\xfb\x5e\x6b\x2b\0\0\0\0IEND\xaeB`\x82";
        let mut body =
            b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n".to_vec();
        body.extend_from_slice(png);
        body.extend_from_slice(b"\r\n--b--\r\n");
        let path = format!("/nexus/v3/channels/{}/media", client.channel);
        let signature = signed(SECRET, &body);
        let headers = [
            ("x-ccid", CCID),
            ("x-hub-signature", signature.as_str()),
            ("content-type", "multipart/form-data; boundary=b"),
        ];
        let (status, answer) = whole.send("POST", &path, &headers, &body);
        assert_eq!(
            (status, &answer["data"]["mimetype"]),
            (200, &json!("image/png")),
            "{answer}"
        );
        let forged = [headers[0], ("x-hub-signature", "sha1=00"), headers[2]];
        assert_eq!(whole.send("POST", &path, &forged, &body).0, 401);
        let rich = json!({"id": "1", "type": "RichMedia", "from": {"id": "ann"}, "text": "look",
                          "attachments": [{"url": answer["data"]["url"]}]});
        let (status, answer) = client.post(&rich);
        assert_eq!(status, 200, "{answer}");
        let session = answer["data"]["sessionId"].as_str().unwrap().to_owned();
        let mut alice = whole.agent("alice", "social").await;
        alice.state(&session, "Invited").await;
        alice.does("accept", json!({"session": session})).await;
        let is_file = |frame: &Value| {
            let messages = frame["messages"].as_array();
            messages.is_some_and(|all| all.iter().any(|one| one["file"]["mime"] == "image/png"))
        };
        if !alice.memory.seen.iter().any(is_file) {
            alice.until("the file", is_file).await;
        }
    });
}

#[test]
fn a_file_of_the_agent_is_named_and_fetched_at_its_address() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, "{}"));
        for (media, from) in [
            ("social", "ann"),
            ("email", "ann@mail.example"),
            ("sms", "+12025550101"),
        ] {
            let whole = Whole::start(&["listen.public.url=https://digital.example.com"]);
            let client = Client::of(&whole, &peer.url("/hook"), media);
            let (_, answer) = client.post(&text("1", from, "send it to me"));
            let session = answer["data"]["sessionId"].as_str().unwrap().to_owned();
            let mut alice = whole.agent("alice", media).await;
            alice.state(&session, "Invited").await;
            alice.does("accept", json!({"session": session})).await;
            let body = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"plan.txt\"\r\n\r\nplanted plan\r\n--b--\r\n";
            let headers = [
                ("authorization", "Bearer alice-development-token"),
                ("content-type", "multipart/form-data; boundary=b"),
            ];
            let path = format!("/nexus/v3/agents/me/interactions/{session}/files");
            let stored = whole.send("POST", &path, &headers, body).1;
            let before = peer.count();
            let file = json!({"session": session, "mediaId": stored["data"]["mediaId"], "name": "plan.txt"});
            alice.does("send-file", file).await;
            let told = peer.seen(before + 1)[before].json();
            let named = &told["attachments"][0];
            assert_eq!(
                (&told["type"], &named["filename"], &named["mimetype"]),
                (&json!("RichMedia"), &json!("plan.txt"), &json!("text/plain"))
            );
            let path = named["url"]
                .as_str()
                .unwrap()
                .strip_prefix("https://digital.example.com")
                .unwrap();
            assert_eq!(get(whole.addr, path), (200, "planted plan".to_owned()), "{media}");
        }
    });
}

#[test]
fn whoever_cannot_sign_changes_nothing_and_learns_nothing() {
    let whole = Whole::start(&[]);
    let client = Client::new(&whole, "https://peer.example.com/hook");
    let body = text("1", "ann", "hi").to_string();
    let good = signed(SECRET, body.as_bytes());
    let codes = |answer: (u16, Value)| (answer.0, answer.1["status"]["code"].as_u64().unwrap_or_default());
    assert_eq!(codes(client.post_signed(&body, "sha1=00", CCID)), (401, 40104));
    assert_eq!(
        codes(client.post_signed(&body.replace("hi", "ho"), &good, CCID)),
        (401, 40104)
    );
    let other = "11111111-52a1-4a0b-9f38-1c2d3e4f5a6b";
    assert_eq!(codes(client.post_signed(&body, &good, other)), (404, 40401));
    let elsewhere = Client {
        whole: &whole,
        channel: "no-such-channel".to_owned(),
    };
    assert_eq!(codes(elsewhere.post_signed(&body, &good, CCID)), (404, 40401));
    let nonsense = signed(SECRET, b"{}");
    assert_eq!(codes(client.post_signed("{}", &nonsense, CCID)), (400, 40001));
    assert_eq!(client.post_signed(&body, &good, CCID).0, 200);
    // A channel that has no secret believes nobody. Each reason is counted.
    let open = whole.provision(
        "channels",
        json!({"name": "Open", "media": "social", "provider": "third-party", "address": "open", "endpoint": "messenger-social",
               "webhookUrl": "https://peer.example.com/hook"}),
    );
    let path = format!("/nexus/v3/channels/{open}/messages");
    let headers = [
        ("x-ccid", CCID),
        ("x-hub-signature", good.as_str()),
        ("content-type", "application/json"),
    ];
    let refused = whole.send("POST", &path, &headers, body.as_bytes());
    assert_eq!(codes(refused), (401, 40104));
    let unsigned = [("x-ccid", CCID), ("content-type", "application/json")];
    let path = format!("/nexus/v3/channels/{}/messages", client.channel);
    let refused = whole.send("POST", &path, &unsigned, body.as_bytes());
    assert_eq!(codes(refused), (401, 40104));
    let page = get(whole.admin, "/metrics").1;
    for (reason, count) in [
        ("channel_undefined_secret", 1),
        ("undefined_signature", 1),
        ("invalid_signature", 2),
        ("unknown_channel", 2),
        ("with_error", 1),
    ] {
        let name = format!("hubpp_webhook_{reason}_total");
        let ours = page.lines().filter(|line| line.starts_with(&name));
        let all: u64 = ours
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        assert_eq!(all, count, "{reason}\n{page}");
    }
}

#[test]
fn a_message_that_was_acknowledged_is_there_after_a_crash() {
    on_a_core(async {
        let data = tempfile::tempdir().unwrap();
        let setting = format!("store.data_dir={}", data.path().display());
        let peer = Receiver::start(Say::json(200, "{}"));
        let session = {
            let whole = Whole::start(&[&setting]);
            let client = Client::new(&whole, &peer.url("/hook"));
            let (status, answer) = client.post(&text("1", "ann", "kept"));
            assert_eq!(status, 200, "{answer}");
            // Dropping it is `kill -9`.
            answer["data"]["sessionId"].as_str().unwrap().to_owned()
        };
        let whole = Whole::start(&[&setting]);
        let mut alice = whole.agent("alice", "social").await;
        alice.state(&session, "Invited").await;
        alice.does("accept", json!({"session": session})).await;
        alice.hears("kept").await;
    });
}
