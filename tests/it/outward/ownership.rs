//! Connection 12 before an independent verifier: the Standard Webhooks headers through a change of secrets, and endpoints that hear
//! nothing until they have answered a challenge.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::webhooks::a_chat;
use crate::support::part::eventually;
use crate::support::python::Python;
use crate::support::whole::{ADMIN_KEY, Whole, send};

const OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const NEW: &str = "whsec_FxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA";

struct Subscriber {
    addr: SocketAddr,
    _script: Python,
}

impl Subscriber {
    fn start() -> Self {
        let script = Python::start("outward/subscriber.py");
        let port = script.ready["port"]
            .as_u64()
            .and_then(|port| port.try_into().ok());
        Self {
            addr: ([127, 0, 0, 1], port.expect("a port")).into(),
            _script: script,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    fn control(&self, what: &Value) {
        assert_eq!(
            send(self.addr, "POST", "/control", &[], what.to_string().as_bytes()).0,
            200
        );
    }

    fn seen(&self) -> Value {
        send(self.addr, "GET", "/seen", &[], b"").1
    }

    fn notices(&self) -> Vec<Value> {
        self.seen()["notices"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until so many notices have come in all.
    fn heard(&self, count: usize) -> Vec<Value> {
        let enough = || self.notices().len() >= count;
        eventually("the notices", Duration::from_secs(40), enough);
        self.notices()
    }
}

/// Opens chats until the subscriber hears of one at this path: what is shown is in force a moment later.
fn until_heard(whole: &Whole, subscriber: &Subscriber, path: &str) {
    let heard = || {
        let session = a_chat(whole);
        let of_it = |one: &Value| one["session"] == session.as_str() && one["path"] == path;
        let heard = || subscriber.notices().iter().filter(|one| of_it(one)).count() == 2;
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            if heard() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    };
    eventually("a notice", Duration::from_secs(40), heard);
}

fn admin(whole: &Whole, method: &str, id: &str, body: &Value) -> Value {
    let headers = [("x-api-key", ADMIN_KEY), ("content-type", "application/json")];
    let body = if body.is_null() {
        String::new()
    } else {
        json!({"data": body}).to_string()
    };
    let (status, answer) = whole.send(
        method,
        &format!("/nexus/v3/webhooks/{id}"),
        &headers,
        body.as_bytes(),
    );
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

fn is_verified(whole: &Whole, id: &str) -> bool {
    admin(whole, "GET", id, &Value::Null)["verification"]["state"] == "verified"
}

#[test]
fn a_receiver_is_moved_from_one_signing_secret_to_the_next_without_a_refusal() {
    let subscriber = Subscriber::start();
    subscriber.control(&json!({"secrets": [OLD]}));
    let whole = Whole::start(&[]);
    let hook = |secret: &str| json!({"name": "w", "url": subscriber.url("/hook"), "secret": "s", "signingSecret": secret});
    let id = whole.provision("webhooks", hook(OLD));
    a_chat(&whole);
    subscriber.heard(2);
    // Both sign, so that it does not matter when the receiver changes over.
    admin(&whole, "PUT", &id, &hook(&format!("{NEW} {OLD}")));
    a_chat(&whole);
    subscriber.heard(4);
    subscriber.control(&json!({"secrets": [NEW, OLD]}));
    a_chat(&whole);
    let both = subscriber.heard(6);
    assert_eq!(both[5]["fits"], json!([0, 1]), "either secret verifies it");
    admin(&whole, "PUT", &id, &hook(NEW));
    subscriber.control(&json!({"secrets": [NEW]}));
    a_chat(&whole);
    let all = subscriber.heard(8);
    assert_eq!(subscriber.seen()["refused"], json!([]));
    let ids: std::collections::BTreeSet<_> = all.iter().map(|one| one["id"].to_string()).collect();
    assert_eq!(ids.len(), 8, "an id for each notice");
}

#[test]
fn an_endpoint_hears_nothing_until_it_has_answered_its_challenge_and_again_when_it_moves() {
    let subscriber = Subscriber::start();
    subscriber.control(&json!({"secrets": [OLD], "echo": "none"}));
    let whole = Whole::start(&[]);
    let hook = |path: &str| {
        json!({"name": "w", "url": subscriber.url(path), "secret": "s", "signingSecret": OLD, "verify": true,
               // What only the service may say counts for nothing.
               "verification": {"state": "verified", "url": subscriber.url(path)}})
    };
    let id = whole.provision("webhooks", hook("/one"));
    let refused = || admin(&whole, "GET", &id, &Value::Null)["verification"]["detail"].is_string();
    eventually("the refusal to be shown", Duration::from_secs(20), refused);
    let shown = admin(&whole, "GET", &id, &Value::Null);
    assert_eq!(shown["verification"]["state"], "pending", "{shown}");
    let before = a_chat(&whole);

    subscriber.control(&json!({"echo": "json"}));
    eventually("the endpoint to be believed", Duration::from_secs(40), || {
        is_verified(&whole, &id)
    });
    until_heard(&whole, &subscriber, "/one");
    let of_before = |one: &Value| one["session"] == before.as_str();
    assert!(
        !subscriber.notices().iter().any(of_before),
        "nothing of the chat before"
    );

    // Another address is another endpoint.
    subscriber.control(&json!({"echo": "text"}));
    let moved = admin(&whole, "PUT", &id, &hook("/two"));
    assert_eq!(moved["verification"]["state"], "pending", "{moved}");
    eventually("the new address to be believed", Duration::from_secs(20), || {
        is_verified(&whole, &id)
    });
    let old = subscriber.notices().len();
    until_heard(&whole, &subscriber, "/two");
    let heard = subscriber.notices();
    assert!(heard[old..].iter().all(|one| one["path"] == "/two"), "{heard:?}");
    // Nothing else about it asks again.
    let renamed = json!({"name": "other", "url": subscriber.url("/two"), "verify": true});
    assert_eq!(
        admin(&whole, "PUT", &id, &renamed)["verification"]["state"],
        "verified"
    );
    assert_eq!(subscriber.seen()["refused"], json!([]));
}
