//! Whose session is open.

use futures_util::future::join_all;
use nexus::log::{Answer, Basis, Index, Log, PeerKey};
use nexus::model::{LogId, Position};

use super::Harness;
use super::given::*;

async fn open_session(log: &dyn Log, beside: LogId, peer: &PeerKey) -> Option<LogId> {
    log.peer(partition(log, beside), peer.clone()).await.unwrap()
}

async fn appended(log: &dyn Log, id: LogId, peer: &PeerKey, text: &str) -> (LogId, u64, bool) {
    match log.append(to_peer(id, peer, text)).await.unwrap() {
        Answer::Appended {
            log, first, opened, ..
        } => (log, first, opened),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_peer_without_a_session_gets_one(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    assert_eq!(open_session(&*log, id, &peer).await, None);
    let mut append = to_peer(id, &peer, "hello");
    append.effects = vec![effect(0, "other", "with the message")];
    append.basis = Basis::Peer {
        peer: peer.clone(),
        opening: vec![record("opened"), record("joined")],
        opening_effects: vec![effect(0, "lane", "with the opening")],
        quiet: None,
    };
    let answer = log.append(append).await.unwrap();
    assert!(
        matches!(answer, Answer::Appended { log, first: 3, opened: true, top: Position { n: 3, .. } } if log == id),
        "{answer:?}"
    );
    assert_eq!(texts(&*log, id).await, ["opened", "joined", "hello"]);
    assert_eq!(open_session(&*h.other_node(), id, &peer).await, Some(id));
    let mut leased = log.lease_effects(partition(&*log, id), 9, HOUR).await.unwrap();
    leased.sort_by_key(|leased| leased.id);
    let ids: Vec<_> = leased
        .iter()
        .map(|leased| (leased.id.n, leased.id.place))
        .collect();
    assert_eq!(ids, [(1, 0), (3, 0)]);
    assert_eq!(leased[1].payload, "with the message");
}

pub(crate) async fn a_peer_with_an_open_session_is_heard_in_it(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    appended(&*log, id, &peer, "hello").await;
    let answer = appended(&*h.other_node(), beside(h, id), &peer, "again").await;
    assert_eq!(answer, (id, 3, false));
    assert_eq!(texts(&*log, id).await, ["opening", "hello", "again"]);
}

/// Only there: of a log that has moved on nobody knows what follows.
pub(crate) async fn where_nothing_follows_the_effects_of_a_message_are_left_out(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    let first = log.append(to_peer(id, &peer, "hello")).await.unwrap();
    let Answer::Appended { top, .. } = first else {
        panic!("{first:?}");
    };
    let say = |text: &str, at: Position| {
        let mut append = to_peer(beside(h, id), &peer, text);
        append.effects = vec![effect(0, "lane", text)];
        if let Basis::Peer { quiet, .. } = &mut append.basis {
            *quiet = Some(at);
        }
        append
    };
    written(&*log, say("quiet", top)).await;
    written(&*log, say("stale", top)).await;
    let invented = Position { n: top.n + 2, ..top };
    written(&*log, say("invented", invented)).await;
    assert_eq!(
        texts(&*log, id).await,
        ["opening", "hello", "quiet", "stale", "invented"]
    );
    let mut waiting = Vec::new();
    while let [leased] = &log.lease_effects(partition(&*log, id), 9, HOUR).await.unwrap()[..] {
        waiting.push(leased.payload.clone());
        log.complete_effect(leased.id, leased.lane.clone()).await.unwrap();
    }
    assert_eq!(waiting, ["stale", "invented"]);
}

pub(crate) async fn who_would_open_nothing_is_told_that_nothing_is_open(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    let say = |text: &str| {
        let mut append = to_peer(beside(h, id), &peer, text);
        if let Basis::Peer { opening, .. } = &mut append.basis {
            opening.clear();
        }
        append
    };
    assert_eq!(log.append(say("nobody")).await.unwrap(), Answer::Closed);
    appended(&*log, id, &peer, "hello").await;
    written(&*h.other_node(), say("again")).await;
    assert_eq!(texts(&*log, id).await, ["opening", "hello", "again"]);
    let mut closing = admitted(id, "bye");
    closing.closes = true;
    written(&*log, closing).await;
    assert_eq!(log.append(say("late")).await.unwrap(), Answer::Closed);
}

pub(crate) async fn of_two_that_open_at_once_one_does(h: &impl Harness) {
    let (one, other, peer) = (h.core(), h.other_node(), peer());
    let first = session(h);
    let second = beside(h, first);
    let answers = join_all([
        one.append(to_peer(first, &peer, "a")),
        other.append(to_peer(second, &peer, "b")),
    ])
    .await;
    let mut opened = Vec::new();
    let mut into = Vec::new();
    for answer in answers {
        let Answer::Appended { log, opened: did, .. } = answer.unwrap() else {
            panic!("both are heard");
        };
        opened.push(did);
        into.push(log);
    }
    opened.sort_unstable();
    assert_eq!(opened, [false, true]);
    assert_eq!(into[0], into[1]);
    assert_eq!(tail(&*one, into[0]).await.records.len(), 3);
}

pub(crate) async fn a_peer_whose_session_is_over_gets_another(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    appended(&*log, id, &peer, "hello").await;
    let mut closing = admitted(id, "bye");
    closing.closes = true;
    closing.indexes = vec![Index::Unpeer(peer.clone())];
    written(&*log, closing).await;
    assert_eq!(open_session(&*log, id, &peer).await, None);
    let next = beside(h, id);
    assert_eq!(appended(&*log, next, &peer, "back").await, (next, 2, true));
}

pub(crate) async fn a_closed_session_is_nobodys_open_one(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    appended(&*log, id, &peer, "hello").await;
    let mut closing = admitted(id, "bye");
    closing.closes = true;
    written(&*log, closing).await;
    assert_eq!(open_session(&*log, id, &peer).await, None);
    let next = beside(h, id);
    assert_eq!(appended(&*log, next, &peer, "back").await, (next, 2, true));
    assert_eq!(open_session(&*log, id, &peer).await, Some(next));
}

pub(crate) async fn only_the_peers_own_session_lets_go_of_it(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    appended(&*log, id, &peer, "hello").await;
    let mut stranger = opening(beside(h, id));
    stranger.indexes = vec![Index::Unpeer(peer.clone())];
    written(&*log, stranger).await;
    assert_eq!(open_session(&*log, id, &peer).await, Some(id));
}

pub(crate) async fn opening_into_a_log_that_exists_is_refused(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    let top = opened(&*log, id, 2).await;
    let answer = log.append(to_peer(id, &peer, "hello")).await.unwrap();
    assert_eq!(answer, Answer::Refused { top });
    assert_eq!(open_session(&*log, id, &peer).await, None);
}

pub(crate) async fn an_index_entry_names_the_peers_session(h: &impl Harness) {
    let (log, id, peer) = (h.core(), session(h), peer());
    let mut append = opening(id);
    append.indexes = vec![Index::Peer(peer.clone())];
    written(&*log, append).await;
    assert_eq!(open_session(&*log, id, &peer).await, Some(id));
    assert_eq!(
        appended(&*log, beside(h, id), &peer, "hello").await,
        (id, 2, false)
    );
}
