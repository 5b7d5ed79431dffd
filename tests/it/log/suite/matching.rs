//! The matching tables.

use std::collections::HashMap;

use nexus::log::{Log, Pair, best_pair};
use nexus::model::{LogId, MatchOp, Media, Millis, ReadyDesk, TenantId, WaitingSession};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::Harness;
use super::given::*;

fn waiting(session: LogId, n: u64, since: u64) -> WaitingSession {
    WaitingSession {
        session,
        n,
        queue: "sales".to_owned(),
        media: Media::Chat,
        priority: 1,
        since: Millis(since),
        skills: Vec::new(),
        prefer: None,
        avoid: Vec::new(),
    }
}

fn ready(desk: LogId, n: u64, idle_since: u64) -> ReadyDesk {
    ReadyDesk {
        desk,
        n,
        agent: "alice".parse().unwrap(),
        queues: vec!["sales".to_owned()],
        skills: Vec::new(),
        free: vec![(Media::Chat, 1)],
        idle_since: Millis(idle_since),
    }
}

async fn write(log: &dyn Log, tenant: TenantId, op: MatchOp) -> Option<(LogId, LogId)> {
    pair(log.matching(tenant, op).await.unwrap().pair)
}

async fn best(log: &dyn Log, tenant: TenantId) -> Option<(LogId, LogId)> {
    pair(log.best_pair(tenant).await.unwrap().pair)
}

fn pair(pair: Option<Pair>) -> Option<(LogId, LogId)> {
    pair.map(|pair| (pair.session, pair.desk))
}

pub(crate) async fn a_write_returns_the_best_pair(h: &impl Harness) {
    let (log, other, tenant) = (h.core(), h.other_node(), tenant());
    let (session, desk) = (session(h), session(h));
    assert_eq!(
        write(&*log, tenant, MatchOp::Wait(waiting(session, 1, 10))).await,
        None
    );
    let answer = other
        .matching(tenant, MatchOp::Ready(ready(desk, 1, 5)))
        .await
        .unwrap();
    let met = Pair {
        session,
        desk,
        agent: "alice".parse().unwrap(),
    };
    assert_eq!(answer.pair, Some(met));
    let assigned = MatchOp::Unwait {
        session,
        n: 2,
        assigned: true,
    };
    assert_eq!(write(&*log, tenant, assigned).await, None);
    assert_eq!(best(&*log, tenant).await, None);
}

pub(crate) async fn tenants_do_not_meet(h: &impl Harness) {
    let (log, one, other) = (h.core(), tenant(), tenant());
    write(&*log, one, MatchOp::Wait(waiting(session(h), 1, 10))).await;
    assert_eq!(
        write(&*log, other, MatchOp::Ready(ready(session(h), 1, 5))).await,
        None
    );
}

pub(crate) async fn an_older_number_never_overwrites_a_newer_one(h: &impl Harness) {
    let (log, tenant, session, desk) = (h.core(), tenant(), session(h), session(h));
    write(&*log, tenant, MatchOp::Ready(ready(desk, 4, 5))).await;
    let met = Some((session, desk));
    assert_eq!(
        write(&*log, tenant, MatchOp::Wait(waiting(session, 7, 10))).await,
        met
    );
    let mut old = waiting(session, 6, 10);
    old.queue = "elsewhere".to_owned();
    assert_eq!(write(&*log, tenant, MatchOp::Wait(old)).await, met);
    let stale = MatchOp::Unwait {
        session,
        n: 6,
        assigned: false,
    };
    assert_eq!(write(&*log, tenant, stale).await, met);
    assert_eq!(write(&*log, tenant, MatchOp::Unready { desk, n: 3 }).await, met);
    assert_eq!(write(&*log, tenant, MatchOp::Unready { desk, n: 5 }).await, None);
}

pub(crate) async fn a_departed_session_is_not_brought_back(h: &impl Harness) {
    let (log, tenant, session, desk) = (h.core(), tenant(), session(h), session(h));
    write(&*log, tenant, MatchOp::Ready(ready(desk, 1, 5))).await;
    let gone = MatchOp::Unwait {
        session,
        n: 9,
        assigned: false,
    };
    write(&*log, tenant, gone).await;
    assert_eq!(
        write(&*log, tenant, MatchOp::Wait(waiting(session, 8, 10))).await,
        None
    );
    let back = MatchOp::Wait(waiting(session, 10, 10));
    assert_eq!(write(&*log, tenant, back).await, Some((session, desk)));
    write(&*log, tenant, MatchOp::Unready { desk, n: 5 }).await;
    assert_eq!(
        write(&*log, tenant, MatchOp::Ready(ready(desk, 4, 5))).await,
        None
    );
}

pub(crate) async fn a_rank_counts_those_before(h: &impl Harness) {
    let (log, tenant) = (h.core(), tenant());
    let (early, late, urgent, elsewhere) = (session(h), session(h), session(h), session(h));
    write(&*log, tenant, MatchOp::Wait(waiting(late, 1, 30))).await;
    write(&*log, tenant, MatchOp::Wait(waiting(early, 1, 10))).await;
    let mut first = waiting(urgent, 1, 50);
    first.priority = 9;
    write(&*log, tenant, MatchOp::Wait(first)).await;
    let mut other = waiting(elsewhere, 1, 1);
    other.queue = "billing".to_owned();
    write(&*log, tenant, MatchOp::Wait(other)).await;
    let rank = async |session, queue: &str| {
        let rank = log.queue_rank(tenant, queue.to_owned(), session).await.unwrap();
        rank.map(|rank| (rank.position, rank.mean_interval_ms))
    };
    assert_eq!(rank(urgent, "sales").await, Some((1, None)));
    assert_eq!(rank(early, "sales").await, Some((2, None)));
    assert_eq!(rank(late, "sales").await, Some((3, None)));
    assert_eq!(rank(elsewhere, "billing").await, Some((1, None)));
    assert_eq!(rank(elsewhere, "sales").await, None);
    assert_eq!(rank(session(h), "sales").await, None);
}

/// One session comes, waits and is taken.
async fn assign(h: &impl Harness, log: &dyn Log, tenant: TenantId, assigned: bool) {
    let session = session(h);
    write(log, tenant, MatchOp::Wait(waiting(session, 1, 1))).await;
    for _ in 0..2 {
        let taken = MatchOp::Unwait {
            session,
            n: 2,
            assigned,
        };
        write(log, tenant, taken).await;
    }
}

async fn mean(h: &impl Harness, log: &dyn Log, tenant: TenantId) -> Option<u64> {
    let last = session(h);
    write(log, tenant, MatchOp::Wait(waiting(last, 1, 99))).await;
    let rank = log.queue_rank(tenant, "sales".to_owned(), last).await.unwrap();
    rank.expect("it waits").mean_interval_ms
}

pub(crate) async fn the_mean_interval_is_hidden_below_five_samples(h: &impl Harness) {
    let (log, tenant) = (h.core(), tenant());
    for _ in 0..4 {
        assign(h, &*log, tenant, true).await;
    }
    assign(h, &*log, tenant, false).await;
    assert_eq!(
        mean(h, &*log, tenant).await,
        None,
        "four taken, one gone, each told twice"
    );
    assign(h, &*log, tenant, true).await;
    assert!(mean(h, &*log, tenant).await.is_some());
}

pub(crate) async fn the_mean_interval_is_that_of_the_last_quarter_hour(h: &impl Harness) {
    let (log, tenant) = (h.core(), tenant());
    for _ in 0..5 {
        assign(h, &*log, tenant, true).await;
        h.pass(10_000).await;
    }
    assert_eq!(mean(h, &*log, tenant).await, Some(10_000));
    h.pass(15 * 60_000).await;
    assert_eq!(mean(h, &*log, tenant).await, None);
}

/// A write to the tables, by index into a few sessions and desks.
#[derive(Debug, Clone)]
enum Step {
    Wait(WaitingSession),
    Unwait(usize),
    Ready(ReadyDesk),
    Unready(usize),
}

const SESSIONS: usize = 6;
const DESKS: usize = 4;

fn step(sessions: Vec<LogId>, desks: Vec<LogId>) -> impl Strategy<Value = Step> {
    let names = |words: &'static [&'static str], most| {
        proptest::sample::subsequence(words.to_vec(), 0..=most)
            .prop_map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let media = || prop_oneof![Just(Media::Chat), Just(Media::Sms)];
    let some_desks = desks.clone();
    let wait = (
        0..SESSIONS,
        prop_oneof![Just("sales"), Just("billing")],
        media(),
        0..3_u32,
        0..5_u64,
        names(&["fr", "gold"], 2),
        proptest::option::of(0..DESKS),
        proptest::sample::subsequence(desks.clone(), 0..=2),
    )
        .prop_map(move |(i, queue, media, priority, since, skills, prefer, avoid)| {
            let session = WaitingSession {
                queue: queue.to_owned(),
                media,
                priority,
                skills,
                prefer: prefer.map(|i| some_desks[i]),
                avoid,
                ..waiting(sessions[i], 0, since)
            };
            Step::Wait(session)
        });
    let desk = (
        0..DESKS,
        names(&["sales", "billing"], 2),
        names(&["fr", "gold"], 2),
        proptest::collection::vec((media(), 0..3_u16), 0..2),
        0..5_u64,
    )
        .prop_map(move |(i, queues, skills, free, idle_since)| {
            let desk = ReadyDesk {
                queues,
                skills,
                free,
                ..ready(desks[i], 0, idle_since)
            };
            Step::Ready(desk)
        });
    prop_oneof![
        4 => wait,
        1 => (0..SESSIONS).prop_map(Step::Unwait),
        4 => desk,
        1 => (0..DESKS).prop_map(Step::Unready),
    ]
}

pub(crate) async fn the_best_pair_is_that_of_the_reference(h: &impl Harness) {
    let log = h.core();
    let mut runner = TestRunner::default();
    let sessions: Vec<LogId> = (0..SESSIONS).map(|_| session(h)).collect();
    let desks: Vec<LogId> = (0..DESKS).map(|_| session(h)).collect();
    let steps = proptest::collection::vec(step(sessions.clone(), desks.clone()), 1..40);
    for _ in 0..24 {
        let steps = steps.new_tree(&mut runner).unwrap().current();
        let tenant = tenant();
        let mut waits: HashMap<LogId, WaitingSession> = HashMap::new();
        let mut readies: HashMap<LogId, ReadyDesk> = HashMap::new();
        for (n, step) in (1..).zip(steps.clone()) {
            let op = match step {
                Step::Wait(session) => {
                    let session = WaitingSession { n, ..session };
                    waits.insert(session.session, session.clone());
                    MatchOp::Wait(session)
                }
                Step::Unwait(i) => {
                    waits.remove(&sessions[i]);
                    MatchOp::Unwait {
                        session: sessions[i],
                        n,
                        assigned: false,
                    }
                }
                Step::Ready(desk) => {
                    let desk = ReadyDesk { n, ..desk };
                    readies.insert(desk.desk, desk.clone());
                    MatchOp::Ready(desk)
                }
                Step::Unready(i) => {
                    readies.remove(&desks[i]);
                    MatchOp::Unready { desk: desks[i], n }
                }
            };
            let answer = log.matching(tenant, op).await.unwrap();
            let table: Vec<&ReadyDesk> = readies.values().collect();
            let expected = best_pair(waits.values(), &table);
            assert_eq!(answer.pair, expected, "after step {n} of {steps:#?}");
        }
    }
}
