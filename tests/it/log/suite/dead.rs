//! Dead letters: given up on in one step, listed, put back or discarded; an effect is always in exactly one place.

use bytes::Bytes;
use futures_util::future::join_all;
use nexus::log::bounds::{DEAD_HORIZON_MS, MAX_DEAD_PAGE, MAX_LANE_BYTES, MAX_REASON_BYTES, dead_share};
use nexus::log::{Append, DeadEffect, EffectId, Leased, Log, LogError, NewEffect};
use nexus::model::{LogId, TenantId};

use super::Harness;
use super::given::*;

/// Longer than any test runs.
const LEASE: u64 = HOUR;
/// Short enough to wait for.
const SHORT: u64 = 300;

fn causing(append: Append, effects: Vec<NewEffect>) -> Append {
    Append { effects, ..append }
}

async fn lease(log: &dyn Log, id: LogId) -> Vec<Leased> {
    log.lease_effects(partition(log, id), 100, LEASE).await.unwrap()
}

async fn bury(log: &dyn Log, id: EffectId, tenant: TenantId) {
    log.bury_effect(id, "l".to_owned(), tenant, "why".to_owned())
        .await
        .unwrap();
}

async fn dead(log: &dyn Log, id: LogId, tenant: TenantId) -> Vec<DeadEffect> {
    log.dead_effects(partition(log, id), tenant, None, MAX_DEAD_PAGE)
        .await
        .unwrap()
}

const fn effect_id(log: LogId, n: u64, place: u16) -> EffectId {
    EffectId { log, n, place }
}

fn payloads(leased: &[Leased]) -> Vec<&[u8]> {
    leased.iter().map(|leased| &leased.payload[..]).collect()
}

pub(crate) async fn a_buried_effect_leaves_its_lane_and_is_a_dead_letter(h: &impl Harness) {
    let (log, other, id, tenant) = (h.core(), h.other_node(), session(h), tenant());
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b")];
    written(&*log, causing(opening(id), effects)).await;
    let leased = lease(&*log, id).await;
    let before = h.now();
    bury(&*log, leased[0].id, tenant).await;
    assert_eq!(
        payloads(&lease(&*other, id).await),
        [b"b"],
        "the next is due at once"
    );
    let letters = dead(&*other, id, tenant).await;
    assert!(letters[0].at >= before && letters[0].at <= h.now());
    let expected = DeadEffect {
        id: effect_id(id, 1, 0),
        lane: "l".to_owned(),
        payload: Bytes::from_static(b"a"),
        reason: "why".to_owned(),
        at: letters[0].at,
        attempts: 1,
    };
    assert_eq!(letters, [expected]);
    assert_eq!(other.dead_count(tenant).await.unwrap(), 1);
}

pub(crate) async fn buried_twice_is_buried_once(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    written(&*log, causing(opening(id), vec![effect(0, "l", "a")])).await;
    bury(&*log, effect_id(id, 1, 0), tenant).await;
    let first = dead(&*log, id, tenant).await;
    log.bury_effect(effect_id(id, 1, 0), "l".to_owned(), tenant, "again".to_owned())
        .await
        .unwrap();
    assert_eq!(dead(&*log, id, tenant).await, first);
    assert_eq!(log.dead_count(tenant).await.unwrap(), 1);
}

pub(crate) async fn what_is_done_cannot_be_buried_and_what_is_buried_is_not_done(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b")];
    written(&*log, causing(opening(id), effects)).await;
    let (a, b) = (effect_id(id, 1, 0), effect_id(id, 1, 1));
    log.complete_effect(a, "l".to_owned()).await.unwrap();
    bury(&*log, a, tenant).await;
    assert_eq!(log.dead_count(tenant).await.unwrap(), 0);
    bury(&*log, b, tenant).await;
    log.complete_effect(b, "l".to_owned()).await.unwrap();
    log.retry_effect(b, "l".to_owned(), 0).await.unwrap();
    assert_eq!(lease(&*log, id).await, []);
    assert_eq!(dead(&*log, id, tenant).await.len(), 1);
}

pub(crate) async fn an_effect_behind_others_can_be_buried(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    let effects = ["a", "b", "c"]
        .into_iter()
        .zip(0..)
        .map(|(text, place)| effect(place, "l", text))
        .collect();
    written(&*log, causing(opening(id), effects)).await;
    let leased = lease(&*log, id).await;
    bury(&*log, effect_id(id, 1, 1), tenant).await;
    assert_eq!(lease(&*log, id).await, [], "the first is leased still");
    log.complete_effect(leased[0].id, "l".to_owned()).await.unwrap();
    assert_eq!(payloads(&lease(&*log, id).await), [b"c"]);
}

pub(crate) async fn a_replayed_effect_is_last_in_its_lane_and_begins_anew(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b")];
    written(&*log, causing(opening(id), effects)).await;
    let partition = partition(&*log, id);
    let a = lease(&*log, id).await[0].id;
    bury(&*log, a, tenant).await;
    let node = h.other_node();
    assert!(node.replay_effect(partition, tenant, a).await.unwrap());
    assert!(!node.replay_effect(partition, tenant, a).await.unwrap());
    assert_eq!(node.dead_count(tenant).await.unwrap(), 0);
    assert_eq!(dead(&*node, id, tenant).await, []);
    for (text, place, attempt) in [("b", 1, 1), ("a", 0, 1)] {
        let leased = lease(&*log, id).await;
        assert_eq!(payloads(&leased), [text.as_bytes()]);
        assert_eq!(
            (leased[0].id, leased[0].attempt),
            (effect_id(id, 1, place), attempt)
        );
        log.complete_effect(leased[0].id, "l".to_owned()).await.unwrap();
    }
    assert_eq!(lease(&*log, id).await, []);
}

pub(crate) async fn an_effect_replayed_into_an_empty_lane_is_due_at_once(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    written(&*log, causing(opening(id), vec![effect(0, "l", "a")])).await;
    let a = lease(&*log, id).await[0].id;
    bury(&*log, a, tenant).await;
    let partition = partition(&*log, id);
    assert_eq!(log.lane_backlog(partition).await.unwrap(), 0);
    assert!(log.replay_effect(partition, tenant, a).await.unwrap());
    assert_eq!(log.lane_backlog(partition).await.unwrap(), 1);
    let leased = lease(&*log, id).await;
    assert_eq!((payloads(&leased), leased[0].attempt), (vec![b"a".as_slice()], 1));
    bury(&*log, a, tenant).await;
    assert_eq!(dead(&*log, id, tenant).await.len(), 1, "and can be buried again");
}

pub(crate) async fn a_discarded_dead_letter_is_gone(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    written(&*log, causing(opening(id), vec![effect(0, "l", "a")])).await;
    let (a, partition) = (effect_id(id, 1, 0), partition(&*log, id));
    bury(&*log, a, tenant).await;
    assert!(log.discard_dead(partition, tenant, a).await.unwrap());
    assert!(!log.discard_dead(partition, tenant, a).await.unwrap());
    assert!(!log.replay_effect(partition, tenant, a).await.unwrap());
    assert_eq!(log.dead_count(tenant).await.unwrap(), 0);
    assert_eq!(lease(&*log, id).await, []);
}

pub(crate) async fn a_dead_letter_is_its_tenants_in_its_partition(h: &impl Harness) {
    let (log, id, ours, theirs) = (h.core(), session(h), tenant(), tenant());
    written(&*log, causing(opening(id), vec![effect(0, "l", "a")])).await;
    let (a, here) = (effect_id(id, 1, 0), partition(&*log, id));
    let elsewhere = (here + 1) % log.info().partitions;
    bury(&*log, a, ours).await;
    assert_eq!(dead(&*log, id, theirs).await, []);
    assert_eq!(log.dead_count(theirs).await.unwrap(), 0);
    assert_eq!(log.dead_effects(elsewhere, ours, None, 9).await.unwrap(), []);
    for (partition, tenant) in [(here, theirs), (elsewhere, ours)] {
        assert!(!log.replay_effect(partition, tenant, a).await.unwrap());
        assert!(!log.discard_dead(partition, tenant, a).await.unwrap());
    }
    assert_eq!(dead(&*log, id, ours).await.len(), 1);
}

pub(crate) async fn dead_letters_come_page_by_page_in_the_order_of_their_ids(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    let mut expected = Vec::new();
    for log_id in [id, beside(h, id)] {
        opened(&*log, log_id, 1).await;
        for n in 2..=4 {
            let effects = (0..3).map(|place| effect(place, "l", "x")).collect();
            written(&*log, causing(admitted(log_id, "x"), effects)).await;
            expected.extend((0..3).map(|place| effect_id(log_id, n, place)));
        }
    }
    // The order of burial is another.
    join_all(expected.iter().rev().map(|id| bury(&*log, *id, tenant))).await;
    expected.sort_unstable();
    let partition = partition(&*log, id);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = log.dead_effects(partition, tenant, after, 4).await.unwrap();
        after = page.last().map(|letter| letter.id);
        seen.extend(page.iter().map(|letter| letter.id));
        if page.len() < 4 {
            break;
        }
        // A page goes on from a letter that is not there any more.
        let last = page.last().unwrap().id;
        assert!(log.discard_dead(partition, tenant, last).await.unwrap());
    }
    assert_eq!(seen, expected);
    assert_eq!(log.dead_effects(partition, tenant, None, 0).await.unwrap(), []);
    assert_eq!(log.dead_count(tenant).await.unwrap(), 18 - 4);
}

pub(crate) async fn the_log_of_a_dead_letter_outlives_its_term(h: &impl Harness) {
    let (log, tenant) = (h.core(), tenant());
    let (kept, replayed, other) = (session(h), session(h), session(h));
    let peers = [peer(), peer(), peer()];
    for (id, peer) in [kept, replayed, other].into_iter().zip(&peers) {
        let mut append = causing(opening(id), vec![effect(0, "l", "a")]);
        append.expire_ms = SHORT;
        append.indexes = vec![nexus::log::Index::Peer(peer.clone())];
        written(&*log, append).await;
    }
    bury(&*log, effect_id(kept, 1, 0), tenant).await;
    bury(&*log, effect_id(replayed, 1, 0), tenant).await;
    let partition_of = |id| partition(&*log, id);
    assert!(
        log.replay_effect(partition_of(replayed), tenant, effect_id(replayed, 1, 0))
            .await
            .unwrap()
    );
    h.pass(SHORT).await;
    assert!(log.tail(other).await.unwrap().is_none());
    for (id, peer) in [kept, replayed].into_iter().zip(&peers) {
        assert_eq!(texts(&*log, id).await, ["opening"]);
        assert_eq!(
            log.peer(partition_of(id), peer.clone()).await.unwrap(),
            Some(id),
            "it is the peer's still"
        );
    }
    let gone = effect_id(other, 1, 0);
    bury(&*log, gone, tenant).await;
    // Others may be in its partition.
    let letters = dead(&*log, other, tenant).await;
    assert!(
        letters.iter().any(|letter| letter.id == gone),
        "with or without its log"
    );
}

pub(crate) async fn beyond_a_partitions_share_the_oldest_dead_letters_go(h: &impl Harness) {
    const BEYOND: usize = 70;
    let (log, id, tenant) = (h.core(), session(h), tenant());
    let share = dead_share(log.info().partitions);
    opened(&*log, id, 1).await;
    let mut ids = Vec::new();
    while ids.len() < share + BEYOND {
        let effects = (0..64)
            .map(|place| effect(place, &place.to_string(), "x"))
            .collect();
        let (n, _) = written(&*log, causing(admitted(id, "x"), effects)).await;
        ids.extend((0..64).map(|place| effect_id(id, n, place)));
    }
    let bury = |id: &EffectId| log.bury_effect(*id, id.place.to_string(), tenant, String::new());
    let (first, rest) = ids.split_at(BEYOND);
    for buried in join_all(first.iter().map(bury)).await {
        buried.unwrap();
    }
    // The first are older by more than the clock's step.
    h.pass(5).await;
    for chunk in rest[..share].chunks(500) {
        for buried in join_all(chunk.iter().map(bury)).await {
            buried.unwrap();
        }
    }
    assert_eq!(log.dead_count(tenant).await.unwrap(), share as u64);
    let page = dead(&*log, id, tenant).await;
    assert_eq!(page.len(), MAX_DEAD_PAGE);
    assert_eq!(page[0].id, rest[0]);
    let again = log.replay_effect(partition(&*log, id), tenant, first[0]).await;
    assert!(!again.unwrap());
}

pub(crate) async fn an_effect_that_many_move_at_once_is_in_one_place(h: &impl Harness) {
    const ROUNDS: usize = 60;
    let (one, other, third) = (h.core(), h.other_node(), h.core());
    let (id, tenant) = (session(h), tenant());
    opened(&*one, id, 1).await;
    let here = partition(&*one, id);
    let (mut done, mut replayed) = (0, 0);
    for round in 0..ROUNDS {
        let (n, _) = written(&*one, causing(admitted(id, "x"), vec![effect(0, "l", "x")])).await;
        let a = effect_id(id, n, 0);
        if round % 2 == 0 {
            bury(&*one, a, tenant).await;
        }
        let moves = [&one, &other, &third].map(|log| async move {
            let lane = || "l".to_owned();
            match round % 3 {
                0 => tokio::join!(
                    log.bury_effect(a, lane(), tenant, String::new()),
                    async { log.replay_effect(here, tenant, a).await.map(drop) },
                    log.complete_effect(a, lane()),
                ),
                1 => tokio::join!(
                    log.complete_effect(a, lane()),
                    log.bury_effect(a, lane(), tenant, String::new()),
                    async { log.replay_effect(here, tenant, a).await.map(drop) },
                ),
                _ => tokio::join!(
                    async { log.replay_effect(here, tenant, a).await.map(drop) },
                    log.bury_effect(a, lane(), tenant, String::new()),
                    async { Ok(()) },
                ),
            }
        });
        for (first, second, third) in join_all(moves).await {
            first.unwrap();
            second.unwrap();
            third.unwrap();
        }
        let letters = dead(&*one, id, tenant).await;
        let lanes = one.lane_backlog(here).await.unwrap();
        let places = letters.len() as u64 + lanes;
        assert!(places <= 1, "round {round}: {letters:?} and {lanes} lanes");
        assert_eq!(one.dead_count(tenant).await.unwrap(), letters.len() as u64);
        assert!(
            places == 1 || round % 3 != 2,
            "round {round}: nobody was done with it"
        );
        done += usize::from(places == 0);
        replayed += lanes;
        // However often it was moved, it is there once.
        let leased = one.lease_effects(here, 9, LEASE).await.unwrap();
        assert_eq!(leased.len() as u64, lanes);
        for leased in leased {
            assert_eq!((leased.id, &leased.payload[..]), (a, b"x".as_slice()));
            one.complete_effect(a, "l".to_owned()).await.unwrap();
            assert_eq!(one.lane_backlog(here).await.unwrap(), 0);
        }
        for letter in letters {
            assert_eq!((letter.id, &letter.payload[..]), (a, b"x".as_slice()));
            assert!(one.discard_dead(here, tenant, a).await.unwrap());
        }
    }
    assert!(done > 0 || replayed > 0);
}

pub(crate) async fn of_many_replays_at_once_one_does(h: &impl Harness) {
    let (one, other) = (h.core(), h.other_node());
    let (id, tenant) = (session(h), tenant());
    written(&*one, causing(opening(id), vec![effect(0, "l", "a")])).await;
    let (a, here) = (effect_id(id, 1, 0), partition(&*one, id));
    bury(&*one, a, tenant).await;
    let replays = (0..12).map(|i| [&one, &other][i % 2].replay_effect(here, tenant, a));
    let did = join_all(replays).await.into_iter().map(Result::unwrap);
    assert_eq!(did.filter(|did| *did).count(), 1);
    assert_eq!(lease(&*one, id).await.len(), 1);
}

pub(crate) async fn a_burial_with_too_many_words_is_refused(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    written(&*log, causing(opening(id), vec![effect(0, "l", "a")])).await;
    let long = "r".repeat(MAX_REASON_BYTES);
    for (lane, reason) in [
        ("l".to_owned(), format!("{long}r")),
        ("l".repeat(MAX_LANE_BYTES + 1), long.clone()),
    ] {
        let refused = log.bury_effect(effect_id(id, 1, 0), lane, tenant, reason).await;
        assert!(
            matches!(refused, Err(LogError::OutOfBounds { .. })),
            "{refused:?}"
        );
    }
    log.bury_effect(effect_id(id, 1, 0), "l".to_owned(), tenant, long.clone())
        .await
        .unwrap();
    assert_eq!(dead(&*log, id, tenant).await[0].reason, long);
}

pub(crate) async fn the_backlog_counts_lanes(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let here = partition(&*log, id);
    assert_eq!(log.lane_backlog(here).await.unwrap(), 0);
    let delayed = NewEffect {
        delay_ms: HOUR,
        ..effect(2, "m", "c")
    };
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b"), delayed];
    written(&*log, causing(opening(id), effects)).await;
    assert_eq!(h.other_node().lane_backlog(here).await.unwrap(), 2);
    log.complete_effect(effect_id(id, 1, 2), "m".to_owned())
        .await
        .unwrap();
    assert_eq!(log.lane_backlog(here).await.unwrap(), 1);
}

pub(crate) async fn a_dead_letter_is_forgotten_after_thirty_days(h: &impl Harness) {
    let (log, id, tenant) = (h.core(), session(h), tenant());
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b")];
    written(&*log, causing(opening(id), effects)).await;
    let (a, b, here) = (effect_id(id, 1, 0), effect_id(id, 1, 1), partition(&*log, id));
    bury(&*log, a, tenant).await;
    h.pass(DEAD_HORIZON_MS - 1).await;
    bury(&*log, b, tenant).await;
    assert_eq!(log.dead_count(tenant).await.unwrap(), 2);
    h.pass(1).await;
    assert_eq!(log.dead_count(tenant).await.unwrap(), 1);
    assert_eq!(dead(&*log, id, tenant).await[0].id, b);
    assert!(!log.replay_effect(here, tenant, a).await.unwrap());
    assert!(!log.discard_dead(here, tenant, a).await.unwrap());
    h.pass(DEAD_HORIZON_MS).await;
    opened(&*log, session(h), 2).await;
    assert_eq!(log.dead_count(tenant).await.unwrap(), 0);
    assert_eq!(dead(&*log, id, tenant).await, []);
}
