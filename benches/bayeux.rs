//! Connection 7: an answer of the long poll through the machine and into events, and operations out.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::{Media, Millis};
use nexus::protocol::bayeux::{Client, Exchange, Input, Output};
use nexus::protocol::gws::{Action, Operation, event};
use serde_json::{Map, Value, json};

const CHANNEL: &str = "/workspace/v3/media";

fn data(n: usize) -> Value {
    json!({"messageType": "InteractionStateChanged", "notificationType": "StatusChange",
        "interaction": {"id": format!("000A1aDEMO{n:03}"), "mediatype": "chat", "state": "Invited",
            "capabilities": ["accept", "reject"], "interactionType": "Inbound", "queue": "chat.inbound",
            "userData": [{"key": "FirstName", "type": "str", "value": "Ann"}, {"key": "Order", "type": "str", "value": "A-17"}],
            "chat": {"participants": [{"type": "Agent", "agentId": "anna"}]}}})
}

/// A machine with a session and a connect on its way, and the id of that connect.
fn connected() -> (Client, Exchange) {
    let mut client = Client::new(&[CHANNEL], Millis(0));
    let mut said = client.step(Input::Timer, Millis(0), 0);
    let mut number = 0;
    loop {
        let Some(Output::Send { exchange, path, .. }) = said
            .iter()
            .find(|output| matches!(output, Output::Send { path, .. } if *path != "/subscribe"))
        else {
            unreachable!("the machine connects at once");
        };
        if number == 2 {
            return (client, *exchange);
        }
        let body = json!([{"channel": format!("/meta{path}"), "successful": true, "clientId": "c",
            "ext": {"ack": if number == 0 { json!(true) } else { json!(number) }}}]);
        let exchange = *exchange;
        number += 1;
        let body = body.to_string();
        said = client.step(
            Input::Answer {
                exchange,
                body: body.as_bytes(),
            },
            Millis(0),
            0,
        );
    }
}

fn answers(c: &mut Criterion) {
    let mut group = c.benchmark_group("bayeux/answer");
    for messages in [1_usize, 100] {
        let mut answer: Vec<Value> = (0..messages)
            .map(|n| json!({"channel": CHANNEL, "data": data(n)}))
            .collect();
        answer.push(json!({"channel": "/meta/connect", "successful": true, "ext": {"ack": 9}}));
        let body = Value::Array(answer).to_string();
        group.throughput(Throughput::Elements(messages as u64));
        group.bench_function(format!("{messages}"), |b| {
            b.iter_batched(
                connected,
                |(mut client, exchange)| {
                    let input = Input::Answer {
                        exchange,
                        body: black_box(body.as_bytes()),
                    };
                    let said = client.step(input, Millis(2_000), 7);
                    let events = said.iter().filter_map(|output| match output {
                        Output::Deliver { data, .. } => event(data.as_bytes()),
                        _ => None,
                    });
                    events.count()
                },
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("{messages}/serde_json_value"), |b| {
            b.iter(|| serde_json::from_slice::<Value>(black_box(body.as_bytes())).is_ok());
        });
    }
    group.finish();
}

fn operations(c: &mut Criterion) {
    let operation = Operation {
        interaction: "000A1aDEMO001".to_owned(),
        media: Media::Chat,
        action: Action::PlaceInQueue {
            queue: "chat.inbound".to_owned(),
            added: [("Priority".to_owned(), json!(3))].into_iter().collect(),
            changed: Map::new(),
            deleted: Vec::new(),
        },
    };
    c.bench_function("gws/operation/place_in_queue", |b| {
        b.iter(|| black_box(&operation).request("op-1"));
    });
}

criterion_group!(benches, answers, operations);
criterion_main!(benches);
