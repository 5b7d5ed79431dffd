//! Tickets, origins, replacement, revocation and the end of a node.

use std::rc::Rc;
use std::time::{Duration, Instant};

use nexus::ingress::workspace::WorkspaceSettings;
use nexus::net::websocket::SocketLimits;
use nexus::provisioning::objects::Kind;
use nexus::shard::ShardOptions;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use super::desktop::{Desktop, connect};
use super::node::Node;
use crate::net_server::on_a_core;
use crate::provisioning::{TENANT, act, draft};

const ALICE: &str = "alice-test-token-1";
const STREAM: &str = "/nexus/v3/agentstream";

fn status(answer: Result<impl Sized, Error>) -> u16 {
    match answer {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

async fn first_frame(node: &Node, protocols: &str, frame: Option<Value>) -> (Value, u16) {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let mut socket = connect(node.addrs[0], STREAM, protocols, None).await.unwrap();
    if let Some(frame) = frame {
        socket.send(Message::text(frame.to_string())).await.unwrap();
    }
    let (mut first, mut code) = (Value::Null, 0);
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) if first.is_null() => {
                first = serde_json::from_str(&text).unwrap();
                if first["event"] == "hello" {
                    break;
                }
            }
            Message::Close(Some(close)) => code = close.code.into(),
            _ => {}
        }
    }
    (first, code)
}

#[test]
fn a_ticket_opens_one_stream_and_no_second() {
    on_a_core(async {
        let node = Node::start().await;
        let ticket = node.ticket(ALICE).await;
        let protocols = format!("nexus.v3, ticket.{ticket}");
        assert_eq!(first_frame(&node, &protocols, None).await.0["event"], "hello");
        let (error, code) = first_frame(&node, &protocols, None).await;
        assert_eq!((&error["status"]["code"], code), (&json!(40103), 4401));
    });
}

#[test]
fn a_ticket_may_come_as_the_first_frame() {
    on_a_core(async {
        let node = Node::start().await;
        let open = json!({"cmd": "open", "ticket": node.ticket(ALICE).await});
        assert_eq!(
            first_frame(&node, "nexus.v3", Some(open.clone())).await.0["event"],
            "hello"
        );
        assert_eq!(first_frame(&node, "", Some(open)).await.1, 4401, "it was spent");
        assert_eq!(
            first_frame(&node, "", Some(json!({"cmd": "resume", "positions": []})))
                .await
                .1,
            1008
        );
    });
}

#[test]
fn an_old_ticket_and_a_silent_socket_are_turned_away() {
    on_a_core(async {
        let settings = WorkspaceSettings {
            ticket_ttl: Duration::ZERO,
            unauthenticated: Duration::from_millis(50),
            ..WorkspaceSettings::default()
        };
        let node = Node::with(settings, ShardOptions::default()).await;
        let ticket = node.ticket(ALICE).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(
            first_frame(&node, &format!("nexus.v3, ticket.{ticket}"), None)
                .await
                .1,
            4401
        );
        assert_eq!(first_frame(&node, "nexus.v3", None).await.1, 4401);
    });
}

#[test]
fn credentials_in_the_address_are_refused() {
    on_a_core(async {
        let node = Node::start().await;
        let path = format!("{STREAM}?ticket={}", node.ticket(ALICE).await);
        assert_eq!(status(connect(node.addrs[0], &path, "nexus.v3", None).await), 400);
    });
}

#[test]
fn a_page_of_another_origin_cannot_open_a_stream() {
    on_a_core(async {
        let settings = WorkspaceSettings {
            allowed_origins: vec!["https://desktop.example".to_owned()],
            ..WorkspaceSettings::default()
        };
        let node = Node::with(settings, ShardOptions::default()).await;
        let ours = format!("http://{}", node.addrs[0]);
        for (origin, expected) in [
            ("https://desktop.example", 101),
            (ours.as_str(), 101),
            ("https://evil.example", 403),
            ("null", 403),
        ] {
            assert_eq!(
                status(connect(node.addrs[0], STREAM, "nexus.v3", Some(origin)).await),
                expected,
                "{origin}"
            );
        }
    });
}

#[test]
fn a_request_without_an_upgrade_is_told_what_is_wanted() {
    on_a_core(async {
        let node = Node::start().await;
        let (status, headers, _) = node.http("GET", STREAM, None, "text/plain", "").await;
        assert_eq!(
            (status, headers["sec-websocket-version"].to_str().unwrap()),
            (426, "13")
        );
    });
}

#[test]
fn the_newest_connection_wins_on_any_core() {
    on_a_core(async {
        let node = Node::start().await;
        let mut old = Desktop::open(&node, 0, ALICE).await;
        old.resumed().await;
        let mut new = Desktop::open(&node, 1, ALICE).await;
        new.resumed().await;
        assert_eq!(old.closed().await, 4409);
        new.does("ready", json!({"media": "chat"})).await;
        assert!(new.hello["conn"].as_u64() > old.hello["conn"].as_u64());
    });
}

#[test]
fn an_agent_who_is_switched_off_is_out_at_once_and_stays_out() {
    on_a_core(async {
        let node = Node::start().await;
        let mut alice = Desktop::open(&node, 0, ALICE).await;
        alice.resumed().await;
        let directory = node.provisioning.directory();
        let rows = directory.list(Kind::Agent, Some(TENANT), None, 10).await.unwrap();
        let row = rows
            .iter()
            .find(|row| format!("{row:?}").contains("alice"))
            .unwrap();
        let body = draft(Kind::Agent, json!({"login": "alice", "enabled": false}));
        directory
            .replace(&act(), TENANT, &row.id, &body, None)
            .await
            .unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(2), alice.closed()).await;
        assert_eq!(closed, Ok(4401));
        let protocols = format!("nexus.v3, resume.{}", alice.memory.resume_token);
        assert_eq!(first_frame(&node, &protocols, None).await.1, 4401);
        assert_eq!(
            node.json("POST", "/nexus/v3/agents/ticket", ALICE, Value::Null)
                .await
                .0,
            401
        );
    });
}

#[test]
fn a_node_that_stops_spreads_its_agents_and_then_closes() {
    on_a_core(async {
        let settings = WorkspaceSettings {
            reconnect_window: Duration::from_millis(20),
            ..WorkspaceSettings::default()
        };
        let node = Node::with(settings, ShardOptions::default()).await;
        let mut alice = Desktop::open(&node, 0, ALICE).await;
        alice.resumed().await;
        let client = async {
            let frame = alice
                .until("reconnect", |frame| frame["event"] == "reconnect")
                .await;
            assert!(frame["inMs"].as_u64().unwrap() <= 20);
            alice.closed().await
        };
        let ((), code) = tokio::join!(node.stop(), client);
        assert_eq!(code, 1012);
    });
}

#[test]
fn what_cannot_be_read_is_answered_and_costs_nothing_else() {
    on_a_core(async {
        let node = Node::start().await;
        let mut alice = Desktop::open(&node, 0, ALICE).await;
        alice.resumed().await;
        alice
            .send(json!({"cmd": "dance", "cmdId": "5f2c1f9e-2f51-4a5c-8f3b-6d7c1a9e0b22"}))
            .await;
        let error = alice.until("error", |frame| frame["event"] == "error").await;
        assert_eq!(
            (&error["status"]["code"], &error["kind"]),
            (&json!(40401), &json!("frame"))
        );
        assert_eq!(error["cmdId"], "5f2c1f9e-2f51-4a5c-8f3b-6d7c1a9e0b22");
        alice.does("ready", json!({})).await;
    });
}

/// How long the server of the next test waits for a client that reads nothing.
const STALL: Duration = Duration::from_millis(400);

#[test]
fn a_client_that_reads_nothing_is_closed_as_slow_and_resumes() {
    on_a_core(async {
        let socket = SocketLimits {
            stall: STALL,
            ..SocketLimits::default()
        };
        let settings = WorkspaceSettings {
            socket: Rc::new(socket),
            ..WorkspaceSettings::default()
        };
        let node = Node::with(settings, ShardOptions::default()).await;
        let mut alice = Desktop::open(&node, 0, ALICE).await;
        alice.resumed().await;
        alice.does("auto-accept", json!({"on": true})).await;
        alice.does("ready", json!({})).await;
        let chat = node.chat("sales").await;
        alice.state(chat.id, "Processing").await;
        // Long enough for its patience to end, and far more than the kernel's buffers of one connection take.
        let big = "x".repeat(8_000);
        let (began, mut said) = (Instant::now(), 0);
        while began.elapsed() < STALL * 4 || said < 300 {
            node.say(chat, &big).await;
            said += 1;
        }
        let memory = alice.memory.clone();
        let mut left = 0;
        let code = loop {
            match alice.frame().await {
                Ok(_) => left += 1,
                Err(code) => break code,
            }
        };
        assert!(left < said, "everything was delivered");
        assert_eq!(code, 4408);
        let mut again = Desktop::resume(&node, 1, memory).await;
        again.resumed().await;
        assert_eq!(
            again.texts(chat.id).iter().filter(|text| **text == big).count(),
            said
        );
        assert!(again.memory.gaps.is_empty());
    });
}

#[test]
fn a_client_that_reads_late_is_told_that_it_lags_and_then_everything_from_the_store() {
    on_a_core(async {
        let node = Node::start().await;
        let mut alice = Desktop::open(&node, 0, ALICE).await;
        alice.resumed().await;
        alice.does("auto-accept", json!({"on": true})).await;
        alice.does("ready", json!({})).await;
        let chat = node.chat("sales").await;
        alice.state(chat.id, "Processing").await;
        let big = "x".repeat(8_000);
        let all: Vec<String> = (0..700).map(|n| format!("{n} {big}")).collect();
        for _ in 0..2 {
            for text in &all {
                node.say(chat, text).await;
            }
            let is_lagging = |frame: &Value| frame["event"] == "error" && frame["kind"] == "lagging";
            let lagging = alice.until("that it lags", is_lagging).await;
            assert_eq!(lagging["status"]["code"], 40801);
            let before = alice.texts(chat.id).len();
            assert!(before % all.len() > 0, "it was told only after everything");
            node.say(chat, "the end").await;
            let mut told_again = 0;
            let is_end = |frame: &Value| frame["messages"][0]["text"] == "the end";
            loop {
                let frame = alice.frame().await.unwrap();
                told_again += usize::from(is_lagging(&frame));
                if is_end(&frame) {
                    break;
                }
            }
            assert_eq!(told_again, 0, "it is told once");
            // An answer shows that nothing more is owed.
            alice.does("not-ready", json!({})).await;
            let texts = alice.texts(chat.id);
            let told: Vec<&String> = texts.iter().filter(|text| *text != "the end").collect();
            assert!(told[told.len() - all.len()..].iter().copied().eq(&all));
        }
        assert!(alice.memory.gaps.is_empty());
    });
}
