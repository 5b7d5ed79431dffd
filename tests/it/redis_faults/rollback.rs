//! A Redis that comes back with an older history.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nexus::log::redis::RedisStore;
use nexus::log::{Answer, Basis, NewEffect, PeerKey, SharedLog, WatchEvent};
use nexus::model::LogId;

use super::given::*;
use crate::support::redis::RedisServer;

/// Kills the server and puts an older append-only file in place of its own.
pub(super) fn roll_back(server: &mut RedisServer, older: &tempfile::TempDir) {
    server.kill();
    let files = server.folder().join("appendonlydir");
    std::fs::remove_dir_all(&files).unwrap();
    copy(older.path(), &files);
    server.restart();
}

/// The append-only file as it is now.
pub(super) fn history(server: &RedisServer) -> tempfile::TempDir {
    let kept = tempfile::tempdir().unwrap();
    copy(&server.folder().join("appendonlydir"), kept.path());
    kept
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn has(log: &SharedLog, id: LogId, expected: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = texts(log, id).await;
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?} instead of {expected:?}");
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_redis_lost_goes_in_again_as_it_was() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "1")).await;
        let older = history(&server);
        let mut with_effect = admitted(id, "2");
        with_effect.effects = vec![NewEffect {
            place: 0,
            lane: "l".to_owned(),
            delay_ms: 0,
            payload: "sent".into(),
        }];
        written(&log, with_effect).await;
        let top = written(&log, admitted(id, "3")).await;
        let (opened, peer) = (session(), PeerKey("who".into()));
        let to_peer = Basis::Peer {
            peer: peer.clone(),
            opening: opening(opened, "opening").records,
            opening_effects: Vec::new(),
            quiet: None,
        };
        written(&log, append(opened, to_peer, "hello")).await;

        roll_back(&mut server, &older);
        recovered(&log).await;
        has(&log, id, &["1", "2", "3"]).await;
        has(&log, opened, &["opening", "hello"]).await;
        let partition = |id: LogId| id.spread().partition(16);
        assert_eq!(log.tops(partition(id), vec![id]).await.unwrap(), [Some(top)]);
        assert_eq!(log.peer(partition(opened), peer).await.unwrap(), Some(opened));
        let leased = log.lease_effects(partition(id), 10, 1_000).await.unwrap();
        assert_eq!(
            (leased.len(), leased[0].id.n),
            (1, 2),
            "with its effect, under its id"
        );
    });
}

#[test]
fn a_send_that_was_written_goes_in_again_whatever_its_peer_is_by_then() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let (log, watcher, id) = (node(&server).await, node(&server).await, session());
        let (partition, peer) = (id.spread().partition(16), PeerKey("who".into()));
        let mut watch = watcher.take_watch().unwrap();
        written(&log, opening(id, "1")).await;
        watcher.watch(id).await.unwrap();
        log.set_opt_out(partition, peer.clone(), true).await.unwrap();
        let older = history(&server);
        log.set_opt_out(partition, peer.clone(), false).await.unwrap();
        let mut send = admitted(id, "2");
        send.guard = Some(peer.clone());
        written(&log, send.clone()).await;
        watch.events.recv().await.unwrap();
        // Of the two only the one that watched is left.
        drop(log);

        roll_back(&mut server, &older);
        recovered(&watcher).await;
        has(&watcher, id, &["1", "2"]).await;
        assert!(watcher.opted_out(partition, peer).await.unwrap());
        assert_eq!(watcher.append(send).await.unwrap(), Answer::OptedOut);
    });
}

#[test]
fn a_node_that_only_watched_puts_back_what_a_dead_one_wrote() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let (writer, watcher, id) = (node(&server).await, node(&server).await, session());
        let mut watch = watcher.take_watch().unwrap();
        written(&writer, opening(id, "1")).await;
        watcher.watch(id).await.unwrap();
        let older = history(&server);
        let mut closing = admitted(id, "2");
        closing.closes = true;
        written(&writer, closing).await;
        watch.events.recv().await.unwrap();
        drop(writer);

        roll_back(&mut server, &older);
        recovered(&watcher).await;
        has(&watcher, id, &["1", "2"]).await;
        let late = watcher.append(admitted(id, "late")).await.unwrap();
        assert_eq!(late, Answer::Closed, "it was put back whole");
    });
}

#[test]
fn nobody_goes_on_before_what_was_lost_is_back() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let (writer, other, id) = (node(&server).await, node(&server).await, session());
        written(&writer, opening(id, "1")).await;
        let older = history(&server);
        written(&writer, admitted(id, "2")).await;
        written(&writer, admitted(id, "3")).await;

        roll_back(&mut server, &older);
        // It knows nothing of 2 and 3, and asks as soon as it can.
        let deadline = Instant::now() + PATIENCE;
        while other.append(admitted(id, "late")).await.is_err() {
            assert!(Instant::now() < deadline, "the store does not come back");
            tokio::task::yield_now().await;
        }
        has(&other, id, &["1", "2", "3", "late"]).await;
    });
}

#[test]
fn what_redis_lost_is_held_for_as_long_as_it_is_away() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let mut options = options(&server.url());
        // Far less than a restart takes.
        options.ring.age = Duration::from_millis(1);
        let (log, id) = (RedisStore::connect(options, 0).await.unwrap(), session());
        written(&log, opening(id, "1")).await;
        let older = history(&server);
        written(&log, admitted(id, "2")).await;

        roll_back(&mut server, &older);
        recovered(&log).await;
        has(&log, id, &["1", "2"]).await;
    });
}

#[test]
fn who_held_appends_and_died_is_not_waited_for_for_ever() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let log = node(&server).await;
        server.command(&["ZADD", "{p0}:holders", "99999999999999", "a dead core"]);
        server.kill();
        server.restart();
        recovered(&log).await;
    });
}

#[test]
fn a_core_that_ends_in_order_is_not_waited_for() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, other) = (node(&server).await, node(&server).await);
        drop(other);
        let deadline = Instant::now() + PATIENCE;
        while server.command(&["ZCARD", "{p0}:holders"]) != "1" {
            assert!(Instant::now() < deadline, "it is still waited for");
            tokio::task::yield_now().await;
        }
        recovered(&log).await;
    });
}

#[test]
fn what_has_no_place_any_more_is_told_to_who_wrote_it() {
    let mut server = RedisServer::start();
    let (url, id) = (server.url(), session());
    let (done, step) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    // A node that stands still for longer than others wait.
    let stranded = thread::spawn(move || {
        on_a_core(async {
            let log = RedisStore::connect(options(&url), 0).await.unwrap();
            let mut watch = log.take_watch().unwrap();
            written(&log, opening(id, "1")).await;
            done.send(()).unwrap();
            gate.recv().unwrap();
            written(&log, admitted(id, "2")).await;
            done.send(()).unwrap();
            gate.recv().unwrap();
            let told = async {
                loop {
                    if let WatchEvent::Stranded { log, after, records } = watch.events.recv().await.unwrap() {
                        return (log, after, records);
                    }
                }
            };
            tokio::time::timeout(PATIENCE, told).await.unwrap()
        })
    });
    step.recv().unwrap();
    let older = history(&server);
    go.send(()).unwrap();
    step.recv().unwrap();
    roll_back(&mut server, &older);
    on_a_core(async {
        let other = node(&server).await;
        written(&other, admitted(id, "another")).await;
        go.send(()).unwrap();
        let (log, after, records) = stranded.join().unwrap();
        let texts: Vec<&[u8]> = records.iter().map(|record| &record.envelope[..]).collect();
        assert_eq!((log, after, texts), (id, 1, vec![&b"2"[..]]));
    });
}
