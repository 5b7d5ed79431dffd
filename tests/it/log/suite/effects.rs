//! Effects: leased at least once, in order per log and lane.

use futures_util::future::join_all;
use nexus::log::{Append, EffectId, Leased, Log, NewEffect};
use nexus::model::LogId;

use super::Harness;
use super::given::*;

/// Longer than any test runs.
const LEASE: u64 = HOUR;
/// Short enough to wait for.
const SHORT: u64 = 300;

fn causing(append: Append, effects: Vec<NewEffect>) -> Append {
    Append { effects, ..append }
}

async fn lease(log: &dyn Log, id: LogId, lease_ms: u64) -> Vec<Leased> {
    let mut leased = log
        .lease_effects(partition(log, id), 100, lease_ms)
        .await
        .unwrap();
    leased.sort_by(|a, b| a.lane.cmp(&b.lane));
    leased
}

fn told(leased: &[Leased]) -> Vec<(&str, u32)> {
    leased
        .iter()
        .map(|leased| (std::str::from_utf8(&leased.payload).unwrap(), leased.attempt))
        .collect()
}

async fn complete(log: &dyn Log, leased: &Leased) {
    log.complete_effect(leased.id, leased.lane.clone()).await.unwrap();
}

pub(crate) async fn a_lane_is_leased_in_order(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b"), effect(2, "l", "c")];
    written(&*log, causing(opening(id), effects)).await;
    let mut seen = Vec::new();
    for place in 0..3 {
        let leased = lease(&*log, id, LEASE).await;
        assert_eq!(leased.len(), 1, "one at a time");
        assert_eq!(leased[0].id, EffectId { log: id, n: 1, place });
        assert_eq!(
            lease(&*h.other_node(), id, LEASE).await,
            [],
            "the rest waits behind it"
        );
        seen.push(leased[0].payload.clone());
        complete(&*log, &leased[0]).await;
    }
    assert_eq!(seen, ["a", "b", "c"]);
    assert_eq!(lease(&*log, id, LEASE).await, []);
}

pub(crate) async fn the_log_of_an_effect_that_is_tried_again_outlives_its_term(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut short = causing(opening(id), vec![effect(0, "l", "a")]);
    short.expire_ms = SHORT;
    written(&*log, short).await;
    let leased = lease(&*log, id, LEASE).await.remove(0);
    log.retry_effect(leased.id, leased.lane.clone(), HOUR)
        .await
        .unwrap();
    h.pass(SHORT).await;
    assert_eq!(texts(&*log, id).await, ["opening"]);
}

pub(crate) async fn lanes_do_not_wait_for_each_other(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let other = beside(h, id);
    let effects = || vec![effect(0, "l", "a"), effect(1, "m", "b")];
    written(&*log, causing(opening(id), effects())).await;
    written(&*log, causing(opening(other), effects())).await;
    assert_eq!(lease(&*log, id, LEASE).await.len(), 4);
}

pub(crate) async fn a_lease_that_ends_is_given_again(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    written(&*log, causing(opening(id), vec![effect(0, "l", "a")])).await;
    assert_eq!(told(&lease(&*log, id, SHORT).await), [("a", 1)]);
    assert_eq!(lease(&*log, id, SHORT).await, []);
    h.pass(SHORT).await;
    assert_eq!(told(&lease(&*h.other_node(), id, SHORT).await), [("a", 2)]);
    h.pass(SHORT).await;
    assert_eq!(told(&lease(&*log, id, SHORT).await), [("a", 3)]);
}

pub(crate) async fn a_retry_delays_its_lane_only(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let effects = vec![effect(0, "l", "a"), effect(1, "m", "b"), effect(2, "m", "c")];
    written(&*log, causing(opening(id), effects)).await;
    let leased = lease(&*log, id, LEASE).await;
    log.retry_effect(leased[0].id, "l".to_owned(), SHORT)
        .await
        .unwrap();
    complete(&*log, &leased[1]).await;
    assert_eq!(told(&lease(&*log, id, LEASE).await), [("c", 1)]);
    h.pass(SHORT).await;
    assert_eq!(told(&lease(&*log, id, LEASE).await), [("a", 2)]);
}

pub(crate) async fn the_node_that_wrote_an_effect_may_claim_it_once_and_only_as_the_first_of_its_lane(
    h: &impl Harness,
) {
    let (log, id) = (h.core(), session(h));
    let delayed = |place, payload| NewEffect {
        delay_ms: SHORT,
        ..effect(place, "l", payload)
    };
    written(
        &*log,
        causing(opening(id), vec![delayed(0, "a"), delayed(1, "b")]),
    )
    .await;
    let named = |place| EffectId { log: id, n: 1, place };
    let claim = |place| log.claim_effect(named(place), "l".to_owned(), 2 * SHORT);
    assert!(!claim(1).await.unwrap(), "another stands before it");
    assert!(claim(0).await.unwrap());
    assert!(!claim(0).await.unwrap(), "it is claimed");
    h.pass(SHORT).await;
    assert!(lease(&*log, id, LEASE).await.is_empty(), "the claim is a lease");
    log.complete_effect(named(0), "l".to_owned()).await.unwrap();
    assert!(claim(1).await.unwrap());
    h.pass(3 * SHORT).await;
    assert_eq!(told(&lease(&*log, id, LEASE).await), [("b", 2)]);
}

pub(crate) async fn an_effect_waits_for_the_appending_node_first(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let delayed = NewEffect {
        delay_ms: SHORT,
        ..effect(0, "l", "a")
    };
    written(&*log, causing(opening(id), vec![delayed, effect(1, "m", "b")])).await;
    assert_eq!(told(&lease(&*log, id, LEASE).await), [("b", 1)]);
    h.pass(SHORT).await;
    assert_eq!(told(&lease(&*log, id, LEASE).await), [("a", 1)]);
}

pub(crate) async fn an_effect_done_without_a_lease_is_done(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b")];
    let (first, _) = written(&*log, causing(opening(id), effects)).await;
    let done = EffectId {
        log: id,
        n: first,
        place: 0,
    };
    log.complete_effect(done, "l".to_owned()).await.unwrap();
    assert_eq!(told(&lease(&*log, id, LEASE).await), [("b", 1)]);
}

pub(crate) async fn done_twice_is_done(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let effects = vec![effect(0, "l", "a"), effect(1, "l", "b")];
    written(&*log, causing(opening(id), effects)).await;
    let leased = lease(&*log, id, LEASE).await;
    complete(&*log, &leased[0]).await;
    complete(&*h.other_node(), &leased[0]).await;
    assert_eq!(told(&lease(&*log, id, LEASE).await), [("b", 1)]);
    complete(&*log, &leased[0]).await;
    assert_eq!(lease(&*log, id, LEASE).await, [], "b is still leased");
}

pub(crate) async fn effects_of_later_appends_stay_behind_earlier_ones(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    for text in ["a", "b", "c"] {
        written(&*log, causing(admitted(id, text), vec![effect(0, "l", text)])).await;
    }
    for (n, text) in [(2, "a"), (3, "b"), (4, "c")] {
        let leased = lease(&*log, id, LEASE).await;
        assert_eq!(told(&leased), [(text, 1)]);
        assert_eq!((leased[0].id.n, leased[0].id.place), (n, 0));
        complete(&*log, &leased[0]).await;
    }
}

pub(crate) async fn a_lease_takes_no_more_than_its_limit(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let effects = (0..5)
        .map(|place| effect(place, &place.to_string(), "x"))
        .collect();
    written(&*log, causing(opening(id), effects)).await;
    let partition = partition(&*log, id);
    assert_eq!(log.lease_effects(partition, 2, LEASE).await.unwrap().len(), 2);
    assert_eq!(log.lease_effects(partition, 9, LEASE).await.unwrap().len(), 3);
}

pub(crate) async fn two_that_lease_at_once_share_no_effect(h: &impl Harness) {
    let (one, other, id) = (h.core(), h.other_node(), session(h));
    let effects = (0..20)
        .map(|place| effect(place, &place.to_string(), "x"))
        .collect();
    written(&*one, causing(opening(id), effects)).await;
    let partition = partition(&*one, id);
    let leased = join_all([
        one.lease_effects(partition, 15, LEASE),
        other.lease_effects(partition, 15, LEASE),
    ])
    .await;
    let mut ids: Vec<EffectId> = leased
        .into_iter()
        .flat_map(Result::unwrap)
        .map(|leased| leased.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

pub(crate) async fn a_refused_append_causes_no_effect(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    opened(&*log, id, 1).await;
    let stale = causing(opening(id), vec![effect(0, "l", "a")]);
    log.append(stale).await.unwrap();
    assert_eq!(lease(&*log, id, LEASE).await, []);
}
