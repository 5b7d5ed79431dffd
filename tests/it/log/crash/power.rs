//! The power fails at any moment, in the middle of a commit too.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use nexus::log::embedded::EmbeddedStore;
use nexus::log::{Answer, Append, EffectId, Log};
use nexus::model::{LogId, TenantId};
use nexus::runtime::{Clock, TestClock};

use super::dice::Dice;
use super::disk::Disk;
use super::{Acknowledged, logs, options, verify};
use crate::log::suite::given::*;

/// Moments at which the power fails.
const FAILURES: usize = 48;
const ROUNDS: usize = 40;

/// Effects whose burial was acknowledged.
type Buried = BTreeSet<EffectId>;

type Images = Arc<Mutex<Vec<(Vec<u8>, Acknowledged, Buried)>>>;

const TENANT: TenantId = TenantId(uuid::Uuid::nil());

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

/// Every third effect is given up on.
async fn append(
    log: &dyn Log,
    id: LogId,
    text: String,
    acknowledged: &Mutex<Acknowledged>,
    buried: &Mutex<Buried>,
) {
    if let Answer::Appended { first, .. } = log.append(append_to(id, &text)).await.unwrap() {
        acknowledged.lock().unwrap().insert((id, first), text);
        if first % 3 == 0 {
            let effect = EffectId {
                log: id,
                n: first,
                place: 0,
            };
            log.bury_effect(effect, "lane".to_owned(), TENANT, "why".to_owned())
                .await
                .unwrap();
            buried.lock().unwrap().insert(effect);
        }
    }
}

#[test]
fn whenever_the_power_fails_nothing_acknowledged_is_lost() {
    crate::log::suite::run(
        async || (),
        async |(): &()| {
            let images = failures().await;
            assert!(images.len() > FAILURES / 2, "{} moments", images.len());
            for (image, acknowledged, buried) in images {
                recovers(image, &acknowledged, &buried).await;
            }
        },
    );
}

/// A store under load, and the disk as it is left by failures on the way.
async fn failures() -> Vec<(Vec<u8>, Acknowledged, Buried)> {
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
    let buried: Arc<Mutex<Buried>> = Arc::default();
    let images: Images = Arc::default();
    let (known, taken, mut dice) = (Arc::clone(&acknowledged), Arc::clone(&images), Dice::new());
    let given_up = Arc::clone(&buried);
    disk.observe(move |moment| {
        let mut taken = taken.lock().unwrap();
        if taken.len() < FAILURES && dice.one_in(8) {
            let known = known.lock().unwrap().clone();
            let given_up = given_up.lock().unwrap().clone();
            taken.push((moment.power_failure(&mut dice), known, given_up));
        }
    });
    for round in 0..ROUNDS {
        let appends = (0..round % 9 + 1).map(|i| {
            let text = format!("{round}-{i}");
            append(&*log, ids[(round + i) % ids.len()], text, &acknowledged, &buried)
        });
        join_all(appends).await;
    }
    disk.observe(|_| {});
    store.close().await.unwrap();
    std::mem::take(&mut *images.lock().unwrap())
}

async fn recovers(image: Vec<u8>, acknowledged: &Acknowledged, buried: &Buried) {
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
    let (mut waiting, mut dead) = (BTreeSet::new(), BTreeSet::new());
    for partition in 0..4 {
        let letters = log.dead_effects(partition, TENANT, None, 256).await.unwrap();
        dead.extend(letters.iter().map(|letter| letter.id));
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
                waiting.insert(leased.id);
            }
        }
    }
    assert_eq!(log.dead_count(TENANT).await.unwrap(), dead.len() as u64);
    assert!(waiting.is_disjoint(&dead), "no effect is in two places");
    assert!(buried.is_subset(&dead), "a burial that was acknowledged is kept");
    for (log, n) in acknowledged.keys().copied() {
        let effect = EffectId { log, n, place: 0 };
        assert!(
            waiting.contains(&effect) || dead.contains(&effect),
            "{effect} is in no place"
        );
    }
    written(&*log, admitted(ids[0], "after")).await;
    store.close().await.unwrap();
}
