//! References and opt-outs.

use bytes::Bytes;
use nexus::log::bounds::{MAX_PEER_BYTES, MAX_REFERENCE_BYTES, MAX_REFERENCE_MS};
use nexus::log::{Answer, Append, Index, Log, LogError, PeerKey, Referred};
use nexus::model::LogId;

use super::Harness;
use super::given::*;

const SHORT: u64 = 300;

fn reference() -> Bytes {
    Bytes::from(uuid::Uuid::new_v4().as_bytes().to_vec())
}

fn guarded(append: Append, peer: &PeerKey) -> Append {
    Append {
        guard: Some(peer.clone()),
        ..append
    }
}

async fn is_out(log: &dyn Log, beside: LogId, peer: &PeerKey) -> bool {
    log.opted_out(partition(log, beside), peer.clone()).await.unwrap()
}

async fn indexed(log: &dyn Log, id: LogId, index: Index) {
    let mut append = admitted(id, "index");
    append.indexes = vec![index];
    written(log, append).await;
}

fn out_of_bounds<T: std::fmt::Debug>(answer: Result<T, LogError>) {
    assert!(matches!(answer, Err(LogError::OutOfBounds { .. })), "{answer:?}");
}

pub(crate) async fn a_reference_finds_its_record(h: &impl Harness) {
    let (log, node, key) = (h.core(), h.other_node(), reference());
    assert_eq!(node.referred(key.clone()).await.unwrap(), None);
    let at = Referred {
        log: session(h),
        n: 7,
    };
    log.refer(key.clone(), at, HOUR).await.unwrap();
    assert_eq!(node.referred(key.clone()).await.unwrap(), Some(at));
    let later = Referred { n: 8, ..at };
    node.refer(key.clone(), later, HOUR).await.unwrap();
    assert_eq!(
        log.referred(key).await.unwrap(),
        Some(later),
        "the last one counts"
    );
    assert_eq!(log.referred(reference()).await.unwrap(), None);
}

pub(crate) async fn a_reference_ends_with_its_term(h: &impl Harness) {
    let (log, key, prolonged) = (h.core(), reference(), reference());
    let at = Referred {
        log: session(h),
        n: 1,
    };
    log.refer(key.clone(), at, SHORT).await.unwrap();
    log.refer(prolonged.clone(), at, SHORT).await.unwrap();
    log.refer(prolonged.clone(), at, HOUR).await.unwrap();
    h.pass(SHORT).await;
    log.refer(reference(), at, HOUR).await.unwrap();
    assert_eq!(log.referred(key).await.unwrap(), None);
    assert_eq!(log.referred(prolonged).await.unwrap(), Some(at));
}

pub(crate) async fn a_reference_is_kept_seven_days_at_most(h: &impl Harness) {
    let (log, key) = (h.core(), reference());
    let at = Referred {
        log: session(h),
        n: 1,
    };
    log.refer(key.clone(), at, u64::MAX).await.unwrap();
    h.pass(MAX_REFERENCE_MS - 1).await;
    assert_eq!(log.referred(key.clone()).await.unwrap(), Some(at));
    h.pass(1).await;
    assert_eq!(log.referred(key).await.unwrap(), None);
}

pub(crate) async fn a_reference_of_any_bytes_within_bounds_is_taken(h: &impl Harness) {
    let log = h.core();
    let at = Referred {
        log: session(h),
        n: 1,
    };
    let largest = Bytes::from([[0, 0xff, b'\n'].as_slice(), &[b'k'; MAX_REFERENCE_BYTES - 3]].concat());
    log.refer(largest.clone(), at, HOUR).await.unwrap();
    assert_eq!(log.referred(largest).await.unwrap(), Some(at));
    let long = Bytes::from(vec![b'k'; MAX_REFERENCE_BYTES + 1]);
    out_of_bounds(log.refer(long.clone(), at, HOUR).await);
    out_of_bounds(log.referred(long).await);
}

pub(crate) async fn an_append_opts_a_peer_out_and_in(h: &impl Harness) {
    let (log, node, id, peer) = (h.core(), h.other_node(), session(h), peer());
    opened(&*log, id, 1).await;
    assert!(!is_out(&*node, id, &peer).await);
    for _ in 0..2 {
        indexed(&*log, id, Index::OptOut(peer.clone())).await;
        assert!(is_out(&*node, id, &peer).await);
    }
    assert!(!is_out(&*node, id, &super::given::peer()).await);
    for _ in 0..2 {
        indexed(&*log, id, Index::OptIn(peer.clone())).await;
        assert!(!is_out(&*node, id, &peer).await);
    }
}

pub(crate) async fn a_refused_append_opts_nobody_out(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    opened(&*log, id, 1).await;
    let mut stale = opening(id);
    stale.indexes = vec![Index::OptOut(peer.clone())];
    assert!(matches!(log.append(stale).await.unwrap(), Answer::Refused { .. }));
    assert!(!is_out(&*log, id, &peer).await);
}

pub(crate) async fn a_peer_opts_out_with_the_message_that_opens_its_session(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    let mut stop = to_peer(id, &peer, "STOP");
    stop.indexes = vec![Index::OptOut(peer.clone())];
    written(&*log, stop).await;
    assert!(is_out(&*log, id, &peer).await);
}

pub(crate) async fn a_peer_is_opted_out_without_a_record(h: &impl Harness) {
    let (log, node, id, peer) = (h.core(), h.other_node(), session(h), peer());
    let here = partition(&*log, id);
    for out in [true, true, false, false, true] {
        log.set_opt_out(here, peer.clone(), out).await.unwrap();
        assert_eq!(is_out(&*node, id, &peer).await, out);
    }
    let elsewhere = (here + 1) % log.info().partitions;
    assert!(!log.opted_out(elsewhere, peer).await.unwrap());
    let long = PeerKey(Bytes::from(vec![b'p'; MAX_PEER_BYTES + 1]));
    out_of_bounds(log.set_opt_out(here, long.clone(), true).await);
    out_of_bounds(log.append(guarded(opening(id), &long)).await);
    let mut append = opening(id);
    append.indexes = vec![Index::OptOut(long)];
    out_of_bounds(log.append(append).await);
}

pub(crate) async fn an_opt_out_does_not_end_with_its_log(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    let mut stop = to_peer(id, &peer, "STOP");
    stop.indexes = vec![Index::OptOut(peer.clone())];
    stop.expire_ms = SHORT;
    written(&*log, stop).await;
    h.pass(SHORT).await;
    assert!(log.tail(id).await.unwrap().is_none());
    opened(&*log, beside(h, id), 1).await;
    assert!(is_out(&*log, id, &peer).await);
}

pub(crate) async fn nothing_is_written_to_a_peer_that_is_opted_out(h: &impl Harness) {
    let (log, node, id, peer) = (h.core(), h.other_node(), session(h), peer());
    let top = opened(&*log, id, 1).await;
    let mut send = guarded(decided(id, top, "send"), &peer);
    send.effects = vec![effect(0, "sms", "send")];
    send.key = Some(key("k1", 1, "sent"));
    indexed(&*node, id, Index::OptOut(peer.clone())).await;
    let top = tail(&*log, id).await.records.last().unwrap().position();

    // The guard is asked before the basis, whatever that is.
    let fresh = beside(h, id);
    for append in [
        send.clone(),
        guarded(decided(id, top, "send"), &peer),
        guarded(admitted(id, "send"), &peer),
        guarded(admitted(beside(h, id), "send"), &peer),
        guarded(opening(fresh), &peer),
        guarded(to_peer(fresh, &super::given::peer(), "send"), &peer),
    ] {
        assert_eq!(log.append(append).await.unwrap(), Answer::OptedOut);
    }
    assert_eq!(texts(&*log, id).await, ["1", "index"]);
    assert!(log.tail(fresh).await.unwrap().is_none());
    let here = partition(&*log, id);
    assert_eq!(log.lease_effects(here, 9, HOUR).await.unwrap(), []);

    // Others are written to, and so is this one when it has opted in again.
    written(&*log, guarded(decided(id, top, "other"), &super::given::peer())).await;
    indexed(&*log, id, Index::OptIn(peer)).await;
    send.basis = nexus::log::Basis::Admitted;
    written(&*log, send).await;
}

pub(crate) async fn a_repeat_is_told_its_answer_after_the_peer_opted_out(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    opened(&*log, id, 1).await;
    let mut send = guarded(admitted(id, "send"), &peer);
    send.key = Some(key("k1", 1, "sent"));
    let (first, _) = written(&*log, send.clone()).await;
    indexed(&*log, id, Index::OptOut(peer)).await;
    let repeat = log.append(send).await.unwrap();
    assert!(
        matches!(repeat, Answer::Repeat { first: again, .. } if again == first),
        "{repeat:?}"
    );
}

pub(crate) async fn after_a_stop_is_answered_no_send_is(h: &impl Harness) {
    const ROUNDS: usize = 40;
    let (one, other, id) = (h.core(), h.other_node(), session(h));
    opened(&*one, id, 1).await;
    for round in 0..ROUNDS {
        let peer = peer();
        let mut stop = admitted(id, "STOP");
        stop.indexes = vec![Index::OptOut(peer.clone())];
        let send = guarded(admitted(id, "send"), &peer);
        let stopped = async {
            written(&*one, stop).await;
            // Whoever sends from now on is told.
            let late = guarded(admitted(id, "late"), &peer);
            assert_eq!(other.append(late).await.unwrap(), Answer::OptedOut);
        };
        let sends = async {
            for _ in 0..round % 5 {
                other.append(send.clone()).await.unwrap();
            }
        };
        tokio::join!(sends, stopped);
    }
    assert!(!texts(&*one, id).await.contains(&"late".to_owned()));
}
