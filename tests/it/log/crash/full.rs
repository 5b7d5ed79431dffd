//! The disk is full, or fails.

use std::time::Duration;

use futures_util::future::join_all;
use nexus::log::embedded::EmbeddedStore;
use nexus::log::{Answer, LogError};
use nexus::runtime::TestClock;

use super::disk::Disk;
use super::{Acknowledged, logs, options, verify};
use crate::log::suite::given::*;
use crate::log::suite::run;

/// More than the pause between two attempts to open the engine again.
const PAUSE: Duration = Duration::from_secs(1);

#[test]
fn a_full_disk_refuses_appends_until_there_is_space() {
    run(
        async || (),
        async |(): &()| {
            let (disk, clock) = (Disk::empty(), TestClock::at(1_700_000_000_000));
            let store = EmbeddedStore::open_with(disk.opener(), options(clock.clock())).unwrap();
            let (log, ids) = (store.core(), logs(1));
            let mut acknowledged = Acknowledged::new();
            written(&*log, opening(ids[0])).await;
            disk.set_capacity(disk.used());
            let mut refused = 0;
            for i in 0..2_000 {
                let mut append = admitted(ids[0], &i.to_string());
                append.records[0].body = Some(vec![0; 4_096].into());
                match log.append(append).await {
                    Ok(Answer::Appended { first, .. }) => {
                        acknowledged.insert((ids[0], first), i.to_string());
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(LogError::Unavailable { .. }) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
                clock.advance(PAUSE);
                if refused == 3 {
                    break;
                }
            }
            assert_eq!(refused, 3, "the disk fills up");
            disk.set_capacity(u64::MAX);
            let (first, _) = written(&*log, admitted(ids[0], "there is space")).await;
            acknowledged.insert((ids[0], first), "there is space".to_owned());
            assert_eq!(
                first as usize,
                acknowledged.len() + 1,
                "what was refused was not written"
            );
            verify(&*log, &ids, &acknowledged).await;
            store.close().await.unwrap();
            let store = EmbeddedStore::open_with(disk.opener(), options(clock.clock())).unwrap();
            verify(&*store.core(), &ids, &acknowledged).await;
            store.close().await.unwrap();
        },
    );
}

#[test]
fn whichever_step_of_a_commit_fails_the_answer_is_true() {
    run(
        async || (),
        async |(): &()| {
            let (disk, clock) = (Disk::empty(), TestClock::at(1_700_000_000_000));
            let store = EmbeddedStore::open_with(disk.opener(), options(clock.clock())).unwrap();
            let (log, ids) = (store.core(), logs(3));
            for id in &ids {
                let mut first = opening(*id);
                first.records = vec![record(&format!("opening of {id}"))];
                written(&*log, first).await;
            }
            let mut acknowledged = Acknowledged::new();
            let (mut steps, mut refused, mut in_doubt) = (0, Vec::new(), 0);
            loop {
                disk.fail_after(steps);
                let texts: Vec<String> = (0..3).map(|i| format!("{steps}-{i}")).collect();
                let appends = (0..3).map(|i| log.append(admitted(ids[i], &texts[i])));
                let answers = join_all(appends).await;
                let failed = disk.has_failed();
                for ((id, text), answer) in ids.iter().zip(texts).zip(answers) {
                    match answer {
                        Ok(Answer::Appended { first, .. }) => {
                            acknowledged.insert((*id, first), text);
                        }
                        Ok(other) => panic!("{other:?}"),
                        Err(LogError::Unavailable { .. }) => refused.push(text),
                        Err(LogError::Unknown { .. }) => in_doubt += 1,
                        Err(other) => panic!("{other:?}"),
                    }
                }
                clock.advance(PAUSE);
                if !failed {
                    break;
                }
                steps += 1;
            }
            assert!(steps > 3, "a commit has several steps");
            assert!(!refused.is_empty());
            assert_eq!(in_doubt, 0, "the engine could be opened again each time");
            verify(&*log, &ids, &acknowledged).await;
            for id in &ids {
                let there = texts(&*log, *id).await;
                assert!(
                    there.iter().all(|text| !refused.contains(text)),
                    "refused, yet written"
                );
            }
            store.close().await.unwrap();
        },
    );
}
