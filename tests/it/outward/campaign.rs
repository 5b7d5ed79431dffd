//! Connection 6: a campaign service posts batches, customers get the messages, and each record's status comes back.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::{SinkExt, StreamExt};
use nexus::log::NodeId;
use nexus::log::memory::MemoryStore;
use nexus::model::{BatchHead, Body, FeedEvent, LogId, Media, TenantId};
use nexus::routing::BuiltinRouter;
use nexus::runtime::Clock;
use nexus::shard::{Campaigns, Deliverer, Delivery, Links, Neighbours, ShardOptions, Shards, Verdict};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use uuid::Uuid;

use crate::net_server::on_a_core;
use crate::support::part::{eventually, free_port, hmac};
use crate::support::receiver::{Receiver, Say};
use crate::support::whole::{ADMIN_KEY, CCID, Whole, send};

const SECRET: &str = "demo-channel-secret";
const PATIENCE: Duration = Duration::from_secs(40);

/// A node with a channel that campaigns leave by.
struct Site {
    whole: Whole,
    internal: SocketAddr,
    channel: String,
}

impl Site {
    fn start(webhook: &str, settings: &[&str]) -> Self {
        Self::keeping(webhook, settings, json!({}))
    }

    /// The same with a `config` of the channel.
    fn keeping(webhook: &str, settings: &[&str], config: Value) -> Self {
        let mut site = Self::again(settings);
        let endpoint =
            json!({"name": "texts", "stream": "async", "mediaType": "sms", "queue": "chat.inbound"});
        site.whole.provision("endpoints", endpoint);
        site.channel = site.whole.provision(
            "channels",
            json!({"name": "Campaigns", "media": "sms", "provider": "third-party", "address": "+12025550199", "endpoint": "texts",
                   "webhookUrl": webhook, "secret": SECRET, "retryTimeoutMs": 200, "retryAttempts": 100, "config": config}),
        );
        site
    }

    /// A customer writes to the number; the session of it.
    fn hears(&self, id: &str, from: &str, text: &str) -> String {
        let message = json!({"id": id, "type": "Text", "from": {"id": from, "nickname": "Ann"}, "to": {"id": "+12025550199"}, "text": text});
        let body = message.to_string();
        let signature = hmac("sha1", SECRET, body.as_bytes());
        let path = format!("/nexus/v3/channels/{}/messages", self.channel);
        let headers = [
            ("x-ccid", CCID),
            ("x-hub-signature", signature.as_str()),
            ("content-type", "application/json"),
        ];
        let (status, answer) = self.whole.send("POST", &path, &headers, body.as_bytes());
        assert_eq!(status, 200, "{answer}");
        answer["data"]["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned()
    }

    fn again(settings: &[&str]) -> Self {
        let internal = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = format!("listen.internal.address={internal}");
        let mut all = vec![listen.as_str()];
        all.extend(settings);
        Self {
            whole: Whole::start(&all),
            internal,
            channel: String::new(),
        }
    }

    fn post(&self, batch: &Value) -> (u16, Value) {
        let body = json!({"data": batch}).to_string();
        let headers = [
            ("x-api-key", ADMIN_KEY),
            ("x-ccid", CCID),
            ("content-type", "application/json"),
        ];
        send(
            self.internal,
            "POST",
            "/nexus/v3/campaigns/spring/batches",
            &headers,
            body.as_bytes(),
        )
    }

    /// The `Retry-After` of a batch that is refused.
    fn retry_after(&self, batch: &Value) -> u64 {
        let body = json!({"data": batch}).to_string();
        let mut stream = std::net::TcpStream::connect(self.internal).unwrap();
        let length = body.len();
        let head = format!(
            "POST /nexus/v3/campaigns/spring/batches HTTP/1.1\r\nHost: test\r\nConnection: close\r\nx-api-key: {ADMIN_KEY}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        let answer = answer.to_ascii_lowercase();
        let value = answer.lines().find_map(|line| line.strip_prefix("retry-after: "));
        value.expect("a Retry-After").trim().parse().unwrap()
    }

    fn counts(&self, batch: &str) -> Value {
        let path = format!("/nexus/v3/campaigns/spring/batches/{batch}");
        let (status, answer) = send(self.internal, "GET", &path, &[("x-api-key", ADMIN_KEY)], b"");
        assert_eq!(status, 200, "{answer}");
        answer["data"]["counts"].clone()
    }

    fn until(&self, batch: &str, counts: &Value) {
        let mut last = Value::Null;
        eventually(&format!("{counts}"), PATIENCE, || {
            last = self.counts(batch);
            last == *counts
        });
    }

    async fn stream(&self) -> Consumer {
        let stream = TcpStream::connect(self.internal).await.unwrap();
        let url = format!("ws://{}/nexus/v3/campaigns/stream?ccid={CCID}", self.internal);
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("x-api-key", ADMIN_KEY.parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        Consumer { socket }
    }
}

/// The campaign service's end of the stream, by a library that is not ours.
struct Consumer {
    socket: WebSocketStream<TcpStream>,
}

impl Consumer {
    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            if let Message::Text(text) = message.expect("a frame in time").unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    async fn statuses(&mut self, count: usize) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        while all.len() < count {
            let frame = self.next().await;
            if frame["type"] == "RecordStatus" {
                let before = all
                    .last()
                    .and_then(|last| last["seq"].as_u64())
                    .unwrap_or_default();
                assert!(frame["seq"].as_u64().unwrap() > before, "in order: {frame}");
                all.push(frame);
            }
        }
        all
    }

    async fn ack(&mut self, seq: &Value) {
        let frame = json!({"type": "Ack", "seq": seq}).to_string();
        self.socket.send(Message::text(frame)).await.unwrap();
    }

    async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

fn batch(id: &str, count: usize) -> Value {
    let messages: Vec<Value> = (0..count)
        .map(|n| json!({"recordHandle": format!("{}", 9_000 + n), "to": format!("+1202555{n:04}"), "text": format!("Offer {n}")}))
        .collect();
    json!({"batchId": id, "media": "sms", "from": "+12025550199", "messages": messages})
}

#[test]
fn a_batch_is_sent_once_and_each_status_is_told_until_it_is_acknowledged() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, "{}"));
        let site = Site::start(&peer.url("/hook"), &[]);
        let mut asked = batch("b-1", 3);
        asked["messages"][2]["to"] = json!("no number");
        let (status, answer) = site.post(&asked);
        assert_eq!((status, &answer["status"]["code"]), (202, &json!(1)), "{answer}");
        let refused = json!([{"recordHandle": "9002", "code": "bad_address"}]);
        assert_eq!(
            (&answer["data"]["accepted"], &answer["data"]["rejected"]),
            (&json!(2), &refused)
        );
        site.until("b-1", &json!({"Sent": 2, "Rejected": 1}));

        // The same again is the same answer and no second message; another under its name is refused.
        assert_eq!(site.post(&asked), (202, answer));
        let (status, reused) = site.post(&batch("b-1", 2));
        assert_eq!((status, &reused["status"]["code"]), (422, &json!(42201)));
        let texts: Vec<Value> = peer
            .seen(2)
            .iter()
            .map(|seen| seen.json()["text"].clone())
            .collect();
        assert!(
            texts.contains(&json!("Offer 0")) && texts.contains(&json!("Offer 1")),
            "{texts:?}"
        );

        let mut consumer = site.stream().await;
        let hello = consumer.next().await;
        assert_eq!(
            (
                &hello["type"],
                &hello["status"],
                &hello["media"]["sms"],
                &hello["ccid"]
            ),
            (&json!("ServiceStatus"), &json!("up"), &json!("up"), &json!(CCID))
        );
        let told = consumer.statuses(2).await;
        assert!(
            told.iter()
                .all(|one| one["status"] == "Sent" && one["batchId"] == "b-1")
        );
        consumer.ack(&told[0]["seq"]).await;
        consumer.close().await;
        // It is kept within a moment; until then the first may be told again, and after it only the second.
        let mut consumer = loop {
            let mut consumer = site.stream().await;
            let again = consumer.statuses(1).await.remove(0);
            if again == told[1] {
                break consumer;
            }
            assert_eq!(again, told[0]);
            consumer.close().await;
        };
        consumer.ack(&told[1]["seq"]).await;

        // The next batch is behind it, and only that.
        let (status, _) = site.post(&batch("b-2", 1));
        assert_eq!(status, 202);
        assert_eq!(consumer.statuses(1).await[0]["batchId"], "b-2");
        assert_eq!(peer.count(), 3);
    });
}

/// Takes note of what a core delivers.
struct Noting(mpsc::Sender<LogId>);

impl Deliverer for Noting {
    fn deliver<'a>(&'a self, _: &'a Shards, delivery: Delivery) -> LocalBoxFuture<'a, Verdict> {
        self.0.send(delivery.id.log).unwrap();
        Box::pin(std::future::ready(Verdict::Done))
    }
}

#[test]
fn a_batchs_messages_do_not_wait_for_the_sweep() {
    on_a_core(async {
        let clock = Clock::system();
        let log = MemoryStore::new(16, clock.clone()).unwrap().core();
        let (links, mut rooms) = Links::between(1, 64);
        let (noted, begun) = mpsc::channel();
        let neighbours = Neighbours {
            router: Rc::new(BuiltinRouter::new(Rc::clone(&log))),
            deliverer: Rc::new(Noting(noted)),
        };
        let options = ShardOptions {
            sweep_every: Duration::from_secs(3_600),
            ..ShardOptions::default()
        };
        let node = NodeId(Uuid::from_u128(1));
        let room = rooms.remove(0);
        let shards = Shards::start(
            room,
            links,
            Rc::clone(&log),
            neighbours,
            clock.clone(),
            node,
            options,
        );
        // The first sweep comes at once, and finds nothing.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        let tenant = TenantId(Uuid::from_u128(7));
        let id = Campaigns::log_of(tenant, "spring", "b-1");
        let head = BatchHead {
            tenant,
            campaign: "spring".to_owned(),
            batch: "b-1".to_owned(),
            media: Media::Sms,
            channel: "c".to_owned(),
            test: false,
            total: 2,
            fingerprint: "f".to_owned(),
        };
        let message = |record: &str| {
            let record = record.to_owned();
            (FeedEvent::Message { record }, Body::text("{}"))
        };
        let campaigns = Campaigns::new(log, clock);
        let known = campaigns.batch(id).await.unwrap();
        let written = campaigns.extend(id, &known, &head, vec![message("1"), message("2")]);
        assert!(written.await.unwrap());
        shards.lease_soon(id);
        for _ in 0..2 {
            let next = loop {
                match begun.try_recv() {
                    Ok(next) => break next,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            assert_eq!(next, id);
        }
    });
}

#[test]
fn a_receipt_of_a_campaigns_message_is_told_and_never_moves_back() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, r#"{"messageId":"theirs-1"}"#));
        let site = Site::start(&peer.url("/hook"), &[]);
        assert_eq!(site.post(&batch("b-1", 1)).0, 202);
        site.until("b-1", &json!({"Sent": 1}));
        let receipt = |kind: &str| {
            let body = json!({"type": "Receipt", "messageId": "theirs-1", "receipt": kind}).to_string();
            let signature = hmac("sha1", SECRET, body.as_bytes());
            let path = format!("/nexus/v3/channels/{}/messages", site.channel);
            let headers = [
                ("x-ccid", CCID),
                ("x-hub-signature", signature.as_str()),
                ("content-type", "application/json"),
            ];
            site.whole.send("POST", &path, &headers, body.as_bytes()).0
        };
        assert_eq!(receipt("Displayed"), 200);
        assert_eq!(receipt("Delivered"), 200);
        site.until("b-1", &json!({"Opened": 1}));
        let mut consumer = site.stream().await;
        let told = consumer.statuses(2).await;
        assert_eq!(
            (&told[0]["status"], &told[1]["status"]),
            (&json!("Sent"), &json!("Opened"))
        );
    });
}

#[test]
fn batches_are_refused_while_the_buffer_is_full_and_to_those_who_may_not() {
    let peer = Receiver::start(Say::json(503, ""));
    let site = Site::start(&peer.url("/hook"), &["campaign.buffer=1"]);
    assert_eq!(site.post(&batch("b-1", 8)).0, 202);
    let (status, full) = site.post(&batch("b-2", 1));
    assert_eq!((status, &full["status"]["code"]), (429, &json!(42901)), "{full}");
    assert!(
        site.retry_after(&batch("b-3", 1)) >= 1,
        "and told when to come again"
    );
    assert_eq!(site.post(&batch("b-1", 8)).0, 202, "a repeat needs no room");
    let path = "/nexus/v3/campaigns/spring/batches/b-1";
    assert_eq!(send(site.internal, "GET", path, &[], b"").0, 401);
    let other = [
        ("x-api-key", ADMIN_KEY),
        ("x-ccid", "11111111-52a1-4a0b-9f38-1c2d3e4f5a6b"),
    ];
    assert_eq!(send(site.internal, "GET", path, &other, b"").0, 404);
    let nobody = "/nexus/v3/campaigns/spring/batches/b-9";
    assert_eq!(send(site.internal, "GET", nobody, &other[..1], b"").0, 404);
}

#[test]
fn a_test_batch_is_sent_at_once_and_said_to_be_one_everywhere() {
    on_a_core(async {
        let peer = Receiver::start(Say::json(200, "{}"));
        let site = Site::keeping(&peer.url("/hook"), &[], json!({"campaignHours": "never"}));
        site.whole.provision("opening-hours", json!({"name": "never"}));
        assert_eq!(site.post(&batch("b-real", 1)).0, 202);
        let mut asked = batch("b-test", 1);
        asked["test"] = json!(true);
        assert_eq!(site.post(&asked).0, 202);
        site.until("b-test", &json!({"Sent": 1}));
        let mut consumer = site.stream().await;
        let told = consumer.statuses(1).await.remove(0);
        assert_eq!(
            (&told["batchId"], &told["test"]),
            (&json!("b-test"), &json!(true))
        );
        // The other waits for its hour, and nobody has heard of it.
        assert_eq!(site.counts("b-real"), json!({"Pending": 1}));
        assert_eq!(peer.count(), 1);
    });
}

#[test]
fn who_opted_out_gets_nothing_and_the_campaign_that_wrote_to_them_hears_of_it() {
    let peer = Receiver::start(Say::json(200, "{}"));
    let site = Site::start(&peer.url("/hook"), &[]);
    let customer = "+12025550001";
    // The node has just learned that no campaign writes to anybody: it must know better before somebody can answer one.
    site.hears("theirs-9", "+12025558888", "Hello");
    assert_eq!(site.post(&batch("b-1", 2)).0, 202);
    site.until("b-1", &json!({"Sent": 2}));
    // What they answer first is the reply to it, and a STOP is the end of it.
    site.hears("theirs-0", customer, "Which order?");
    site.until("b-1", &json!({"Sent": 1, "Replied": 1}));
    site.hears("theirs-1", customer, "STOP");
    site.until("b-1", &json!({"Sent": 1, "OptOut": 1}));
    assert_eq!(site.post(&batch("b-2", 2)).0, 202);
    site.until("b-2", &json!({"Sent": 1, "OptOut": 1}));
    site.hears("theirs-2", customer, "START");
    assert_eq!(site.post(&batch("b-3", 2)).0, 202);
    site.until("b-3", &json!({"Sent": 2}));
    // Somebody to whom no campaign wrote answers none.
    site.hears("theirs-3", "+12025557777", "Hello");
    site.hears("theirs-4", customer, "Thank you");
    site.hears("theirs-5", customer, "Thank you again");
    site.until("b-3", &json!({"Sent": 1, "Replied": 1}));
    let mut told = Vec::new();
    on_a_core(async {
        let mut stream = site.stream().await;
        told = stream.statuses(9).await;
    });
    let replied: Vec<&Value> = told.iter().filter(|frame| frame["status"] == "Replied").collect();
    assert_eq!(replied.len(), 2, "once for each message: {told:?}");
    let about = |frame: &Value| (frame["batchId"].clone(), frame["recordHandle"].clone());
    assert_eq!(about(replied[1]), (json!("b-3"), json!("9001")));
    let seen = peer.seen(0);
    let offers = |text: &str| seen.iter().filter(|seen| seen.json()["text"] == text).count();
    assert_eq!((offers("Offer 0"), offers("Offer 1")), (3, 2));
}

#[test]
fn a_session_is_answered_while_every_message_of_a_campaign_hangs() {
    on_a_core(async {
        // The provider lets no message of the campaign go until the answer to a customer has come through.
        let gate = Arc::new((Mutex::new((0, false)), Condvar::new()));
        let judge = Arc::clone(&gate);
        let peer = Receiver::judging(move |seen| {
            let (state, changed) = &*judge;
            let mut state = state.lock().unwrap();
            if seen.json()["text"] == "An agent's answer" {
                state.1 = true;
                changed.notify_all();
            } else {
                state.0 += 1;
                let held = changed
                    .wait_timeout_while(state, PATIENCE, |state| !state.1)
                    .unwrap();
                assert!(!held.1.timed_out(), "the answer starved");
            }
            Say::json(200, "{}")
        });
        let site = Site::start(&peer.url("/hook"), &[]);
        for n in 0..12 {
            assert_eq!(site.post(&batch(&format!("b-{n}"), 30)).0, 202);
        }
        eventually("the campaign hangs", PATIENCE, || gate.0.lock().unwrap().0 >= 8);
        let mut alice = site.whole.agent("alice", "sms").await;
        let session = site.hears("theirs-1", "+12025559999", "Anybody there?");
        alice.state(&session, "Invited").await;
        alice.does("accept", json!({"session": session})).await;
        let said = json!({"session": session, "message": "An agent's answer"});
        alice.does("send-message", said).await;
        eventually("the agent's answer", PATIENCE, || gate.0.lock().unwrap().1);
        // Then the campaign goes on.
        site.until("b-0", &json!({"Sent": 30}));
    });
}

#[test]
fn after_a_crash_every_record_reaches_its_end_under_one_id() {
    let data = tempfile::tempdir().unwrap();
    let setting = format!("store.data_dir={}", data.path().display());
    let peer = Receiver::start(Say::json(200, "{}"));
    let count = 100;
    {
        let site = Site::start(&peer.url("/hook"), &[&setting]);
        assert_eq!(site.post(&batch("b-1", count)).0, 202);
        peer.seen(10);
        // Dropping it is `kill -9`.
    }
    let site = Site::again(&[&setting]);
    // What the first node was asked, the second knows: the same again, and another under its name.
    let (status, answer) = site.post(&batch("b-1", count));
    assert_eq!(
        (status, &answer["data"]["accepted"]),
        (202, &json!(count)),
        "{answer}"
    );
    let (status, reused) = site.post(&batch("b-1", count + 1));
    assert_eq!(
        (status, &reused["status"]["code"]),
        (422, &json!(42201)),
        "{reused}"
    );
    site.until("b-1", &json!({"Sent": count}));
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for seen in peer.seen(count) {
        let body = seen.json();
        let of = ids.entry(body["text"].to_string()).or_default();
        of.push(body["id"].to_string());
    }
    assert_eq!(ids.len(), count, "each at least once");
    assert!(
        ids.values().all(|of| of.iter().all(|id| *id == of[0])),
        "under one id: {ids:?}"
    );
}
