//! Whatever a server answers: no panic, no busy loop, no message out of order or twice.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::scripted::{Scripted, Sent, connected, event};
use crate::protocol::bayeux::Input;

/// What a bad server does with the oldest request.
#[derive(Debug, Clone)]
enum Act {
    Reply(Value),
    Raw(Vec<u8>),
    Fail(Option<u64>),
    Silence,
}

fn replies() -> impl Strategy<Value = Value> {
    let advice = prop_oneof![
        Just(Value::Null),
        (prop_oneof![Just("retry"), Just("handshake"), Just("other")], 0_i64..100_000, any::<u32>())
            .prop_map(|(reconnect, interval, timeout)| json!({"reconnect": reconnect, "interval": interval, "timeout": timeout})),
    ];
    let error = prop_oneof![
        Just(Value::Null),
        Just(json!("402::session_unknown")),
        Just(json!("401:x:Unknown client")),
        Just(json!("403::denied")),
    ];
    (any::<bool>(), advice, error, any::<bool>(), any::<u8>()).prop_map(|(successful, advice, error, acks, batch)| {
        let ack = if acks { json!(true) } else { json!(batch) };
        json!({"successful": successful, "advice": advice, "error": error, "ext": {"ack": ack}, "clientId": "c1"})
    })
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => replies().prop_map(Act::Reply),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Act::Raw),
        2 => proptest::option::of(any::<u64>()).prop_map(Act::Fail),
        1 => Just(Act::Silence),
    ]
}

fn play(it: &mut Scripted, act: &Act) {
    let Some(sent) = (!it.open.is_empty()).then(|| it.open.remove(0)) else {
        return it.wait();
    };
    match act {
        Act::Reply(reply) => {
            let mut reply = reply.clone();
            reply["channel"] = json!(format!("/meta{}", sent.path));
            reply["id"] = sent.body[0]["id"].clone();
            let body = json!([reply]).to_string();
            it.tell(Input::Answer {
                exchange: sent.exchange,
                body: body.as_bytes(),
            });
        }
        Act::Raw(body) => it.tell(Input::Answer {
            exchange: sent.exchange,
            body,
        }),
        Act::Fail(retry_after) => it.tell(Input::Failed {
            exchange: sent.exchange,
            retry_after: *retry_after,
        }),
        Act::Silence => it.wait(),
    }
}

/// The most requests to one path in any ten seconds.
fn busiest(history: &[Sent], path: &str) -> usize {
    let times: Vec<u64> = history
        .iter()
        .filter(|sent| sent.path == path)
        .map(|sent| sent.at.0)
        .collect();
    let busiest = times
        .iter()
        .enumerate()
        .map(|(from, start)| times[from..].iter().take_while(|at| *at - start < 10_000).count());
    busiest.max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_server_that_gives_nothing_is_tried_less_than_twice_a_second(acts in proptest::collection::vec(acts(), 1..200)) {
        let mut it = Scripted::new(&["/a"]);
        for act in &acts {
            play(&mut it, act);
            prop_assert!(it.open.len() <= 202);
        }
        for path in ["/handshake", "/connect", "/subscribe"] {
            // In ten seconds twenty would be twice a second.
            prop_assert!(busiest(&it.history, path) < 20, "{path}: {}", busiest(&it.history, path));
        }
    }

    #[test]
    fn the_same_bad_answer_for_ever_is_no_busy_loop(act in acts()) {
        let mut it = Scripted::new(&["/a"]);
        for _ in 0..150 {
            play(&mut it, &act);
        }
        for path in ["/handshake", "/connect", "/subscribe"] {
            prop_assert!(busiest(&it.history, path) < 20, "{path}");
        }
    }

    /// A server that keeps batches, and a network that loses requests, answers and both.
    #[test]
    fn every_message_arrives_once_and_in_order(
        steps in proptest::collection::vec((0_usize..4, 0_u8..4), 1..120)
    ) {
        let mut it = Scripted::connected(true);
        let (mut kept, mut last, mut batch): (Vec<(u64, u64)>, u64, u64) = (Vec::new(), 0, 1);
        for (published, luck) in steps {
            while it.open.is_empty() {
                it.wait();
            }
            let sent = it.take("/connect");
            if luck == 0 {
                it.tell(Input::Failed { exchange: sent.exchange, retry_after: None });
                continue;
            }
            let seen = sent.body[0]["ext"]["ack"].as_u64().unwrap();
            kept.retain(|(_, batch)| *batch > seen);
            batch += 1;
            for _ in 0..published {
                last += 1;
                kept.push((last, batch));
            }
            if luck == 1 {
                it.tell(Input::Failed { exchange: sent.exchange, retry_after: None });
                continue;
            }
            let mut reply = connected(Some(batch));
            reply["id"] = sent.body[0]["id"].clone();
            let mut messages: Vec<Value> = kept.iter().map(|(n, _)| event("/a", *n)).collect();
            messages.push(reply);
            let body = Value::Array(messages).to_string();
            it.now = it.now.plus(1_500);
            it.tell(Input::Answer { exchange: sent.exchange, body: body.as_bytes() });
        }
        let numbers: Vec<u64> = it.delivered().iter().map(|data| data.parse().unwrap()).collect();
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        prop_assert_eq!(numbers, expected);
    }
}
