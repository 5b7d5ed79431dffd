//! The node with its stand-ins, and those who write to it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::TEXTS;
use super::board::{Board, Reached, words};
use crate::aggregators::whole::given::{
    FORM, INBOUND, PUBLIC, Signed, TWILIO_TOKEN, fields, text, twilio, twilio_signs,
};
use crate::support::contacts::Fault;
use crate::support::part::{eventually, free_port};
use crate::support::postgres::Postgres;
use crate::support::provisioned::{master_key, provision};
use crate::support::receiver::{Receiver, Say};
use crate::support::redis::RedisServer;
use crate::support::whole::{ADMIN_KEY, CCID, Whole};

const TENANT: &str = r#"
[[tenant]]
ccid = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b"
sid = "dev"
name = "Development"
staticAgentTokens = true
ucsUrl = "{contacts}"

[[tenant.apikeys]]
name = "Services and administration"
type = "service"
key = "00000000-0000-4000-8000-000000000001"
permissions = ["nexus:campaign:*"]

[[tenant.queues]]
name = "chat.inbound"
offerTimeoutSec = 20

[[tenant.agents]]
login = "alice"
nickname = "Alice"
token = "alice-development-token"
capacity = { sms = 3 }

[[tenant.endpoints]]
name = "texts"
stream = "async"
mediaType = "sms"
queue = "chat.inbound"

[[tenant.services]]
name = "Twilio"
kind = "sms"
provider = "twilio"
url = "{provider}"
credentials = '{"accountSid": "AC1", "authToken": "planted-twilio-auth-token"}'

[[tenant.channels]]
id = "ch-twilio"
name = "Shop by text"
media = "sms"
provider = "twilio"
address = "+12025550199"
serviceId = "Twilio"
endpoint = "texts"
secret = "planted-twilio-auth-token"
retryTimeoutMs = 300
retryAttempts = 100

[[tenant.webhooks]]
name = "all"
url = "{hook}"
secret = "s"
retryTimeoutMs = 300
retryAttempts = 200
"#;

/// Customers who write.
const CUSTOMERS: usize = 8;
/// Messages of one batch.
const BATCH: usize = 6;

/// Where the log lives.
pub(super) enum Store {
    Embedded,
    Redis(Box<RedisServer>, Box<Postgres>),
}

pub(super) struct Site {
    whole: Option<Whole>,
    settings: Vec<String>,
    internal: SocketAddr,
    texts: Arc<Vec<Signed>>,
    _store: Store,
    _data: TempDir,
    _peers: [Receiver; 2],
}

/// A node as long as it lives.
pub(super) struct Reach {
    pub(super) public: SocketAddr,
    internal: SocketAddr,
    texts: Arc<Vec<Signed>>,
    /// Nobody need begin anything any more.
    pub(super) over: AtomicBool,
}

impl Site {
    pub(super) fn new(store: Store, board: &Arc<Board>) -> Self {
        let (provider, hook) = (provider(board), hook(board));
        // History fails now and then too, before and after it has done what it was asked.
        let faults = (0..24).map(|n| match n % 8 {
            1 => Fault::Status(503),
            5 => Fault::Cut,
            _ => Fault::None,
        });
        board.contacts.fail(faults);
        let data = tempfile::tempdir().unwrap();
        let tenant = TENANT
            .replace("{provider}", provider.url("").trim_end_matches('/'))
            .replace("{hook}", &hook.url("/hook"))
            .replace("{contacts}", &board.contacts.url());
        let mut settings = vec![
            format!("store.data_dir={}", data.path().display()),
            format!("listen.public.url={PUBLIC}"),
            // It would be applied at each start, and know no service of contacts.
            "provisioning.development_tenant=false".to_owned(),
            "limits.rates.address=100000/s burst 100000".to_owned(),
            "limits.rates.commands=100000/s burst 100000".to_owned(),
        ];
        if let Store::Redis(redis, postgres) = &store {
            settings.push("store.mode=redis".to_owned());
            settings.push(format!("store.redis.urls={}", redis.url()));
            settings.push(format!("postgres.url={}", postgres.url()));
            settings.push(master_key(data.path()));
        }
        provision(data.path(), &settings, &tenant);
        let callbacks: Vec<(&str, &str, Value)> = (0..board.texts)
            .map(|n| {
                let from = format!("+1202555{:04}", n % CUSTOMERS);
                (TWILIO_TOKEN, INBOUND, text(&format!("SM{n}"), &from, &words(n)))
            })
            .collect();
        Self {
            whole: None,
            settings,
            internal: SocketAddr::from(([127, 0, 0, 1], 0)),
            texts: Arc::new(twilio_signs(&callbacks)),
            _store: store,
            _data: data,
            _peers: [provider, hook],
        }
    }

    pub(super) fn start(&mut self) {
        self.internal = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = format!("listen.internal.address={}", self.internal);
        let mut settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        settings.push(&listen);
        self.whole = Some(Whole::start(&settings));
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        self.whole = None;
    }

    pub(super) fn reach(&self) -> Reach {
        Reach {
            public: self.whole.as_ref().expect("a node that runs").addr,
            internal: self.internal,
            texts: Arc::clone(&self.texts),
            over: AtomicBool::new(false),
        }
    }
}

/// Twilio: takes what is in its form, but for every seventh, for which it has no time.
fn provider(board: &Arc<Board>) -> Receiver {
    let (board, turn) = (Arc::clone(board), AtomicUsize::new(0));
    Receiver::judging(move |seen| {
        if turn.fetch_add(1, Ordering::AcqRel) % 7 == 3 {
            return Say::json(503, "{}");
        }
        let say = twilio(seen);
        board.with(|notes| match say.status {
            201 => notes.sent.push(Reached {
                at: Instant::now(),
                body: seen.body.clone(),
            }),
            _ => notes.refused.push(say.body.clone()),
        });
        board.count();
        say
    })
}

/// A subscriber who is sometimes busy.
fn hook(board: &Arc<Board>) -> Receiver {
    let (board, turn) = (Arc::clone(board), AtomicUsize::new(0));
    Receiver::judging(move |seen| {
        if turn.fetch_add(1, Ordering::AcqRel) % 5 == 2 {
            return Say::json(503, "");
        }
        board.with(|notes| {
            notes.told.push(Reached {
                at: Instant::now(),
                body: seen.body.clone(),
            });
        });
        board.count();
        Say::json(200, "")
    })
}

impl Reach {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The texts of this round and those that nobody has acknowledged before, each until it is; every fourth comes once more.
    pub(super) fn texts(&self, board: &Board, round: usize, texter: usize) {
        let due = ((round + 1) * TEXTS).min(board.texts);
        for n in (0..due).filter(|n| n % 2 == texter) {
            if board.with(|notes| notes.acknowledged.contains(&n)) {
                continue;
            }
            let signed = &self.texts[n];
            let headers = [("content-type", FORM), ("x-twilio-signature", &signed.signature)];
            let mut taken = false;
            while !taken && !self.is_over() {
                taken = matches!(
                    call(
                        self.public,
                        "POST",
                        &signed.path,
                        &headers,
                        signed.body.as_bytes()
                    ),
                    Some((200, _))
                );
                if !taken && TcpStream::connect(self.public).is_err() {
                    return;
                }
            }
            if !taken {
                return;
            }
            board.with(|notes| notes.acknowledged.insert(n));
            board.count();
            if n % 4 == 0 {
                let again = call(
                    self.public,
                    "POST",
                    &signed.path,
                    &headers,
                    signed.body.as_bytes(),
                );
                assert!(
                    matches!(again, None | Some((200 | 503, _))),
                    "a repeat: {again:?}"
                );
            }
        }
    }

    /// A batch of the campaign, and what becomes of every batch so far.
    pub(super) fn campaign(&self, board: &Board, round: usize) {
        let headers = [
            ("x-api-key", ADMIN_KEY),
            ("x-ccid", CCID),
            ("content-type", "application/json"),
        ];
        for batch in 0..=round {
            let messages: Vec<Value> = (0..BATCH)
                .map(|n| {
                    let words = format!("offer-{batch}-{n}");
                    json!({"recordHandle": words, "to": format!("+1202556{:04}", batch * BATCH + n), "text": words})
                })
                .collect();
            let body = json!({"data": {"batchId": format!("b-{batch}"), "media": "sms", "from": "+12025550199", "messages": messages}});
            // A repeat of one that was taken is the same answer; of one that was cut off, its rest.
            let path = "/nexus/v3/campaigns/spring/batches";
            let Some((status, answer)) =
                call(self.internal, "POST", path, &headers, body.to_string().as_bytes())
            else {
                return;
            };
            if status == 202 {
                let texts = messages
                    .iter()
                    .filter_map(|one| one["text"].as_str().map(str::to_owned));
                board.with(|notes| notes.campaign.extend(texts));
                board.count();
            } else {
                assert_eq!(status, 503, "{answer}");
            }
        }
        let mut turn = 0;
        eventually("the round to end", Duration::from_secs(300), || {
            turn += 1;
            if turn % 16 != 0 {
                return self.is_over();
            }
            let path = format!("/nexus/v3/campaigns/spring/batches/b-{}", turn / 16 % (round + 1));
            let Some((200, answer)) = call(self.internal, "GET", &path, &headers, b"") else {
                return self.is_over();
            };
            let records = answer["data"]["records"].as_array().cloned().unwrap_or_default();
            let sent = records.iter().filter(|one| one["state"] != "Pending");
            let sent: Vec<String> = sent
                .filter_map(|one| one["recordHandle"].as_str().map(str::to_owned))
                .collect();
            board.with(|notes| {
                for text in sent {
                    notes.recorded.entry(text).or_insert_with(Instant::now);
                }
            });
            self.is_over()
        });
    }
}

/// One request; `None` where the node went away before it had answered.
fn call(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<(u16, Value)> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

/// The words of a text as the provider was given it.
pub(super) fn words_of(body: &[u8]) -> String {
    fields(body)["Body"].clone()
}
