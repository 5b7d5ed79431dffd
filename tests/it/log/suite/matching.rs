//! The matching tables.

use std::collections::{BTreeSet, HashMap, HashSet};

use nexus::log::{HOLD_MS, Log, Pair, admits, best_pair, own_skill};
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
        asked_until: None,
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
    pair(log.hold_best_pair(tenant).await.unwrap().pair)
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

pub(crate) async fn a_session_for_one_agent_is_named_with_no_other(h: &impl Harness) {
    let (log, tenant) = (h.core(), tenant());
    let (for_bob, for_all, alice, bob) = (session(h), session(h), session(h), session(h));
    write(&*log, tenant, MatchOp::Ready(ready(alice, 1, 1))).await;
    let only = WaitingSession {
        skills: vec![own_skill("bob")],
        ..waiting(for_bob, 1, 10)
    };
    assert_eq!(write(&*log, tenant, MatchOp::Wait(only)).await, None);
    assert_eq!(
        write(&*log, tenant, MatchOp::Wait(waiting(for_all, 1, 20))).await,
        Some((for_all, alice)),
        "nobody waits behind one who waits for somebody else"
    );
    let bobs = ReadyDesk {
        agent: "bob".parse().unwrap(),
        ..ready(bob, 1, 5)
    };
    assert_eq!(
        write(&*log, tenant, MatchOp::Ready(bobs)).await,
        Some((for_bob, bob))
    );
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
    let newest = MatchOp::Wait(waiting(session, 7, 10));
    assert_eq!(write(&*log, tenant, newest.clone()).await, met);
    let mut old = waiting(session, 6, 10);
    old.queue = "elsewhere".to_owned();
    let stale = [
        MatchOp::Wait(old),
        MatchOp::Unwait {
            session,
            n: 6,
            assigned: false,
        },
        MatchOp::Unready { desk, n: 3 },
    ];
    for op in stale {
        assert_eq!(write(&*log, tenant, op).await, None);
    }
    // All of it still holds.
    assert_eq!(
        write(&*log, tenant, newest.clone()).await,
        None,
        "the desk is spoken for"
    );
    assert_eq!(write(&*log, tenant, MatchOp::Ready(ready(desk, 4, 5))).await, met);
    write(&*log, tenant, MatchOp::Unready { desk, n: 5 }).await;
    assert_eq!(write(&*log, tenant, newest).await, None);
}

pub(crate) async fn a_pair_is_named_to_one_until_it_says_something(h: &impl Harness) {
    let (log, other, tenant) = (h.core(), h.other_node(), tenant());
    let (first, second, desk) = (session(h), session(h), session(h));
    write(&*log, tenant, MatchOp::Wait(waiting(first, 1, 10))).await;
    write(&*log, tenant, MatchOp::Wait(waiting(second, 1, 20))).await;
    let met = write(&*log, tenant, MatchOp::Ready(ready(desk, 1, 5))).await;
    assert_eq!(met, Some((first, desk)));
    assert_eq!(best(&*other, tenant).await, None, "the desk is spoken for");
    let spare = session(h);
    let met = write(&*other, tenant, MatchOp::Ready(ready(spare, 1, 9))).await;
    assert_eq!(met, Some((second, spare)), "and the first session is");
    // The desk was asked, and has another place.
    let third = session(h);
    assert_eq!(
        write(&*log, tenant, MatchOp::Wait(waiting(third, 1, 30))).await,
        None
    );
    let met = write(&*log, tenant, MatchOp::Ready(ready(desk, 2, 5))).await;
    assert_eq!(met, Some((third, desk)));
}

pub(crate) async fn a_desk_that_was_named_in_vain_is_there_for_the_next(h: &impl Harness) {
    let (log, tenant) = (h.core(), tenant());
    let (gone, next, desk) = (session(h), session(h), session(h));
    write(&*log, tenant, MatchOp::Wait(waiting(gone, 1, 10))).await;
    write(&*log, tenant, MatchOp::Wait(waiting(next, 1, 20))).await;
    write(&*log, tenant, MatchOp::Ready(ready(desk, 1, 5))).await;
    let unwait = MatchOp::Unwait {
        session: gone,
        n: 2,
        assigned: false,
    };
    assert_eq!(write(&*log, tenant, unwait).await, None);
    let met = write(&*log, tenant, MatchOp::Release { desk }).await;
    assert_eq!(met, Some((next, desk)));
    assert_eq!(
        write(&*log, tenant, MatchOp::Release { desk: session(h) }).await,
        None
    );
}

pub(crate) async fn a_pair_of_which_nothing_is_heard_is_named_again(h: &impl Harness) {
    let (log, tenant, session, desk) = (h.core(), tenant(), session(h), session(h));
    let op = MatchOp::Ready(ready(desk, 1, 5));
    write(&*log, tenant, MatchOp::Wait(waiting(session, 1, 10))).await;
    assert_eq!(write(&*log, tenant, op.clone()).await, Some((session, desk)));
    // Whoever was told of it and died says the same again.
    assert_eq!(best(&*log, tenant).await, None);
    h.pass(HOLD_MS).await;
    assert_eq!(best(&*log, tenant).await, Some((session, desk)));
    let again = write(&*log, tenant, MatchOp::Wait(waiting(session, 1, 10))).await;
    assert_eq!(again, None, "its desk is spoken for");
    assert_eq!(write(&*log, tenant, op).await, Some((session, desk)));
}

pub(crate) async fn a_session_keeps_its_rank_while_a_desk_is_asked(h: &impl Harness) {
    let (log, other, tenant) = (h.core(), h.other_node(), tenant());
    let (first, second, desk) = (session(h), session(h), session(h));
    let rank = async |session| {
        let rank = other
            .queue_rank(tenant, "sales".to_owned(), session)
            .await
            .unwrap();
        rank.map(|rank| rank.position)
    };
    write(&*log, tenant, MatchOp::Wait(waiting(first, 1, 10))).await;
    write(&*log, tenant, MatchOp::Wait(waiting(second, 1, 20))).await;
    let met = write(&*log, tenant, MatchOp::Ready(ready(desk, 1, 5))).await;
    assert_eq!(met, Some((first, desk)));
    let asked = WaitingSession {
        asked_until: Some(FAR),
        ..waiting(first, 2, 10)
    };
    assert_eq!(write(&*log, tenant, MatchOp::Wait(asked)).await, None);
    assert_eq!((rank(first).await, rank(second).await), (Some(1), Some(2)));
    let met = write(&*log, tenant, MatchOp::Ready(ready(desk, 2, 5))).await;
    assert_eq!(met, Some((second, desk)), "the first has been named already");
    let refused = MatchOp::Wait(waiting(first, 3, 10));
    assert_eq!(write(&*log, tenant, refused).await, None, "nobody else is ready");
    assert_eq!((rank(first).await, rank(second).await), (Some(1), Some(2)));
    let next = session(h);
    let met = write(&*log, tenant, MatchOp::Ready(ready(next, 1, 5))).await;
    assert_eq!(met, Some((first, next)));
    let taken = MatchOp::Unwait {
        session: first,
        n: 4,
        assigned: true,
    };
    write(&*log, tenant, taken).await;
    assert_eq!((rank(first).await, rank(second).await), (None, Some(1)));
}

pub(crate) async fn a_session_whose_desk_never_answered_is_named_again(h: &impl Harness) {
    let (log, tenant, session, desk) = (h.core(), tenant(), session(h), session(h));
    // Its time to answer is over, and nothing was heard of it.
    let asked = WaitingSession {
        asked_until: Some(Millis(1)),
        ..waiting(session, 1, 10)
    };
    assert_eq!(write(&*log, tenant, MatchOp::Wait(asked)).await, None);
    assert_eq!(
        write(&*log, tenant, MatchOp::Ready(ready(desk, 1, 5))).await,
        Some((session, desk))
    );
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
    assert_eq!(write(&*log, tenant, back.clone()).await, Some((session, desk)));
    write(&*log, tenant, MatchOp::Unready { desk, n: 5 }).await;
    write(&*log, tenant, back).await;
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
    Release(usize),
    Sweep,
}

/// Beyond every clock, and exact in Redis.
const FAR: Millis = Millis(1 << 50);
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
        names(&["fr", "gold", "agent=agent0", "agent=agent1"], 2),
        proptest::option::of(0..DESKS),
        proptest::sample::subsequence(desks.clone(), 0..=2),
        proptest::bool::weighted(0.2),
    )
        .prop_map(
            move |(i, queue, media, priority, since, skills, prefer, avoid, asked)| {
                let session = WaitingSession {
                    queue: queue.to_owned(),
                    media,
                    priority,
                    skills,
                    prefer: prefer.map(|i| some_desks[i]),
                    avoid,
                    asked_until: asked.then_some(FAR),
                    ..waiting(sessions[i], 0, since)
                };
                Step::Wait(session)
            },
        );
    let desk = (
        0..DESKS,
        names(&["sales", "billing"], 2),
        names(&["fr", "gold"], 2),
        proptest::collection::vec((media(), 0..3_u16), 0..2),
        0..5_u64,
    )
        .prop_map(move |(i, queues, skills, free, idle_since)| {
            let desk = ReadyDesk {
                agent: format!("agent{i}").parse().unwrap(),
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
        2 => (0..DESKS).prop_map(Step::Release),
        1 => Just(Step::Sweep),
    ]
}

/// What the tables should hold, without any haste.
#[derive(Default)]
struct Reference {
    waits: HashMap<LogId, WaitingSession>,
    readies: HashMap<LogId, ReadyDesk>,
    held: HashSet<LogId>,
}

impl Reference {
    fn write(&mut self, op: &MatchOp) -> Option<Pair> {
        match op {
            MatchOp::Wait(session) => {
                self.held.remove(&session.session);
                self.waits.insert(session.session, session.clone());
                if session.asked_until.is_some() {
                    return None;
                }
                let wish = |one: &WaitingSession| {
                    let skills: BTreeSet<String> = one.skills.iter().cloned().collect();
                    (one.queue.clone(), one.media, skills)
                };
                self.hold(|one| wish(one) == wish(session))
            }
            MatchOp::Unwait { session, .. } => {
                self.held.remove(session);
                self.waits.remove(session);
                None
            }
            MatchOp::Ready(desk) => {
                self.readies.insert(desk.desk, desk.clone());
                self.free(desk.desk)
            }
            MatchOp::Unready { desk, .. } => {
                self.held.remove(desk);
                self.readies.remove(desk);
                None
            }
            MatchOp::Release { desk } => self.free(*desk),
        }
    }

    fn free(&mut self, desk: LogId) -> Option<Pair> {
        self.held.remove(&desk);
        let desk = self.readies.get(&desk)?.clone();
        self.hold(|session| admits(&desk, session))
    }

    fn hold(&mut self, may: impl Fn(&WaitingSession) -> bool) -> Option<Pair> {
        let waiting = self.waits.values();
        let waiting = waiting.filter(|one| !self.held.contains(&one.session) && may(one));
        let desks = self.readies.values();
        let desks: Vec<&ReadyDesk> = desks.filter(|one| !self.held.contains(&one.desk)).collect();
        let pair = best_pair(waiting, &desks)?;
        self.held.extend([pair.session, pair.desk]);
        Some(pair)
    }
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
        let mut reference = Reference::default();
        for (n, step) in (1..).zip(steps.clone()) {
            let op = match step {
                Step::Wait(session) => Some(MatchOp::Wait(WaitingSession { n, ..session })),
                Step::Unwait(i) => Some(MatchOp::Unwait {
                    session: sessions[i],
                    n,
                    assigned: false,
                }),
                Step::Ready(desk) => Some(MatchOp::Ready(ReadyDesk { n, ..desk })),
                Step::Unready(i) => Some(MatchOp::Unready { desk: desks[i], n }),
                Step::Release(i) => Some(MatchOp::Release { desk: desks[i] }),
                Step::Sweep => None,
            };
            let (answer, expected) = match op {
                Some(op) => {
                    let expected = reference.write(&op);
                    (log.matching(tenant, op).await.unwrap(), expected)
                }
                None => (
                    log.hold_best_pair(tenant).await.unwrap(),
                    reference.hold(|_| true),
                ),
            };
            assert_eq!(answer.pair, expected, "after step {n} of {steps:#?}");
        }
    }
}
