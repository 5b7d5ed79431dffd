//! What people say and who they are stays out of the log, even at the finest level.
//!
//! Everything a test plants holds the word `planted`, so that `tests/run` can look for it in the logs of all nodes of
//! all tests.

use serde_json::Value;

use crate::support::part::Signal;
use crate::support::process::{Nexus, request};

const KEY: &str = "11111111-2222-4333-8444-555555555555";
const BASE: &str = "/nexus/v3/chat/sessions";

/// A POST of the widget: status and answer.
fn post(node: &Nexus, path: &str, token: &str, kind: &str, body: &str) -> (u16, Value) {
    let (status, answer) = request(
        node.plain(),
        &format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nx-api-key: {KEY}\r\n\
             x-nexus-client-key: {token}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
}

#[test]
fn nothing_personal_is_logged_whatever_is_sent() {
    let mut node = Nexus::start(&["telemetry.log=debug,nexus=trace"]);
    let admin = node.address("admin");
    node.ready(admin);
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");

    // A whole small chat.
    let (status, opened) = post(
        &node,
        BASE,
        "",
        form,
        "data%5Bendpoint%5D=web&data%5Bnickname%5D=planted-name&data%5BfirstName%5D=planted-first\
         &data%5BuserData%5D%5BEmailAddress%5D=planted%40mail.example\
         &data%5BuserData%5D%5BPhoneNumber%5D=planted-4915100009999&operationId=planted-operation",
    );
    assert_eq!(status, 200, "{opened}");
    let token = opened["data"]["clientToken"].as_str().unwrap().to_owned();
    let session = opened["data"]["entity"]["id"].as_str().unwrap().to_owned();
    let (status, _) = post(
        &node,
        &format!("{BASE}/{session}/messages"),
        &token,
        form,
        "operationId=1&data%5Btype%5D=Text&data%5Btext%5D=planted+text",
    );
    assert_eq!(status, 200);

    // And what goes wrong.
    for (path, token, kind, body) in [
        (BASE, "", json, "{\"data\":{\"nickname\":\"planted broken"),
        (
            BASE,
            "",
            form,
            "data%5Bendpoint%5D=planted-endpoint&data%5Bnickname%5D=planted",
        ),
        (BASE, "", "application/planted", "planted"),
        ("/planted/path?planted=query", "", json, "{}"),
        (
            &format!("{BASE}/{session}/messages"),
            "planted.token",
            form,
            "data%5Btext%5D=planted",
        ),
        (
            &format!("{BASE}/planted-session/messages"),
            &token,
            form,
            "data%5Btext%5D=planted",
        ),
    ] {
        let (status, _) = post(&node, path, token, kind, body);
        assert!((400..500).contains(&status), "{path}: {status}");
    }

    node.signal(Signal::Term);
    node.line("the report of the drain", |line| {
        (line["message"] == "drained").then_some(())
    });
    let log = node.log();
    assert!(log.lines().count() > 3, "{log}");
    for planted in [
        "planted",
        "4915100009999",
        token.as_str(),
        token.split('.').next_back().unwrap_or(&token),
    ] {
        let found: Vec<&str> = log.lines().filter(|line| line.contains(planted)).collect();
        assert!(found.is_empty(), "{planted} is in the log:\n{}", found.join("\n"));
    }
}
