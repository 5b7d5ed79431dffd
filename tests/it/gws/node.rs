//! The whole program: a link provisioned while it runs is taken up, and what waits is said to GWS.

use std::net::SocketAddr;
use std::time::Duration;

use nexus::provisioning::declare;
use serde_json::json;

use super::peer::Peers;
use crate::support::part::eventually;
use crate::support::process::{Nexus, request};

fn post(node: SocketAddr, path: &str, key: &str, content_type: &str, body: &str) {
    let request_bytes = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nx-api-key: {key}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = request(node, &request_bytes);
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
}

#[test]
fn a_node_takes_up_a_link_that_is_provisioned_while_it_runs() {
    let peers = Peers::start();
    let peer = peers.open(json!({"kind": "cometd"}));
    let mut node = Nexus::start(&[
        "outbound.peers=127.0.0.0/8",
        "provisioning.development_tenant=true",
    ]);
    let admin = node.address("admin");
    node.ready(admin);
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
