//! Frames of the agent stream, in and out.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::{ChainHash, LogId, MessageId, Millis, ParticipantId, Position, Role, Spread, Visibility};
use nexus::net::websocket::encode_text;
use nexus::protocol::agent::{
    Message, MessageType, MessagesEvent, ParticipantView, Place, ServerFrame, decode_frame, timestamp,
};
use uuid::Uuid;

const TEXT: &str =
    "Thank you for waiting. I have found your order and it will leave our house this afternoon.";

fn log() -> LogId {
    LogId::session(Millis(1_736_935_205_000), [7; 10], Spread::of(&[b"bench"]))
}

fn command(words: usize) -> String {
    serde_json::json!({
        "cmd": "send-message", "cmdId": Uuid::from_u128(1), "session": log(), "message": TEXT.repeat(words),
        "visibility": "All",
    })
    .to_string()
}

fn message(text: String) -> Message {
    let at = Millis(1_736_935_205_000);
    Message {
        index: 42,
        message_id: Some(MessageId(Uuid::from_u128(2))),
        kind: MessageType::Text,
        text: Some(text),
        erased: false,
        reason: None,
        file: None,
        delivery: None,
        visibility: Visibility::All,
        timestamp: timestamp(at),
        timestamp_seconds: at.0 / 1_000,
        from: Some(ParticipantView {
            participant_id: ParticipantId(Uuid::from_u128(3)),
            role: Role::Customer,
            nickname: "Ann".to_owned(),
            agent_id: None,
            visibility: Visibility::All,
        }),
    }
}

fn frames(c: &mut Criterion) {
    let mut decode = c.benchmark_group("agent_frame/decode");
    for (name, words) in [("short", 1), ("4kB", 45)] {
        let text = command(words);
        decode.throughput(Throughput::Bytes(text.len() as u64));
        decode.bench_function(name, |b| {
            b.iter(|| decode_frame(black_box(text.as_bytes())).is_ok())
        });
        decode.bench_function(format!("{name}/serde_json_value"), |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(text.as_bytes())).is_ok());
        });
    }
    decode.finish();

    let mut encode = c.benchmark_group("agent_frame/encode");
    let place = Place::record(
        log(),
        Position {
            n: 42,
            hash: ChainHash([3; 8]),
        },
    );
    for (name, words) in [("short", 1), ("4kB", 45)] {
        let messages = [message(TEXT.repeat(words))];
        encode.bench_function(name, |b| {
            b.iter(|| ServerFrame::Messages(MessagesEvent::new(place, black_box(&messages))).encode());
        });
        let text = ServerFrame::Messages(MessagesEvent::new(place, &messages)).encode();
        encode.bench_function(format!("{name}/websocket_frame"), |b| {
            b.iter(|| encode_text(black_box(&text)));
        });
    }
    encode.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
