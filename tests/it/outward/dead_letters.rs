//! What was given up is listed, sent again when an administrator says so, and forgotten when they say so.

use std::time::Duration;

use serde_json::{Value, json};

use super::webhooks::{a_chat, event};
use crate::support::part::eventually;
use crate::support::receiver::{Receiver, Say};
use crate::support::whole::{ADMIN_KEY, Whole};

const KEY: (&str, &str) = ("x-api-key", ADMIN_KEY);

fn letters(whole: &Whole) -> Vec<Value> {
    let (status, answer) = whole.send("GET", "/nexus/v3/dead-letters", &[KEY], b"");
    assert_eq!(status, 200, "{answer}");
    answer["data"]["letters"].as_array().unwrap().clone()
}

#[test]
fn a_notice_that_nobody_took_is_a_dead_letter_until_it_is_sent_again() {
    let hook = Receiver::start(Say::json(200, ""));
    hook.script([Say::json(500, ""), Say::json(500, "")]);
    let whole = Whole::start(&[]);
    let webhook = whole.provision(
        "webhooks",
        json!({"name": "w", "url": hook.url("/"), "secret": "s", "events": ["STARTED"], "retryTimeoutMs": 200,
               "retryAttempts": 2}),
    );
    let session = a_chat(&whole);
    eventually("a dead letter", Duration::from_secs(20), || {
        letters(&whole).len() == 1
    });
    let letter = &letters(&whole)[0];
    assert_eq!(letter["sessionId"], session.as_str());
    assert_eq!(letter["target"], json!({"to": "webhook", "id": webhook}));
    assert_eq!(letter["notice"], json!({"what": "started"}));
    let id = letter["id"].as_str().unwrap();
    let path = format!("/nexus/v3/dead-letters/{id}");
    assert_eq!(whole.send("GET", &path, &[KEY], b"").1["data"]["id"], id);
    // The widget's key may not look at them, and nobody without a key.
    let widget = ("x-api-key", "11111111-2222-4333-8444-555555555555");
    assert_eq!(whole.send("GET", &path, &[widget], b"").0, 403);
    assert_eq!(whole.send("GET", &path, &[], b"").0, 401);
    let (status, answer) = whole.send("POST", &format!("{path}/replay"), &[KEY], b"");
    assert_eq!(status, 200, "{answer}");
    let seen = hook.seen(3);
    assert!(
        seen.iter().all(|one| one.body == seen[0].body),
        "the same notice each time"
    );
    assert_eq!(event(&seen[2])["event"], "STARTED");
    eventually("no dead letter", Duration::from_secs(20), || {
        letters(&whole).is_empty()
    });
    assert_eq!(whole.send("POST", &format!("{path}/replay"), &[KEY], b"").0, 404);
}

#[test]
fn a_dead_letter_that_is_discarded_is_gone() {
    let hook = Receiver::start(Say::json(410, ""));
    let whole = Whole::start(&[]);
    whole.provision(
        "webhooks",
        json!({"name": "w", "url": hook.url("/"), "secret": "s", "events": ["STARTED"]}),
    );
    a_chat(&whole);
    eventually("a dead letter", Duration::from_secs(20), || {
        letters(&whole).len() == 1
    });
    let id = letters(&whole)[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/nexus/v3/dead-letters/{id}");
    assert_eq!(whole.send("DELETE", &path, &[KEY], b"").0, 200);
    assert_eq!(whole.send("DELETE", &path, &[KEY], b"").0, 404);
    assert!(letters(&whole).is_empty());
}
