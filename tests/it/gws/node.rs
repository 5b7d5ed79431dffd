//! The whole program: a link provisioned while it runs is taken up, and what waits is said to GWS.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use nexus::provisioning::declare;
use serde_json::json;

use super::peer::{Peer, Peers};
use crate::support::part::{Signal, eventually};
use crate::support::postgres::Postgres;
use crate::support::process::{Nexus, request};
use crate::support::redis::RedisServer;

const PATIENCE: Duration = Duration::from_secs(30);

fn post(node: SocketAddr, path: &str, key: &str, content_type: &str, body: &str) {
    let request_bytes = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nx-api-key: {key}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = request(node, &request_bytes);
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
}

/// Starts a node with these settings and waits until it takes traffic.
fn start(settings: &[&str]) -> Nexus {
    let mut all = vec![
        "outbound.peers=127.0.0.0/8",
        "provisioning.development_tenant=true",
    ];
    all.extend(settings);
    let mut node = Nexus::start(&all);
    let admin = node.address("admin");
    node.ready(admin);
    node
}

/// Links the development tenant to a GWS.
fn link(node: &Nexus, peer: &Peer) {
    let development = declare::development().expect("a development tenant");
    let link = json!({"data": {"name": "gws", "url": format!("http://{}", peer.addr), "clientid": "nexus_client",
        "clientsecret": "planted:secret", "routing": true}});
    post(
        node.plain(),
        "/nexus/v3/gapis",
        &development.service_key,
        "application/json",
        &link.to_string(),
    );
}

fn times(peer: &Peer, what: &str) -> u64 {
    peer.seen()[what].as_u64().unwrap_or_default()
}

#[test]
fn a_node_that_stops_says_goodbye_to_gws() {
    let peers = Peers::start();
    let peer = peers.open(json!({"kind": "cometd"}));
    let mut node = start(&[]);
    link(&node, &peer);
    eventually("the events", PATIENCE, || times(&peer, "activated") >= 1);
    node.signal(Signal::Term);
    assert!(node.ended().success());
    let seen = peer.seen();
    assert!(seen["logouts"].as_u64() >= Some(1), "{seen}");
    let left = &seen["requests"]["/workspace/v3/notifications/disconnect"];
    assert_eq!(left, 1, "{seen}");
    assert_eq!(seen["complaints"], json!([]));
}

#[test]
fn another_node_takes_the_session_of_one_that_died() {
    let peers = Peers::start();
    let peer = peers.open(json!({"kind": "cometd"}));
    let (postgres, redis) = (Postgres::start(), RedisServer::start());
    let data = tempfile::tempdir().expect("a folder");
    let key = data.path().join("master.key");
    let mut private = std::fs::OpenOptions::new();
    let mut private = private
        .write(true)
        .create(true)
        .mode(0o600)
        .open(&key)
        .expect("a key");
    writeln!(private, "{}=", "A".repeat(43)).expect("a key");
    let settings = [
        "store.mode=redis".to_owned(),
        format!("store.redis.urls={}", redis.url()),
        format!("postgres.url={}", postgres.url()),
        format!("provisioning.master_key_file={}", key.display()),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut first = start(&settings);
    link(&first, &peer);
    eventually("the events", PATIENCE, || times(&peer, "activated") >= 1);
    let second = start(&settings);
    first.signal(Signal::Kill);
    first.ended();
    // Before the kill, if the tenant falls to it anyway; else once the first is known to be dead.
    eventually("the other node", PATIENCE * 2, || times(&peer, "activated") >= 2);
    let development = declare::development().expect("a development tenant");
    post(
        second.plain(),
        "/nexus/v3/chat/sessions",
        &development.api_key,
        "application/x-www-form-urlencoded",
        "data%5BfirstName%5D=Ann&data%5Bendpoint%5D=web&operationId=a-b",
    );
    eventually("the submission", PATIENCE, || {
        peer.seen()["operations"][0]["name"] == "place-in-queue"
    });
    assert_eq!(peer.seen()["complaints"], json!([]));
}

#[test]
fn a_node_takes_up_a_link_that_is_provisioned_while_it_runs() {
    let peers = Peers::start();
    let peer = peers.open(json!({"kind": "cometd"}));
    let node = start(&[]);
    let development = declare::development().expect("a development tenant");
    link(&node, &peer);
    eventually("the events", Duration::from_secs(30), || {
        peer.seen()["activated"].as_u64() >= Some(1)
    });
    post(
        node.plain(),
        "/nexus/v3/chat/sessions",
        &development.api_key,
        "application/x-www-form-urlencoded",
        "data%5BfirstName%5D=Ann&data%5Bendpoint%5D=web&operationId=a-b",
    );
    eventually("the submission", Duration::from_secs(30), || {
        peer.seen()["operations"][0]["name"] == "place-in-queue"
    });
    let seen = peer.seen();
    assert_eq!(seen["operations"][0]["data"]["queue"], "chat.inbound");
    assert_eq!(seen["complaints"], json!([]));
}
