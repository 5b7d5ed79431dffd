//! Every fault a server can have, one by one (W7): no tight loop, nothing believed that should not be, and once the server is
//! calm again the same state as a fresh read gives.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::peer::{Peer, Peers, followed};
use crate::support::chat::on_a_core;

/// How long each server misbehaves.
const BAD: Duration = Duration::from_secs(8);

async fn suffers(peer: Peer, fault: &str, recovers: bool) {
    let mut link = followed(peer.session());
    if recovers {
        link.until_configured().await;
    }
    link.listen(BAD).await;
    let seen = peer.seen();
    for path in ["handshake", "connect", "subscribe"] {
        let times = &seen["times"][format!("/workspace/v3/notifications/{path}")];
        let busiest = busiest(times);
        // The beginning is one more handshake, and two connects: one that asks for an answer at once, and the first real one.
        assert!(busiest < 20, "{fault}: {busiest} times {path} in ten seconds");
    }
    assert_eq!(seen["complaints"], json!([]), "{fault}");
    assert!(!link.heard.borrow().iter().any(|it| it == "spoofed"), "{fault}");
    if !recovers {
        return;
    }
    peer.tell(
        "objects",
        json!({"persons": [{"DBID": 5, "userName": format!("fresh-{fault}")}]}),
    );
    peer.publish("after", "alice");
    peer.tell("calm", json!({}));
    link.until_interaction("after").await;
    peer.tell("forget", json!({}));
    let fresh = format!("fresh-{fault}");
    loop {
        let objects = link.until_configured().await;
        if objects.login("5") == fresh {
            break;
        }
    }
}

/// The most within ten seconds.
fn busiest(times: &Value) -> usize {
    let times: Vec<u64> = times
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    let counts = times
        .iter()
        .enumerate()
        .map(|(from, start)| times[from..].iter().take_while(|at| *at - start < 10_000).count());
    counts.max().unwrap_or(0)
}

#[test]
fn no_fault_of_a_server_makes_a_tight_loop_or_loses_what_came_meanwhile() {
    const FAULTS: [&str; 16] = [
        "retry",
        "handshake",
        "unknown",
        "unknown-401",
        "duplicate-ids",
        "missing-ids",
        "foreign",
        "half-open",
        "reset",
        "garbage",
        "error",
        "redirect",
        "deep",
        "slow",
        "endless",
        "spoofed",
    ];
    on_a_core(async {
        let peers = Peers::start();
        join_all(FAULTS.map(|fault| suffers(peers.open(json!({"kind": fault})), fault, true))).await;
        assert_eq!(peers.canary_hits(), json!([]), "a redirect was followed");
    });
}

#[test]
fn advice_to_stop_is_followed() {
    on_a_core(async {
        let peers = Peers::start();
        for fault in ["stop", "negative"] {
            let peer = peers.open(json!({"kind": fault}));
            suffers(peer, fault, false).await;
            let connects = &peer.seen()["requests"]["/workspace/v3/notifications/connect"];
            assert_eq!(*connects, 2, "{fault}");
        }
    });
}

#[test]
fn a_service_that_is_away_is_found_again() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd"}));
        let mut link = followed(peer.session());
        link.until_configured().await;
        peer.tell("down", json!({"down": true}));
        link.listen(Duration::from_secs(3)).await;
        peer.tell("down", json!({"down": false}));
        peer.tell("sign-out", json!({}));
        link.until_configured().await;
        peer.publish("after", "alice");
        link.until_interaction("after").await;
        assert_eq!(peer.seen()["initialized"], 2);
    });
}
