//! Effects through crashes: each reaches its target at least once, with one id and one body, whatever is killed when.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::webhooks::{a_chat, event};
use crate::support::receiver::{Receiver, Say};
use crate::support::whole::Whole;

/// How often the node is killed; `NEXUS_TEST_KILLS` for more.
fn kills() -> usize {
    std::env::var("NEXUS_TEST_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(4)
}

#[test]
fn every_notice_arrives_through_kills_with_one_id_and_one_body() {
    let data = tempfile::tempdir().unwrap();
    let setting = format!("store.data_dir={}", data.path().display());
    let hook = Receiver::start(Say::json(200, ""));
    // Some attempts fail, so that effects are pending whenever the node is killed.
    hook.script((0..kills() * 3).map(|turn| Say::json(if turn % 2 == 0 { 503 } else { 200 }, "")));
    let mut sessions = BTreeSet::new();
    for round in 0..=kills() {
        // The address others know us by is part of a notice, and stays what it is when a node comes back.
        let whole = Whole::start(&[&setting, "listen.public.url=https://digital.example.com"]);
        if round == 0 {
            let hook = json!({"name": "w", "url": hook.url("/"), "secret": "s", "retryTimeoutMs": 300, "retryAttempts": 99});
            whole.provision("webhooks", hook);
        }
        for _ in 0..5 {
            sessions.insert(a_chat(&whole));
        }
        if round == kills() {
            // The last node lives on until everything is out.
            let arrived = || {
                let seen = hook.seen(0);
                let heard: BTreeSet<(String, String)> = seen
                    .iter()
                    .map(|one| {
                        (
                            event(one)["entity"]["id"].to_string(),
                            event(one)["event"].to_string(),
                        )
                    })
                    .collect();
                heard.len() == sessions.len() * 2
            };
            crate::support::part::eventually("every notice", std::time::Duration::from_secs(90), arrived);
        }
        // Dropping the node is `kill -9`.
    }
    let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let mut bodies: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for one in hook.seen(0) {
        let entity = event(&one);
        let operation = one.json()["operationId"].to_string();
        let key = (entity["entity"]["id"].to_string(), entity["event"].to_string());
        ids.entry(key).or_default().insert(operation.clone());
        bodies.entry(operation).or_default().insert(one.body);
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "one id over all attempts");
    assert!(
        bodies.values().all(|bodies| bodies.len() == 1),
        "one body over all attempts"
    );
}
