//! How large an append may be.

use bytes::Bytes;
use nexus::log::bounds::*;
use nexus::log::{Append, Basis, Index, LogError, PeerKey, TimerChange};
use nexus::model::Millis;

use super::Harness;
use super::given::*;

pub(crate) async fn too_much_is_refused_and_nothing_is_written(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 1).await;
    let beyond: [fn(&mut Append); 11] = [
        |a| a.records.clear(),
        |a| a.records = vec![record("x"); MAX_RECORDS + 1],
        |a| a.records = vec![with_body("x", &"b".repeat(MAX_APPEND_BYTES))],
        |a| {
            a.effects = (0..=MAX_EFFECTS as u16)
                .map(|place| effect(place, "l", "p"))
                .collect()
        },
        |a| a.effects = vec![effect(0, "l", &"p".repeat(MAX_EFFECT_BYTES + 1))],
        |a| a.effects = vec![effect(0, &"l".repeat(MAX_LANE_BYTES + 1), "p")],
        |a| a.effects = vec![effect(3, "l", "p"), effect(3, "m", "q")],
        |a| {
            a.timers = (0..=MAX_TIMERS as u16)
                .map(|name| TimerChange::Clear { name })
                .collect()
        },
        |a| a.indexes = vec![Index::NotAlive; MAX_INDEXES + 1],
        |a| a.key = Some(key(&"k".repeat(MAX_KEY_BYTES + 1), 1, "")),
        |a| a.key = Some(key("k", 1, &"a".repeat(MAX_ANSWER_BYTES + 1))),
    ];
    for change in beyond {
        let mut append = decided(id, top, "x");
        change(&mut append);
        refused(log.append(append).await);
    }
    let long_peer = PeerKey(Bytes::from(vec![b'p'; MAX_PEER_BYTES + 1]));
    refused(log.append(to_peer(beside(h, id), &long_peer, "x")).await);
    refused(log.tops(partition(&*log, id), vec![id; MAX_BATCH + 1]).await);
    refused(log.erase(id, vec![1; MAX_BATCH + 1]).await);
    assert_eq!(tail(&*log, id).await.records.len(), 1);
    assert_eq!(
        log.lease_effects(partition(&*log, id), 9, 1_000).await.unwrap(),
        []
    );
}

pub(crate) async fn the_largest_append_is_taken(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let share = MAX_APPEND_BYTES / (2 * MAX_RECORDS);
    let largest = || vec![with_body("x", &"b".repeat(share - 1)); MAX_RECORDS];
    let mut append = to_peer(id, &peer(), "");
    append.records = largest();
    if let Basis::Peer { opening, .. } = &mut append.basis {
        *opening = largest();
    }
    append.effects = (0..MAX_EFFECTS as u16)
        .map(|place| {
            effect(
                place,
                &"l".repeat(MAX_LANE_BYTES),
                &"p".repeat(MAX_EFFECT_BYTES / MAX_EFFECTS),
            )
        })
        .collect();
    append.timers = (0..MAX_TIMERS as u16)
        .map(|name| TimerChange::Set {
            name,
            due: Millis(u64::MAX / 4),
        })
        .collect();
    append.indexes = vec![Index::Open(tenant()); MAX_INDEXES];
    append.key = Some(key(&"k".repeat(MAX_KEY_BYTES), 1, &"a".repeat(MAX_ANSWER_BYTES)));
    let (first, top) = written(&*log, append).await;
    assert_eq!((first, top.n), (MAX_RECORDS as u64 + 1, 2 * MAX_RECORDS as u64));
    assert_eq!(tail(&*log, id).await.records.len(), 2 * MAX_RECORDS);
}

fn refused<T: std::fmt::Debug>(answer: Result<T, LogError>) {
    assert!(matches!(answer, Err(LogError::OutOfBounds { .. })), "{answer:?}");
}
