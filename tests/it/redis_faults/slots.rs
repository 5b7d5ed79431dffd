//! A cluster that moves a partition's slot.

use nexus::log::redis::RedisStore;
use nexus::log::{LogError, WatchEvent};
use tokio::time::timeout;

use super::given::*;
use crate::support::redis::{RedisCluster, RedisOptions as ServerOptions};

#[test]
fn a_slot_on_the_move_takes_no_half_of_an_append_and_all_of_it_afterwards() {
    let cluster = RedisCluster::start(&ServerOptions::default());
    on_a_core(async {
        let log = RedisStore::connect(options(&cluster.url()), 0).await.unwrap();
        let id = session();
        let mut watch = log.take_watch().unwrap();
        written(&log, opening(id, "1")).await;
        log.watch(id).await.unwrap();
        let tag = format!("{{p{}}}", id.spread().partition(16));
        let slot = cluster.masters[0].command(&["cluster", "keyslot", &tag]);
        let from = cluster
            .masters
            .iter()
            .position(|master| {
                !master
                    .command(&["cluster", "countkeysinslot", &slot])
                    .starts_with('0')
            })
            .unwrap();
        let (from, to) = (&cluster.masters[from], &cluster.masters[(from + 1) % 3]);
        let (from_id, to_id) = (
            from.command(&["cluster", "myid"]),
            to.command(&["cluster", "myid"]),
        );
        to.command(&["cluster", "setslot", &slot, "importing", &from_id]);
        from.command(&["cluster", "setslot", &slot, "migrating", &to_id]);

        // Half of it is there, half here.
        let head = format!("{tag}:h:{id}");
        let port = to.port().to_string();
        let moved = |keys: &[String]| {
            let mut line = vec!["migrate", "127.0.0.1", &port, "", "0", "5000", "keys"];
            line.extend(keys.iter().map(String::as_str));
            from.command(&line);
        };
        moved(&[head]);
        let refused = log.append(admitted(id, "2")).await.unwrap_err();
        assert!(
            matches!(refused, LogError::Unknown { .. } | LogError::Unavailable { .. }),
            "{refused}"
        );
        assert!(log.tail(id).await.is_err(), "not half of a log either");

        let left = from.command(&["cluster", "getkeysinslot", &slot, "1000"]);
        moved(&left.lines().map(str::to_owned).collect::<Vec<_>>());
        for master in [to, from] {
            master.command(&["cluster", "setslot", &slot, "node", &to_id]);
        }
        recovered(&log).await;
        let deadline = std::time::Instant::now() + PATIENCE;
        while log.append(admitted(id, "3")).await.is_err() {
            assert!(
                std::time::Instant::now() < deadline,
                "the new place of the slot is not found"
            );
        }
        assert_eq!(texts(&log, id).await, ["1", "3"]);

        // The subscription moved too: its loss is told, and it is made again where the slot is now.
        let mut told = false;
        while !told {
            let event = timeout(PATIENCE, watch.events.recv()).await.unwrap().unwrap();
            told = matches!(event, WatchEvent::Lost { partition } if partition == id.spread().partition(16));
        }
        let heard = async {
            loop {
                written(&log, admitted(id, "heard?")).await;
                let next = timeout(std::time::Duration::from_millis(200), watch.events.recv()).await;
                if let Ok(Some(WatchEvent::Record { .. })) = next {
                    return;
                }
            }
        };
        timeout(PATIENCE, heard).await.expect("the watcher hears again");
    });
}
