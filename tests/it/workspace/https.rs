//! The HTTPS mirror of the commands, files, and who may call.

use serde_json::{Value, json};

use super::commands::{ALICE, BOB, talking};
use super::node::Node;
use crate::net_server::on_a_core;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\x0f\x04\0\x09\xfb\x03\xfd\xfb\x5e\x6b\x2b\0\0\0\0IEND\xaeB`\x82";

fn upload(name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
    );
    [head.as_bytes(), bytes, b"\r\n--XX--\r\n"].concat()
}

#[test]
fn a_command_over_https_is_accepted_and_its_result_is_an_event() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let path = format!("/nexus/v3/agents/me/interactions/{}/send-message", chat.id);
        let body =
            json!({"operationId": "5f2c1f9e-2f51-4a5c-8f3b-6d7c1a9e0b22", "data": {"message": "by https"}});
        for _ in 0..2 {
            let (status, answer) = node.json("POST", &path, ALICE, body.clone()).await;
            assert_eq!((status, &answer["status"]["code"]), (200, &json!(1)));
            assert_eq!(answer["operationId"], "5f2c1f9e-2f51-4a5c-8f3b-6d7c1a9e0b22");
        }
        alice.hears("by https").await;
        alice
            .does("send-message", json!({"session": chat.id, "message": "last"}))
            .await;
        alice.hears("last").await;
        assert_eq!(
            alice
                .texts(chat.id)
                .iter()
                .filter(|text| *text == "by https")
                .count(),
            1
        );
        let (status, answer) = node
            .json(
                "POST",
                "/nexus/v3/agents/me/not-ready",
                ALICE,
                json!({"data": {"media": "chat"}}),
            )
            .await;
        assert_eq!((status, &answer["status"]["code"]), (200, &json!(1)));
    });
}

#[test]
fn a_file_is_uploaded_sent_seen_and_fetched() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let files = format!("/nexus/v3/agents/me/interactions/{}/files", chat.id);
        let kind = "multipart/form-data; boundary=XX";
        let (status, _, body) = node
            .http("POST", &files, Some(ALICE), kind, upload("../a.png", PNG))
            .await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let stored: Value = serde_json::from_slice(&body).unwrap();
        let media = stored["data"]["mediaId"].as_str().unwrap().to_owned();
        assert_eq!(
            (&stored["data"]["name"], &stored["data"]["mime"]),
            (&json!("a.png"), &json!("image/png"))
        );
        alice
            .does(
                "send-file",
                json!({"session": chat.id, "mediaId": media, "name": "a.png"}),
            )
            .await;
        let is_file = |frame: &Value| frame["messages"][0]["type"] == "FileUploaded";
        let sent = match alice.memory.seen.iter().find(|frame| is_file(frame)) {
            Some(frame) => frame.clone(),
            None => alice.until("file", is_file).await,
        };
        assert_eq!(sent["messages"][0]["file"]["length"], PNG.len());
        let path = format!("{files}/{media}");
        let (status, headers, bytes) = node.http("GET", &path, Some(ALICE), "text/plain", "").await;
        assert_eq!((status, bytes.as_slice()), (200, PNG));
        assert_eq!(headers["content-type"], "image/png");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(node.http("GET", &path, Some(BOB), "text/plain", "").await.0, 403);
        assert_eq!(
            node.http("GET", &path, Some("mallory-test-token"), "text/plain", "")
                .await
                .0,
            404
        );
        let (status, ..) = node
            .http(
                "POST",
                &files,
                Some(ALICE),
                kind,
                upload("a.png", b"<script>alert(1)</script>"),
            )
            .await;
        assert_eq!(status, 415);
        let (status, ..) = node
            .http("POST", &files, Some(BOB), kind, upload("a.png", PNG))
            .await;
        assert_eq!(status, 403);
    });
}

#[test]
fn without_a_good_token_nothing_is_answered() {
    on_a_core(async {
        let node = Node::start().await;
        for (method, path) in [
            ("POST", "/nexus/v3/agents/ticket"),
            ("POST", "/nexus/v3/agents/me/ready"),
            ("GET", "/nexus/v3/agents/me/directory"),
            ("GET", "/nexus/v3/agents/me/team"),
        ] {
            assert_eq!(
                node.http(method, path, None, "application/json", "").await.0,
                401,
                "{path}"
            );
            let (status, answer) = node
                .json(method, path, "not-a-token-of-anybody", Value::Null)
                .await;
            assert_eq!(
                (status, &answer["status"]["code"]),
                (401, &json!(40103)),
                "{path}"
            );
        }
    });
}

#[test]
fn wrong_methods_paths_and_bodies_have_their_codes() {
    on_a_core(async {
        let node = Node::start().await;
        for (method, path, body, code) in [
            ("GET", "/nexus/v3/agents/ticket", json!(null), 40501),
            ("PUT", "/nexus/v3/agents/me/ready", json!({}), 40501),
            ("POST", "/nexus/v3/agents/me/dance", json!({}), 40401),
            ("GET", "/nexus/v3/agents/me/a/b/c", json!(null), 40401),
            ("POST", "/nexus/v3/agents/me/ready", json!([]), 40001),
            (
                "POST",
                "/nexus/v3/agents/me/ready",
                json!({"data": {"media": "fax"}}),
                40001,
            ),
            (
                "POST",
                "/nexus/v3/agents/me/ready",
                json!({"data": {"queue": "x"}}),
                40003,
            ),
            (
                "POST",
                "/nexus/v3/agents/me/interactions/x/accept",
                json!({}),
                40401,
            ),
        ] {
            let (status, answer) = node.json(method, path, ALICE, body).await;
            assert_eq!(answer["status"]["code"], code, "{method} {path}: {answer}");
            assert_eq!(u64::from(status), code / 100);
        }
    });
}

#[test]
fn the_directory_and_the_team_are_told_to_whom_they_concern() {
    on_a_core(async {
        let node = Node::start().await;
        let (_alice, chat) = talking(&node, 0).await;
        let (_, answer) = node
            .json("GET", "/nexus/v3/agents/me/directory", ALICE, Value::Null)
            .await;
        let names: Vec<&str> = answer["data"]["agents"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["agentId"].as_str())
            .collect();
        assert_eq!(
            (names, &answer["data"]["queues"]),
            (vec!["bob", "sue"], &json!(["billing", "sales"]))
        );
        assert_eq!(
            node.json("GET", "/nexus/v3/agents/me/team", ALICE, Value::Null)
                .await
                .0,
            403
        );
        let (_, team) = node
            .json(
                "GET",
                "/nexus/v3/agents/me/team",
                "sue-test-token-123",
                Value::Null,
            )
            .await;
        let alice = team["data"]["agents"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["agentId"] == "alice")
            .unwrap();
        assert_eq!(
            (&alice["state"], &alice["sessions"]),
            (&json!("Ready"), &json!([chat.id]))
        );
    });
}
