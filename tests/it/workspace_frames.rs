//! The frames of the agent stream against their published description, and against nonsense.

use std::collections::BTreeMap;

use nexus::model::{ChainHash, LogId, Millis, Position, Spread};
use nexus::protocol::agent::{
    AgentProfile, ChannelEvent, ErrorEvent, ErrorKind, Gap, GapReason, Hello, InteractionEvent, LogPosition,
    MAX_FRAME, MessagesEvent, Notification, Place, Reconnect, Reply, Resumed, ServerFrame, Status,
    decode_frame,
};
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

const DOCUMENT: &str = include_str!("../../docs/asyncapi.yaml");

/// `components.messages` of the document, each with its lines.
fn documented() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut messages = BTreeMap::new();
    let mut current = "";
    let (_, section) = DOCUMENT.split_once("\n  messages:\n").unwrap_or_default();
    for line in section.lines() {
        let indent = line.len() - line.trim_start().len();
        if indent == 4 {
            current = line.trim().trim_end_matches(':');
        }
        messages.entry(current).or_insert_with(Vec::new).push(line.trim());
    }
    messages
}

fn examples() -> Vec<(&'static str, &'static str)> {
    documented()
        .into_iter()
        .flat_map(|(name, lines)| {
            lines
                .into_iter()
                .filter_map(move |line| Some((name, line.strip_prefix("- payload: ")?)))
        })
        .collect()
}

fn place() -> Place {
    Place::record(log(), at())
}

fn log() -> LogId {
    LogId::session(Millis(1), [1; 10], Spread::of(&[b"x"]))
}

fn at() -> Position {
    Position {
        n: 3,
        hash: ChainHash([1; 8]),
    }
}

fn server_frames() -> Vec<ServerFrame<'static>> {
    vec![
        ServerFrame::Hello(Hello {
            conn: 1,
            agent: AgentProfile {
                agent_id: "alice",
                name: "Alice",
                supervisor: false,
                queues: &[],
            },
            desk: LogPosition::new(log(), at()),
            resume_token: "t",
            heartbeat_ms: 20_000,
            resume_window_s: 86_400,
            channels: &[],
            auto_accept: false,
        }),
        ServerFrame::Interaction(InteractionEvent::new(
            place(),
            Notification::StatusChange,
            Some("joined"),
            None,
        )),
        ServerFrame::Messages(MessagesEvent::new(place(), &[])),
        ServerFrame::Channel(ChannelEvent::new(place(), &[], true)),
        ServerFrame::Reply(Reply {
            cmd_id: Uuid::nil(),
            status: Status::DONE,
            retry_after_ms: None,
            data: None,
        }),
        ServerFrame::Resumed(Resumed { positions: vec![] }),
        ServerFrame::Gap(Gap {
            log: log(),
            from: 1,
            to: 3,
            hash: ChainHash([1; 8]),
            reason: GapReason::OtherHistory,
            snapshot: None,
        }),
        ServerFrame::Reconnect(Reconnect { in_ms: 5 }),
        ServerFrame::Error(ErrorEvent {
            cmd_id: None,
            kind: ErrorKind::Frame,
            status: Status::DONE,
        }),
    ]
}

#[test]
fn every_documented_client_frame_is_understood() {
    let examples = examples();
    assert!(examples.len() >= 40, "{}", examples.len());
    for (name, example) in examples {
        let json: Value = serde_json::from_str(example).unwrap();
        assert_eq!(json["cmd"], name);
        assert!(decode_frame(example.as_bytes()).is_ok(), "{name}: {example}");
    }
}

#[test]
fn every_documented_server_frame_is_produced_with_its_required_fields() {
    let documented = documented();
    let mut produced = Vec::new();
    for frame in server_frames() {
        let json: Value = serde_json::from_slice(&frame.encode()).unwrap();
        let event = json["event"].as_str().unwrap().to_owned();
        let lines = documented.get(event.as_str()).expect("documented");
        let required = lines
            .iter()
            .find_map(|line| line.strip_prefix("required: ["))
            .unwrap();
        for field in required.trim_end_matches(']').split(", ") {
            assert!(json.get(field).is_some(), "{event} lacks {field}");
        }
        for key in json.as_object().unwrap().keys() {
            assert!(
                lines.iter().any(|line| line.starts_with(&format!("{key}:"))),
                "{event}: {key} is not documented"
            );
        }
        produced.push(event);
    }
    let events = documented
        .iter()
        .filter(|(_, lines)| lines.iter().any(|line| line.starts_with("event: {const:")));
    assert_eq!(events.count(), produced.len());
}

#[test]
fn the_list_of_the_channel_is_the_list_of_messages() {
    for name in documented().keys() {
        let entry = format!("      {name}: {{$ref: '#/components/messages/{name}'}}\n");
        assert!(
            DOCUMENT.contains(&entry),
            "{name} is not a message of the channel"
        );
    }
}

#[test]
fn a_field_of_another_command_is_refused() {
    let frame = br#"{"cmd":"reject","cmdId":"5f2c1f9e-2f51-4a5c-8f3b-6d7c1a9e0b22","session":"018c2f30-5a1b-7c3d-9e4f-0a1b2c3d4e5f","queue":"x"}"#;
    let error = decode_frame(frame).unwrap_err();
    assert!(error.cmd_id.is_some());
    assert_eq!(error.to_string(), "queue does not belong to this command");
}

#[test]
fn what_is_too_deep_too_large_or_doubled_is_refused() {
    let deep = format!("{}{}", r#"{"cmd":"#.repeat(33), "1".to_owned() + &"}".repeat(33));
    assert_eq!(
        decode_frame(deep.as_bytes()).unwrap_err().to_string(),
        "the frame is nested too deeply"
    );
    assert!(decode_frame(&vec![b' '; MAX_FRAME + 1]).is_err());
    assert!(decode_frame(br#"{"cmd":"resume","positions":[],"positions":[]}"#).is_err());
}

#[test]
fn an_address_that_a_program_would_run_is_refused() {
    for url in ["javascript:alert(1)", "data:text/html,x", "//host", "https://a b"] {
        let frame = format!(
            r#"{{"cmd":"send-url","cmdId":"5f2c1f9e-2f51-4a5c-8f3b-6d7c1a9e0b22","session":"018c2f30-5a1b-7c3d-9e4f-0a1b2c3d4e5f","url":"{url}"}}"#
        );
        assert!(decode_frame(frame.as_bytes()).is_err(), "{url}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_end_the_process(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = decode_frame(&bytes);
    }

    #[test]
    fn a_damaged_frame_never_ends_the_process(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let examples = examples();
        let mut bytes = examples[which.index(examples.len())].1.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        let _ = decode_frame(&bytes);
    }

    #[test]
    fn what_an_agent_says_arrives_as_it_was_said(text in "\\PC{1,300}") {
        prop_assume!(!text.trim().is_empty());
        let id = Uuid::from_u128(1);
        let frame = serde_json::json!({
            "cmd": "send-message", "cmdId": id, "session": log(), "message": text, "visibility": "Agent",
        })
        .to_string();
        let decoded = format!("{:?}", decode_frame(frame.as_bytes()).unwrap());
        let expected = format!("text: {text:?}, visibility: Agent");
        prop_assert!(decoded.contains(&expected), "{decoded}");
    }
}
