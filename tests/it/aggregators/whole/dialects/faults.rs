//! Each provider fails once in every way a peer can, at one node: a campaign writes to a customer for each way. Nothing is lost, nothing
//! leaves in other bytes, and nothing leaves again once it was accepted.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::faults::FAULTS;
use super::super::given::{More, Site, Store};
use super::super::infobip::infobip;
use super::dialect::{Dialect, Keys};
use super::run::{channel, dialects};
use crate::support::part::{eventually, free_port};
use crate::support::receiver::{Receiver, Say, Seen};
use crate::support::whole::{ADMIN_KEY, CCID, send};

const BATCHES: &str = "/nexus/v3/campaigns/spring/batches";
const HEADERS: [(&str, &str); 3] = [
    ("x-api-key", ADMIN_KEY),
    ("x-ccid", CCID),
    ("content-type", "application/json"),
];
/// Silence and drops are borne for ten seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a customer's address has in common however it is written; none of our own has it.
fn mark(media: &str, n: usize) -> String {
    match media {
        "email" => format!("ann{n}.planted@customer.example"),
        _ => format!("1202555016{n}"),
    }
}

/// Which customer a request is for.
fn whose(seen: &Seen, media: &str) -> usize {
    let said = format!("{} {}", seen.path, String::from_utf8_lossy(&seen.body));
    let mut all = 0..FAULTS.len();
    all.find(|n| said.contains(&mark(media, *n))).expect("a customer")
}

/// Fails once for each customer.
fn failing(media: &'static str, takes: fn(&Seen) -> Say) -> impl Fn(&Seen) -> Say + Send + Sync + 'static {
    let met = Mutex::new(BTreeSet::new());
    move |seen| {
        let customer = whose(seen, media);
        match met.lock().unwrap().insert(customer) {
            true => (FAULTS[customer].1)(),
            false => takes(seen),
        }
    }
}

/// The address in the lines of a channel.
fn address(dialect: &Dialect) -> &'static str {
    let lines = dialect.channel.lines();
    let mut addresses = lines.filter_map(|line| line.strip_prefix("address = \"")?.strip_suffix('"'));
    addresses.next().expect("an address")
}

fn batch(provider: &str, media: &str, from: &str) -> Value {
    let message = |n: usize| {
        let mut message =
            json!({"recordHandle": n.to_string(), "to": mark(media, n), "text": "planted offer"});
        match media {
            // As the table's rows expect it.
            "email" => message["subject"] = json!("Re: Order 7"),
            _ => message["to"] = json!(format!("+{}", mark(media, n))),
        }
        message
    };
    let messages: Vec<Value> = (0..FAULTS.len()).map(message).collect();
    json!({"data": {"batchId": provider, "media": media, "from": from, "messages": messages}})
}

#[test]
fn whatever_any_provider_does_each_message_arrives_and_none_leaves_again_once_it_was_accepted() {
    let keys = Keys::made();
    let mut objects = String::new();
    let mut peers = Vec::new();
    for dialect in dialects() {
        // Each is a host of its own, as they are outside: what one does is no other's trouble.
        let peer = Receiver::judging(failing(dialect.media, dialect.judge));
        objects.push_str(&channel(dialect, &peer.url(""), &keys));
        peers.push((dialect.provider, dialect.media, address(dialect), Some(peer)));
    }
    let more = More {
        objects: &objects,
        ..More::default()
    };
    let mut site = Site::new(Store::Embedded, failing("sms", infobip), &more);
    peers.push(("infobip", "sms", "+12025550198", None));
    site.kill();
    let internal = SocketAddr::from(([127, 0, 0, 1], free_port()));
    site.settings.push(format!("listen.internal.address={internal}"));
    site.start();
    let post = |batch: &Value| send(internal, "POST", BATCHES, &HEADERS, batch.to_string().as_bytes());
    for (provider, media, from, _) in &peers {
        let (status, answer) = post(&batch(provider, media, from));
        assert_eq!(status, 202, "{provider}: {answer}");
    }
    let all = json!({"Sent": FAULTS.len()});
    let counts = |provider: &str| send(internal, "GET", &format!("{BATCHES}/{provider}"), &HEADERS, b"").1;
    let mut last = Value::Null;
    for (provider, ..) in &peers {
        eventually(&format!("{provider}: {all}"), PATIENCE, || {
            last = counts(provider)["data"]["counts"].clone();
            last == all
        });
    }
    // Whoever takes it up next knows what was accepted.
    site.crash();
    for (provider, media, from, peer) in &peers {
        assert_eq!(
            post(&batch(provider, media, from)).0,
            202,
            "{provider}: the same again"
        );
        assert_eq!(counts(provider)["data"]["counts"], all, "{provider}");
        let seen = peer.as_ref().unwrap_or(&site.provider).seen(0);
        for (n, (fault, _)) in FAULTS.iter().enumerate() {
            let of: Vec<&Seen> = seen.iter().filter(|seen| whose(seen, media) == n).collect();
            assert_eq!(of.len(), 2, "{provider}: {fault}");
            assert_eq!(
                (&of[0].path, &of[0].body),
                (&of[1].path, &of[1].body),
                "{provider}: the same again after {fault}"
            );
        }
    }
    site.logs_hold_none_of(&["customer.example", "1202555016"]);
}
