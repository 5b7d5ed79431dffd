//! A real node with a bot in front, killed while the bot owes an answer.

use std::time::Duration;

use serde_json::Value;

use crate::support::part::{Signal, eventually};
use crate::support::process::{Nexus, get, nexus, request};
use crate::support::python::Python;

use super::array;
use super::given::declaration;

/// The lease of the dead node's attempt must run out first (20 s); an attempt that a slow machine cuts short is made again.
const PATIENCE: Duration = Duration::from_secs(120);

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

    // A page that asks as often as this test does would be told to slow down, and what it asks last must be answered.
    let settings = [
        store.as_str(),
        "outbound.allow=127.0.0.0/8",
        "limits.rates.session=10000/s burst 10000",
    ];
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
    eventually("the bot to be asked again", PATIENCE, || turns().len() > 1);
    let mut said = String::new();
    eventually("the bot's answer", PATIENCE, || {
        said = ask(&node, "GET", &path, &key, "");
        said.contains("Hello, I am a bot.")
    });
    // Asked at least once more, always under one id; answered once, however often it was asked.
    let ids: Vec<Value> = turns().iter().map(|turn| turn["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(said.matches("Hello, I am a bot.").count(), 1, "{said}");
    // Nor is it handed over: the bot still has the customer, who may go on.
    let words = "operationId=y&data%5Btype%5D=Text&data%5Btext%5D=more";
    ask(&node, "POST", &format!("/{session}/messages"), &key, words);
    eventually("the next answer", PATIENCE, || {
        said = ask(&node, "GET", &path, &key, "");
        said.contains("You said more.")
    });
    assert_eq!(said.matches("Hello, I am a bot.").count(), 1, "{said}");
}
