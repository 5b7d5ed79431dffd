//! The power fails at any moment, in the middle of a commit too.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use nexus::log::embedded::EmbeddedStore;
use nexus::log::{Answer, Append, Log};
use nexus::model::LogId;
use nexus::runtime::{Clock, TestClock};

use super::dice::Dice;
use super::disk::Disk;
use super::{Acknowledged, logs, options, verify};
use crate::log::suite::given::*;

/// Moments at which the power fails.
const FAILURES: usize = 48;
const ROUNDS: usize = 40;

type Images = Arc<Mutex<Vec<(Vec<u8>, Acknowledged)>>>;

fn clock() -> Clock {
    TestClock::at(1_700_000_000_000).clock()
}

/// With everything that an append can write.
fn append_to(id: LogId, text: &str) -> Append {
    let mut append = admitted(id, text);
    append.key = Some(key(text, 1, ""));
    append.effects = vec![effect(0, "lane", text)];
    append
}

async fn append(log: &dyn Log, id: LogId, text: String, acknowledged: &Mutex<Acknowledged>) {
    if let Answer::Appended { first, .. } = log.append(append_to(id, &text)).await.unwrap() {
        acknowledged.lock().unwrap().insert((id, first), text);
    }
}

#[test]
fn whenever_the_power_fails_nothing_acknowledged_is_lost() {
    crate::log::suite::run(
        async || (),
        async |(): &()| {
            let images = failures().await;
            assert!(images.len() > FAILURES / 2, "{} moments", images.len());
            for (image, acknowledged) in images {
                recovers(image, &acknowledged).await;
            }
        },
    );
}

/// A store under load, and the disk as it is left by failures on the way.
async fn failures() -> Vec<(Vec<u8>, Acknowledged)> {
    let disk = Disk::empty();
    let store = EmbeddedStore::open_with(disk.opener(), options(clock())).unwrap();
    let (log, ids) = (store.core(), logs(5));
    for id in &ids {
        opened(&*log, *id, 0).await;
        let mut first = opening(*id);
        first.records = vec![record(&format!("opening of {id}"))];
        written(&*log, first).await;
    }
    let acknowledged: Arc<Mutex<Acknowledged>> = Arc::default();
    let images: Images = Arc::default();
    let (known, taken, mut dice) = (Arc::clone(&acknowledged), Arc::clone(&images), Dice::new());
    disk.observe(move |moment| {
        let mut taken = taken.lock().unwrap();
        if taken.len() < FAILURES && dice.one_in(8) {
            let known = known.lock().unwrap().clone();
            taken.push((moment.power_failure(&mut dice), known));
        }
    });
    for round in 0..ROUNDS {
        let appends = (0..round % 9 + 1).map(|i| {
            let text = format!("{round}-{i}");
            append(&*log, ids[(round + i) % ids.len()], text, &acknowledged)
        });
        join_all(appends).await;
    }
    disk.observe(|_| {});
    store.close().await.unwrap();
    std::mem::take(&mut *images.lock().unwrap())
}

async fn recovers(image: Vec<u8>, acknowledged: &Acknowledged) {
    let store = EmbeddedStore::open_with(Disk::with(image).opener(), options(clock())).unwrap();
    let (log, ids) = (store.core(), logs(5));
    verify(&*log, &ids, acknowledged).await;
    for ((id, n), text) in acknowledged {
        let repeat = log.append(append_to(*id, text)).await.unwrap();
        assert!(
            matches!(repeat, Answer::Repeat { first, .. } if first == *n),
            "its key is there with it: {repeat:?}"
        );
    }
    let mut effects = 0;
    for partition in 0..4 {
        loop {
            let leased = log.lease_effects(partition, 100, HOUR).await.unwrap();
            if leased.is_empty() {
                break;
            }
            for leased in leased {
                let text = std::str::from_utf8(&leased.payload).unwrap();
                let record = log
                    .read_forward(leased.id.log, leased.id.n, 1)
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(crate::log::suite::given::text(&record.records[0]), text);
                log.complete_effect(leased.id, leased.lane).await.unwrap();
                effects += 1;
            }
        }
    }
    assert!(effects >= acknowledged.len(), "its effects are there with it");
    written(&*log, admitted(ids[0], "after")).await;
    store.close().await.unwrap();
}
