//! Redis restarts, hangs, loses connections or runs out of room.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nexus::log::redis::RedisStore;
use nexus::log::{Answer, LogError, SharedLog};
use nexus::model::LogId;

use super::given::*;
use crate::support::redis::{AppendOnly, RedisOptions as ServerOptions, RedisServer};

/// Sends openings of `count` new logs at once; each log's text is its id.
async fn open_many(log: &SharedLog, count: usize) -> Vec<(LogId, Result<Answer, LogError>)> {
    let ids: Vec<LogId> = (0..count).map(|_| session()).collect();
    let answers = join_all(ids.iter().map(|id| log.append(opening(*id, &id.to_string())))).await;
    ids.into_iter().zip(answers).collect()
}

/// Every answer is true: what was acknowledged is there, what was refused is not, and nothing is anybody else's.
async fn check(
    log: &SharedLog,
    answers: &[(LogId, Result<Answer, LogError>)],
) -> HashMap<&'static str, usize> {
    let mut counts = HashMap::new();
    for (id, answer) in answers {
        let found = texts(log, *id).await;
        let kind = match answer {
            Ok(Answer::Appended { log, first, .. }) => {
                assert_eq!((log, *first), (id, 1), "the answer is this call's");
                assert_eq!(found, [id.to_string()], "what was acknowledged is there");
                "appended"
            }
            Err(LogError::Unknown { .. }) => {
                assert!(found.is_empty() || found == [id.to_string()]);
                "unknown"
            }
            Err(LogError::Unavailable { .. }) => {
                assert_eq!(found, [""; 0], "what was not taken is not there");
                "unavailable"
            }
            other => panic!("{other:?}"),
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

/// Closes every connection of a normal client from the server's side, after a moment in which work is done on them.
fn cut_all(address: &str) {
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    connection
        .write_all(b"CLIENT KILL TYPE normal SKIPME yes\r\n")
        .unwrap();
    let mut killed = [0; 64];
    assert!(connection.read(&mut killed).unwrap() > 0);
    connection
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    assert!(connection.read(&mut killed).is_err(), "nothing more is said");
}

#[test]
fn functions_that_are_gone_are_loaded_again() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "1")).await;
        server.command(&["function", "flush"]);
        written(&log, admitted(id, "2")).await;
        server.command(&["function", "flush"]);
        assert_eq!(texts(&log, id).await, ["1", "2"]);
    });
}

#[test]
fn a_node_that_may_not_load_functions_says_what_to_do() {
    let server = RedisServer::start();
    on_a_core(async {
        let options = nexus::log::redis::RedisOptions {
            load_library: false,
            ..options(&server.url())
        };
        let refused = RedisStore::connect(options.clone(), 0).await.err().unwrap();
        assert!(refused.to_string().contains("nexus migrate"), "{refused}");
        RedisStore::migrate(&options).await.unwrap();
        let log = RedisStore::connect(options, 0).await.unwrap();
        written(&log, opening(session(), "1")).await;
    });
}

#[test]
fn what_was_acknowledged_survives_kill_9_of_redis() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let log = node(&server).await;
        let answers = open_many(&log, 200).await;
        server.kill();
        let during = open_many(&log, 5).await;
        assert!(during.iter().all(|(_, answer)| answer.is_err()));
        server.restart();
        recovered(&log).await;
        let counts = check(&log, &answers).await;
        assert_eq!(counts.get("appended"), Some(&200));
        check(&log, &during).await;
    });
}

#[test]
fn a_cut_connection_makes_no_answer_false_and_nothing_is_sent_twice() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "opening")).await;
        let address = server.address();
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let cutter = tokio::task::spawn_blocking(move || {
            while !stop.load(Ordering::Acquire) {
                cut_all(&address);
            }
        });
        let (log, id) = (&log, &id);
        let writers = (0..20).map(|writer| async move {
            let (mut acknowledged, mut unknown) = (Vec::new(), 0);
            for n in 0..100 {
                let text = format!("{writer}-{n}");
                match log.append(admitted(*id, &text)).await {
                    Ok(_) => acknowledged.push(text),
                    Err(LogError::Unknown { .. }) => unknown += 1,
                    Err(LogError::Unavailable { .. }) => recovered(log).await,
                    Err(error) => panic!("{error}"),
                }
            }
            (acknowledged, unknown)
        });
        let told = join_all(writers).await;
        done.store(true, Ordering::Release);
        cutter.await.unwrap();
        recovered(log).await;
        let found = texts(log, *id).await;
        let distinct: HashSet<&String> = found.iter().collect();
        assert_eq!(distinct.len(), found.len(), "nothing twice");
        let acknowledged: Vec<&String> = told.iter().flat_map(|(texts, _)| texts).collect();
        assert!(
            acknowledged.iter().all(|text| distinct.contains(text)),
            "nothing lost"
        );
        let unknown: usize = told.iter().map(|(_, unknown)| unknown).sum();
        assert!(
            unknown > 0 && !acknowledged.is_empty(),
            "the cuts were felt and survived: {unknown} unknown, {} acknowledged",
            acknowledged.len()
        );
    });
}

#[test]
fn a_frozen_redis_costs_time_outs_and_its_late_replies_reach_nobody_else() {
    let server = RedisServer::start();
    on_a_core(async {
        let log = node(&server).await;
        open_many(&log, 50).await;
        server.freeze();
        let begun = Instant::now();
        let mut answers = open_many(&log, 200).await;
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "every call ends at its deadline"
        );
        assert!(
            answers
                .iter()
                .all(|(_, answer)| matches!(answer, Err(LogError::Unknown { .. })))
        );
        answers.extend(open_many(&log, 50).await);
        // Longer than several deadlines and attempts to connect, so that late replies have every chance.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        answers.extend(open_many(&log, 50).await);
        server.thaw();
        recovered(&log).await;
        let after = open_many(&log, 300).await;
        assert_eq!(check(&log, &after).await.get("appended"), Some(&300));
        check(&log, &answers).await;
    });
}

#[test]
fn a_slow_redis_answers_each_call_with_its_own_reply() {
    let server = RedisServer::start();
    on_a_core(async {
        let log = node(&server).await;
        // Pauses a little longer than the deadline: half of what is in flight times out on a connection that stays.
        for pause in [250, 290, 310, 350] {
            server.command(&["client", "pause", &pause.to_string(), "all"]);
            let mut answers = open_many(&log, 100).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            answers.extend(open_many(&log, 100).await);
            recovered(&log).await;
            check(&log, &answers).await;
        }
    });
}

#[test]
fn a_full_redis_takes_nothing_and_still_reads() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "1")).await;
        server.command(&["config", "set", "maxmemory", "1"]);
        let refused = log.append(admitted(id, "2")).await.unwrap_err();
        assert!(refused.is_retryable(), "{refused}");
        assert_eq!(texts(&log, id).await, ["1"]);
        server.command(&["config", "set", "maxmemory", "0"]);
        written(&log, admitted(id, "2")).await;
        assert_eq!(texts(&log, id).await, ["1", "2"]);
    });
}

#[test]
fn a_replica_takes_nothing() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "1")).await;
        server.command(&["config", "set", "min-replicas-to-write", "1"]);
        let refused = log.append(admitted(id, "2")).await.unwrap_err();
        assert!(refused.is_retryable(), "{refused}");
        server.command(&["config", "set", "min-replicas-to-write", "0"]);
        written(&log, admitted(id, "2")).await;
    });
}

#[test]
fn a_durability_that_redis_does_not_give_is_refused() {
    on_a_core(async {
        let every_second = RedisServer::start();
        let machine = |server: &RedisServer| nexus::log::redis::RedisOptions {
            durability: nexus::log::Durability::Machine,
            ..options(&server.url())
        };
        let refused = RedisStore::connect(machine(&every_second), 0)
            .await
            .err()
            .unwrap();
        assert!(matches!(refused, LogError::WrongStore { .. }), "{refused}");
        let always = RedisServer::start_with(ServerOptions::append_only(AppendOnly::Always));
        let log = RedisStore::connect(machine(&always), 0).await.unwrap();
        assert_eq!(log.info().durability, nexus::log::Durability::Machine);
    });
}
