//! A real node with a bot in front, killed while the bot owes an answer.

use std::time::Duration;

use serde_json::Value;

use crate::support::part::{Signal, eventually};
use crate::support::process::{Nexus, get, nexus, request};
use crate::support::python::Python;

use super::array;
use super::given::declaration;

/// The lease of the dead node's attempt must run out first.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_answer_that_a_killed_node_owed_is_given_by_the_next() {
    let providers = Python::start("bots/providers.py");
    let base = array(&providers.ready["base"]);
    let address = base.trim_start_matches("http://").parse().unwrap();
    let turns = || {
        let seen: Value = serde_json::from_str(&get(address, "/seen").1).unwrap();
        seen["turns"].as_array().unwrap().clone()
    };
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("tenant.toml");
    let bot = (
        "robo",
        "webhook",
        "/fault/once",
        Value::Object(serde_json::Map::new()),
    );
    std::fs::write(&file, declaration(&providers.ready, &[bot], true)).unwrap();
    let store = format!("store.data_dir={}", data.path().display());
    let provisioned = nexus(&["--set", &store, "provision", file.to_str().unwrap()], &[]);
    assert!(provisioned.status.success(), "{provisioned:?}");

    let settings = [store.as_str(), "outbound.allow=127.0.0.0/8"];
    let start = || {
        let mut node = Nexus::start(&settings);
        let admin = node.address("admin");
        node.ready(admin);
        node
    };
    let mut node = start();
    let ask = |node: &Nexus, method: &str, path: &str, key: &str, body: &str| {
        let text = format!(
            "{method} /nexus/v3/chat/sessions{path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
             x-api-key: 11111111-2222-4333-8444-555555555555\r\n{key}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        request(node.plain(), &text).1
    };
    let body = "data%5BfirstName%5D=Ann&data%5Bendpoint%5D=robo&operationId=a-b";
    let created: Value = serde_json::from_str(&ask(&node, "POST", "", "", body)).unwrap();
    let session = array(&created["data"]["entity"]["id"]);
    let key = format!(
        "x-nexus-client-key: {}\r\n",
        array(&created["data"]["clientToken"])
    );
    eventually("the bot to be asked", PATIENCE, || turns().len() == 1);
    node.signal(Signal::Kill);
    node.ended();

    let node = start();
    let path = format!("/{session}/messages?operationId=x");
    eventually("the bot's answer", PATIENCE, || {
        ask(&node, "GET", &path, &key, "").contains("Hello, I am a bot.")
    });
    let all = turns();
    // Asked twice under one id, answered once.
    assert_eq!((all[0]["id"].clone(), all.len()), (all[1]["id"].clone(), 2));
    let said = ask(&node, "GET", &path, &key, "");
    assert_eq!(said.matches("Hello, I am a bot.").count(), 1, "{said}");
}
