//! RFC 6455 and `permessage-deflate`, judged by the Autobahn suite: without TLS, and behind it on either record layer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use super::Echoes;
use crate::support::python::ask;

/// Everything but limits and compression.
const RULES: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "10"];
/// Those that only ask what happens: no answer is wrong.
const INFORMATIONAL: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];
/// The suite pings more often at once than an agent may.
const MANY_PINGS: &str = "limits.websocket.control_per_second=100";

type Results = BTreeMap<String, [String; 3]>;

fn judged(at: SocketAddr, tls: bool, cases: &[&str]) -> Results {
    let question =
        json!({"host": at.ip().to_string(), "port": at.port(), "tls": tls, "cases": cases, "messages": 20});
    let answer = ask("conformance/websocket.py", &question);
    serde_json::from_value(answer).expect("results")
}

/// Every case went as it must, but for those that may go as `also` says.
fn all_pass(results: &Results, at_least: usize, also: impl Fn(&str, &str) -> bool) {
    assert!(results.len() >= at_least, "only {} cases were run", results.len());
    let failed: Vec<_> = results
        .iter()
        .filter(|(case, [behaviour, close, _])| {
            let informs = INFORMATIONAL.contains(&case.as_str());
            let sound = behaviour == "OK" || behaviour == "INFORMATIONAL" && informs || also(case, behaviour);
            !sound || (close != "OK" && !informs)
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} cases: {failed:#?}",
        failed.len(),
        results.len()
    );
}

#[test]
fn every_rule_of_the_protocol_is_kept_without_tls() {
    let echoes = Echoes::start(&[MANY_PINGS]);
    all_pass(&judged(echoes.plain, false, &RULES), 240, |_, _| false);
}

#[test]
fn every_rule_of_the_protocol_is_kept_behind_tls_on_either_record_layer() {
    for own in [true, false] {
        let layer = format!("limits.connections.own_tls_records={own}");
        let echoes = Echoes::start(&[MANY_PINGS, &layer]);
        all_pass(&judged(echoes.tls, true, &RULES), 240, |_, _| false);
    }
}

#[test]
fn messages_of_many_megabytes_and_of_many_pieces_come_back_whole() {
    let settings = [
        "limits.websocket.frame=16MiB",
        "limits.websocket.message=16MiB",
        "limits.websocket.fragments=65535",
        // One write of 16 MiB takes its time on a busy machine.
        "limits.websocket.write=5m",
    ];
    let echoes = Echoes::start(&settings);
    for (at, tls) in [(echoes.plain, false), (echoes.tls, true)] {
        let mut results = judged(at, tls, &["9"]);
        // 65,536 pieces: one more than any setting allows.
        for case in ["9.3.1", "9.4.1"] {
            results.remove(case);
        }
        all_pass(&results, 50, |_, _| false);
    }
}

#[test]
fn compressed_messages_come_back_whole_under_every_offer() {
    let settings = [
        "limits.websocket.deflate=true",
        "limits.websocket.frame=1MiB",
        "limits.websocket.message=1MiB",
        "limits.websocket.fragments=1024",
    ];
    let echoes = Echoes::start(&settings);
    for (at, tls) in [(echoes.plain, false), (echoes.tls, true)] {
        // A smaller window than the usual one may be declined: then nothing is compressed.
        let declined = |case: &str, behaviour: &str| {
            behaviour == "UNIMPLEMENTED" && ["13.3.", "13.5."].iter().any(|group| case.starts_with(group))
        };
        all_pass(&judged(at, tls, &["12", "13"]), 216, declined);
    }
}
