//! Subscriptions that are lost: watchers are told, and hear again.

use nexus::log::{Watch, WatchEvent};
use nexus::model::LogId;
use tokio::time::timeout;

use super::given::*;
use crate::support::redis::RedisServer;

async fn next(watch: &mut Watch) -> WatchEvent {
    timeout(PATIENCE, watch.events.recv())
        .await
        .expect("an event")
        .expect("open")
}

/// Waits for the loss of the log's partition.
async fn lost(watch: &mut Watch, id: LogId) {
    loop {
        if next(watch).await
            == (WatchEvent::Lost {
                partition: id.spread().partition(16),
            })
        {
            return;
        }
    }
}

/// Appends until a record is heard: the subscription is there again.
async fn hears_again(log: &nexus::log::SharedLog, watch: &mut Watch, id: LogId) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        assert!(std::time::Instant::now() < deadline, "nothing is heard any more");
        let _ = log.append(admitted(id, "heard?")).await;
        let heard = timeout(std::time::Duration::from_millis(200), watch.events.recv()).await;
        if let Ok(Some(WatchEvent::Record { log, .. })) = heard
            && log == id
        {
            return;
        }
    }
}

#[test]
fn a_cut_subscription_is_told_and_made_again() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        let mut watch = log.take_watch().unwrap();
        written(&log, opening(id, "1")).await;
        log.watch(id).await.unwrap();
        server.command(&["client", "kill", "type", "pubsub"]);
        lost(&mut watch, id).await;
        hears_again(&log, &mut watch, id).await;
    });
}

#[test]
fn a_subscription_that_is_silently_gone_is_found_by_its_beat() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        let mut watch = log.take_watch().unwrap();
        written(&log, opening(id, "1")).await;
        log.watch(id).await.unwrap();
        // Publications are no longer allowed, so that beats do not arrive although every connection stands.
        server.command(&["acl", "setuser", "default", "-spublish"]);
        lost(&mut watch, id).await;
        server.command(&["acl", "setuser", "default", "+spublish"]);
        hears_again(&log, &mut watch, id).await;
    });
}

#[test]
fn a_restart_of_redis_is_a_loss() {
    let mut server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        let mut watch = log.take_watch().unwrap();
        written(&log, opening(id, "1")).await;
        log.watch(id).await.unwrap();
        server.kill();
        server.restart();
        lost(&mut watch, id).await;
        recovered(&log).await;
        hears_again(&log, &mut watch, id).await;
    });
}
