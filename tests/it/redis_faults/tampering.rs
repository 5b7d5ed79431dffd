//! Data that is not ours, is gone, or is of another store.

use nexus::log::redis::{RedisOptions, RedisStore};
use nexus::log::{EffectId, Index, LogError, NewEffect, PeerKey, SharedLog};
use nexus::model::{LogId, TenantId};

use super::given::*;
use crate::support::redis::RedisServer;

fn key(log: &SharedLog, id: LogId, kind: &str) -> String {
    format!(
        "{{p{}}}:{kind}:{id}",
        id.spread().partition(log.info().partitions)
    )
}

async fn refusal(options: RedisOptions) -> String {
    let refused = RedisStore::connect(options, 0).await.err().unwrap();
    assert!(matches!(refused, LogError::WrongStore { .. }), "{refused}");
    refused.to_string()
}

#[test]
fn a_key_of_a_wrong_type_ends_an_append_before_it_writes() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        let top = written(&log, opening(id, "1")).await;
        let peer = PeerKey("who".into());
        let mut append = admitted(id, "2");
        append.indexes = vec![Index::Alive { ttl_ms: 1_000 }, Index::Peer(peer)];
        let peer_key = format!("{{p{}}}:peer:who", id.spread().partition(16));
        server.command(&["lpush", &peer_key, "x"]);
        let refused = log.append(append.clone()).await.unwrap_err();
        assert!(matches!(refused, LogError::Corrupt { .. }), "{refused}");
        assert_eq!(texts(&log, id).await, ["1"]);
        assert_eq!(
            log.tops(id.spread().partition(16), vec![id]).await.unwrap(),
            [Some(top)]
        );
        server.command(&["del", &peer_key]);
        written(&log, append).await;
    });
}

#[test]
fn a_key_of_a_wrong_type_ends_a_burial_and_a_replay_before_they_write() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id, tenant) = (node(&server).await, session(), TenantId(uuid::Uuid::new_v4()));
        let here = id.spread().partition(16);
        let mut append = opening(id, "1");
        append.effects = vec![NewEffect {
            place: 0,
            lane: "l".to_owned(),
            delay_ms: 0,
            payload: "p".into(),
        }];
        written(&log, append).await;
        let effect = EffectId {
            log: id,
            n: 1,
            place: 0,
        };
        let bury = || log.bury_effect(effect, "l".to_owned(), tenant, "why".to_owned());
        for kind in ["dead", "dead_ids", "dead_at"] {
            let key = format!("{{p{here}}}:{kind}:{tenant}");
            server.command(&["set", &key, "x"]);
            let refused = bury().await.unwrap_err();
            assert!(matches!(refused, LogError::Corrupt { .. }), "{kind}: {refused}");
            assert_eq!(log.lane_backlog(here).await.unwrap(), 1, "it is where it was");
            server.command(&["del", &key]);
        }
        bury().await.unwrap();
        let lane = format!("{{p{here}}}:l:{id}:l");
        server.command(&["set", &lane, "x"]);
        let refused = log.replay_effect(here, tenant, effect).await.unwrap_err();
        assert!(matches!(refused, LogError::Corrupt { .. }), "{refused}");
        assert_eq!(log.dead_count(tenant).await.unwrap(), 1, "it is where it was");
        server.command(&["del", &lane]);
        assert!(log.replay_effect(here, tenant, effect).await.unwrap());
    });
}

#[test]
fn a_stream_without_its_head_is_damage_and_not_a_new_log() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "1")).await;
        server.command(&["del", &key(&log, id, "h")]);
        let refused = log.append(opening(id, "again")).await.unwrap_err();
        assert!(matches!(refused, LogError::Corrupt { .. }), "{refused}");
    });
}

#[test]
fn a_head_without_its_stream_is_damage_and_not_an_empty_log() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "1")).await;
        server.command(&["del", &key(&log, id, "s")]);
        let refused = log.tail(id).await.unwrap_err();
        assert!(matches!(refused, LogError::Corrupt { .. }), "{refused}");
    });
}

#[test]
fn a_store_that_is_emptied_under_a_node_takes_nothing_more_from_it() {
    let server = RedisServer::start();
    on_a_core(async {
        let (log, id) = (node(&server).await, session());
        written(&log, opening(id, "1")).await;
        server.command(&["flushall"]);
        for refused in [
            log.append(opening(session(), "x")).await.unwrap_err(),
            log.tail(id).await.unwrap_err(),
            log.canary().await.unwrap_err(),
        ] {
            assert!(matches!(refused, LogError::WrongStore { .. }), "{refused}");
        }
        assert_eq!(server.command(&["dbsize"]), "0");
    });
}

#[test]
fn a_partition_without_its_identity_is_taken_back_only_by_name() {
    let server = RedisServer::start();
    on_a_core(async {
        let store = node(&server).await.info().store_id;
        server.command(&["del", "{p3}:store"]);
        assert!(refusal(options(&server.url())).await.contains(&store.to_string()));
        let adopting = RedisOptions {
            adopt: Some(store),
            ..options(&server.url())
        };
        let log = RedisStore::connect(adopting, 0).await.unwrap();
        assert_eq!(log.info().store_id, store);
        assert_eq!(node(&server).await.info().store_id, store);
    });
}

#[test]
fn a_node_with_another_partition_count_is_refused() {
    let server = RedisServer::start();
    on_a_core(async {
        let log = node(&server).await;
        assert_eq!(log.info().partitions, 16);
        let other = RedisOptions {
            partitions: 32,
            ..options(&server.url())
        };
        assert!(refusal(other).await.contains("16 partitions"));
    });
}

#[test]
fn nodes_that_start_at_once_found_one_store() {
    let server = RedisServer::start();
    on_a_core(async {
        let nodes = futures_util::future::join_all((0..4).map(|_| node(&server))).await;
        let first = nodes[0].info();
        assert!(nodes.iter().all(|node| node.info() == first));
    });
}

#[test]
fn a_library_with_another_text_is_refused() {
    let server = RedisServer::start();
    on_a_core(async {
        let other = "#!lua name=nexus_3\nredis.register_function('nexus_3_append', function() return 1 end)";
        server.command(&["function", "load", other]);
        assert!(refusal(options(&server.url())).await.contains("another text"));
        RedisStore::migrate(&options(&server.url())).await.unwrap();
        written(&node(&server).await, opening(session(), "1")).await;
    });
}
