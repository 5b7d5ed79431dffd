//! The link against Bayeux servers that others wrote.

use std::time::Duration;

use serde_json::json;

use super::peer::{Peers, followed};
use crate::support::chat::on_a_core;

const SERVERS: [&str; 2] = ["cometd", "faye"];

#[test]
fn events_come_in_order_and_the_configuration_is_read() {
    on_a_core(async {
        let peers = Peers::start();
        for kind in SERVERS {
            let peer = peers.open(json!({"kind": kind}));
            let mut link = followed(peer.session());
            let objects = link.until_configured().await;
            assert_eq!(objects.login("101"), "alice", "{kind}");
            assert_eq!(objects.groups[&7].agents, [101], "{kind}");
            let ids: Vec<String> = (0..50).map(|n| format!("i{n}")).collect();
            for id in &ids {
                peer.publish(id, "alice");
            }
            link.until_interaction("i49").await;
            let heard = link.heard.borrow().clone();
            let events: Vec<_> = heard.into_iter().filter(|it| it.starts_with('i')).collect();
            assert_eq!(events, ids, "{kind}");
            link.end().await;
            let seen = peer.seen();
            assert_eq!(seen["complaints"], json!([]), "{kind}");
            assert_eq!(
                (&seen["logouts"], &seen["initialized"]),
                (&json!(1), &json!(1)),
                "{kind}"
            );
            assert!(seen["activated"].as_u64() >= Some(1), "{kind}");
        }
    });
}

#[test]
fn a_session_the_server_forgot_is_begun_anew_and_everything_is_read_afresh() {
    on_a_core(async {
        let peers = Peers::start();
        for kind in SERVERS {
            let peer = peers.open(json!({"kind": kind}));
            let mut link = followed(peer.session());
            link.until_configured().await;
            peer.tell("objects", json!({"persons": [{"DBID": 102, "userName": "bob"}]}));
            peer.tell("forget", json!({}));
            let objects = link.until_configured().await;
            assert!(
                link.heard.borrow().contains(&"missed SessionLost".to_owned()),
                "{kind}"
            );
            assert_eq!(objects.login("102"), "bob", "{kind}: as a fresh read");
            peer.publish("after", "bob");
            link.until_interaction("after").await;
        }
    });
}

#[test]
fn a_refused_channel_does_not_cost_the_others() {
    on_a_core(async {
        let peers = Peers::start();
        for kind in SERVERS {
            let peer = peers.open(json!({"kind": kind, "refuse": "/workspace/v3/initialization"}));
            let mut link = followed(peer.session());
            link.until_configured().await;
            peer.publish("i1", "alice");
            link.until_interaction("i1").await;
        }
    });
}

#[test]
fn a_refused_handshake_is_not_repeated_soon() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd", "deny": true}));
        let mut link = followed(peer.session());
        link.listen(Duration::from_secs(4)).await;
        assert_eq!(
            peer.seen()["requests"]["/workspace/v3/notifications/handshake"],
            1
        );
    });
}

#[test]
fn two_clients_behind_one_cookie_slow_down() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd", "timeout": 60_000}));
        let session = peer.session();
        let mut one = followed(session.clone());
        one.until_configured().await;
        let mut two = followed(session);
        two.until_configured().await;
        two.listen(Duration::from_secs(6)).await;
        let connects = peer.seen()["requests"]["/workspace/v3/notifications/connect"].as_u64();
        assert!(connects < Some(12), "{connects:?}");
        peer.publish("both", "alice");
        one.until_interaction("both").await;
        two.until_interaction("both").await;
    });
}
