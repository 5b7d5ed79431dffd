//! The suite over the embedded store, and what only a store on a disk must do.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use nexus::log::embedded::{EmbeddedOptions, EmbeddedStore};
use nexus::log::{Index, Log, LogError, SharedLog, TimerChange};
use nexus::model::{LogId, MatchOp, Media, Millis, ReadyDesk, WaitingSession};
use nexus::runtime::TestClock;
use tempfile::TempDir;

use super::suite::given::*;
use super::suite::{Harness, run};

struct Embedded {
    store: EmbeddedStore,
    clock: TestClock,
    directory: TempDir,
}

async fn start() -> Embedded {
    let clock = TestClock::at(1_700_000_000_000);
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), options(&clock)).unwrap();
    Embedded {
        store,
        clock,
        directory,
    }
}

fn options(clock: &TestClock) -> EmbeddedOptions {
    EmbeddedOptions {
        partitions: 16,
        clock: clock.clock(),
        cache_bytes: 4 * 1024 * 1024,
        call_timeout: Duration::from_secs(60),
        ..EmbeddedOptions::default()
    }
}

impl Harness for Embedded {
    fn core(&self) -> SharedLog {
        self.store.core()
    }

    fn narrow_core(&self) -> SharedLog {
        self.store.clone().with_watch_capacity(64).core()
    }

    fn now(&self) -> Millis {
        Millis(self.clock.clock().wall_ms())
    }

    fn pass(&self, ms: u64) -> LocalBoxFuture<'_, ()> {
        self.clock.advance(Duration::from_millis(ms));
        async {}.boxed_local()
    }
}

conformance!(start);
conformance_days!(start);

impl Embedded {
    /// As after a restart of the process.
    async fn reopened(&self) -> Embedded {
        self.store.close().await.unwrap();
        self.open_again()
    }

    fn open_again(&self) -> Embedded {
        Embedded {
            store: EmbeddedStore::open(self.directory.path(), options(&self.clock)).unwrap(),
            clock: self.clock.clone(),
            directory: tempfile::tempdir().unwrap(),
        }
    }
}

#[test]
fn all_of_an_append_is_there_after_a_restart() {
    run(start, async |h: &Embedded| {
        let (log, id, peer, tenant) = (h.core(), session(h), peer(), tenant());
        let mut append = to_peer(id, &peer, "hello");
        append.records = vec![with_body("hello", "words"), snapshot("state")];
        append.key = Some(key("k1", 1, "told"));
        append.effects = vec![effect(0, "l", "a"), effect(1, "l", "b")];
        append.timers = vec![TimerChange::Set {
            name: 3,
            due: h.now(),
        }];
        append.indexes = vec![Index::Open(tenant), Index::Alive { ttl_ms: 1_000 }];
        let (_, top) = written(&*log, append.clone()).await;
        let before = log.read_forward(id, 1, 9).await.unwrap();
        let info = log.info().clone();
        let first = log.lease_effects(partition(&*log, id), 9, 1_000).await.unwrap();
        assert_eq!(first[0].attempt, 1);

        let again = h.reopened().await;
        let log = again.core();
        assert_eq!(log.info(), &info);
        assert_eq!(log.read_forward(id, 1, 9).await.unwrap(), before);
        assert_eq!(log.peer(partition(&*log, id), peer).await.unwrap(), Some(id));
        assert_eq!(log.open_sessions(tenant).await.unwrap(), 1);
        assert_eq!(log.due_timers(partition(&*log, id), 9).await.unwrap().len(), 1);
        let repeat = log.append(append).await.unwrap();
        assert!(
            matches!(repeat, nexus::log::Answer::Repeat { first: 2, .. }),
            "{repeat:?}"
        );
        assert_eq!(written(&*log, decided(id, top, "next")).await.0, 4);
        again.pass(1_000).await;
        let leased = log.lease_effects(partition(&*log, id), 9, 1_000).await.unwrap();
        assert_eq!((leased[0].id, leased[0].attempt), (first[0].id, 2));
        assert_eq!(log.lapsed(partition(&*log, id), 9).await.unwrap(), [id]);
    });
}

#[test]
fn a_session_that_goes_on_is_counted_however_long_ago_it_was_opened() {
    const HALF_HOUR: u64 = 30 * 60_000;
    run(start, async |h: &Embedded| {
        let (log, id, tenant) = (h.core(), session(h), tenant());
        let mut append = opening(id);
        append.indexes = vec![Index::Open(tenant)];
        append.expire_ms = 2 * HALF_HOUR;
        let (_, mut top) = written(&*log, append).await;
        for _ in 0..6 {
            h.pass(HALF_HOUR).await;
            let mut next = decided(id, top, "next");
            next.indexes = vec![Index::Open(tenant)];
            next.expire_ms = 2 * HALF_HOUR;
            top = written(&*log, next).await.1;
            assert_eq!(log.open_sessions(tenant).await.unwrap(), 1);
        }
        h.pass(5 * HALF_HOUR).await;
        assert_eq!(log.open_sessions(tenant).await.unwrap(), 0);
    });
}

#[test]
fn a_restart_gives_a_liveness_deadline_its_whole_term_again() {
    run(start, async |h: &Embedded| {
        let (log, id) = (h.core(), session(h));
        let mut append = opening(id);
        append.indexes = vec![Index::Alive { ttl_ms: 1_000 }];
        written(&*log, append).await;
        let renewed = beside(h, id);
        opened(&*log, renewed, 1).await;
        log.renew(partition(&*log, id), vec![renewed], 1_000)
            .await
            .unwrap();
        h.pass(500).await;
        let again = h.reopened().await;
        let log = again.core();
        again.pass(999).await;
        assert_eq!(log.lapsed(partition(&*log, id), 9).await.unwrap(), []);
        again.pass(1).await;
        assert_eq!(log.lapsed(partition(&*log, id), 9).await.unwrap().len(), 2);
    });
}

#[test]
fn sessions_that_wait_are_found_after_a_restart() {
    run(start, async |h: &Embedded| {
        let (log, tenant, desk) = (h.core(), tenant(), session(h));
        let (kept, left) = (session(h), session(h));
        for session in [kept, left] {
            log.matching(tenant, MatchOp::Wait(waiting(session, 5)))
                .await
                .unwrap();
        }
        let gone = MatchOp::Unwait {
            session: left,
            n: 6,
            assigned: true,
        };
        log.matching(tenant, gone).await.unwrap();
        let again = h.reopened().await;
        let log = again.core();
        let late = MatchOp::Wait(waiting(left, 5));
        log.matching(tenant, late).await.unwrap();
        let ready = MatchOp::Ready(ready(desk));
        let answer = log.matching(tenant, ready).await.unwrap();
        assert_eq!(answer.pair.map(|pair| pair.session), Some(kept));
        let rank = log.queue_rank(tenant, "sales".to_owned(), left).await.unwrap();
        assert_eq!(
            rank, None,
            "a write from before its departure does not bring it back"
        );
    });
}

fn waiting(session: LogId, n: u64) -> WaitingSession {
    WaitingSession {
        session,
        n,
        queue: "sales".to_owned(),
        media: Media::Chat,
        priority: 1,
        since: Millis(1),
        skills: Vec::new(),
        prefer: None,
        avoid: Vec::new(),
        asked_until: None,
    }
}

fn ready(desk: LogId) -> ReadyDesk {
    ReadyDesk {
        desk,
        n: 1,
        agent: "alice".parse().unwrap(),
        queues: vec!["sales".to_owned()],
        skills: Vec::new(),
        free: vec![(Media::Chat, 1)],
        idle_since: Millis(1),
    }
}

#[test]
fn another_count_of_partitions_is_another_store() {
    run(start, async |h: &Embedded| {
        h.store.close().await.unwrap();
        let other = EmbeddedOptions {
            partitions: 32,
            ..options(&h.clock)
        };
        let error = EmbeddedStore::open(h.directory.path(), other).unwrap_err();
        assert!(matches!(error, LogError::WrongStore { .. }), "{error:?}");
        h.open_again();
    });
}

#[test]
fn a_directory_has_one_store_at_a_time() {
    run(start, async |h: &Embedded| {
        let second = EmbeddedStore::open(h.directory.path(), options(&h.clock));
        assert!(matches!(second, Err(LogError::WrongStore { .. })), "{second:?}");
    });
}

#[test]
fn a_closed_store_is_unavailable() {
    run(start, async |h: &Embedded| {
        let (log, id) = (h.core(), session(h));
        h.store.close().await.unwrap();
        let unavailable = |error| matches!(error, LogError::Unavailable { .. });
        assert!(log.append(opening(id)).await.is_err_and(unavailable));
        assert!(log.tail(id).await.is_err_and(unavailable));
        assert!(h.store.close().await.is_err_and(unavailable));
    });
}

#[test]
fn a_full_queue_is_unavailable_and_recovers() {
    run(start, async |h: &Embedded| {
        h.store.close().await.unwrap();
        let narrow = EmbeddedOptions {
            queue: 4,
            ..options(&h.clock)
        };
        let store = EmbeddedStore::open(h.directory.path(), narrow).unwrap();
        let (log, id) = (store.core(), session(h));
        opened(&*log, id, 1).await;
        let burst = (0..500).map(|i| log.append(admitted(id, &i.to_string())));
        let answers = futures_util::future::join_all(burst).await;
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert!(refused > 0, "the queue holds four");
        assert!(
            answers
                .iter()
                .flat_map(|answer| answer.as_ref().err())
                .all(LogError::is_retryable)
        );
        assert_eq!(tail(&*log, id).await.records.len(), 1 + 500 - refused);
        written(&*log, admitted(id, "after")).await;
        store.close().await.unwrap();
    });
}

#[test]
fn what_has_expired_is_swept_away() {
    run(start, async |h: &Embedded| {
        let (log, peer, tenant) = (h.core(), peer(), tenant());
        let mut ids = Vec::new();
        for i in 0..40 {
            let mut append = to_peer(session(h), &peer, "hello");
            if i > 0 {
                append.basis = nexus::log::Basis::Decided(nexus::model::Position::default());
            }
            append.records = vec![record("x"); 30];
            append.key = Some(key(&i.to_string(), 1, ""));
            append.indexes = vec![Index::Open(tenant), Index::Alive { ttl_ms: 1 }];
            append.timers = vec![TimerChange::Set {
                name: 1,
                due: h.now(),
            }];
            ids.push(append.log);
            written(&*log, append).await;
            assert!(log.spend([i; 16], 1_000).await.unwrap());
        }
        h.pass(5 * 24 * HOUR).await;
        let survivor = session(h);
        opened(&*log, survivor, 70).await;
        for id in ids {
            assert_eq!(log.due_timers(partition(&*log, id), 9).await.unwrap(), []);
            assert_eq!(log.lapsed(partition(&*log, id), 9).await.unwrap(), []);
        }
        assert_eq!(tail(&*log, survivor).await.records.len(), 70);
        h.store.close().await.unwrap();
        let rows = rows(&h.directory.path().join("log.redb"));
        let expected = [("expiry", 1), ("log", 2), ("meta", 4), ("record", 70)];
        assert_eq!(rows, expected.map(|(table, rows)| (table.to_owned(), rows)));
    });
}

/// Tables that are not empty, and how many rows they have.
fn rows(path: &std::path::Path) -> Vec<(String, u64)> {
    use redb::{ReadableDatabase as _, ReadableTableMetadata as _, TableHandle as _};
    let database = redb::Database::open(path).unwrap();
    let read = database.begin_read().unwrap();
    let mut rows: Vec<(String, u64)> = read
        .list_tables()
        .unwrap()
        .map(|table| {
            let name = table.name().to_owned();
            (name, read.open_untyped_table(table).unwrap().len().unwrap())
        })
        .filter(|(_, rows)| *rows > 0)
        .collect();
    rows.sort();
    rows
}

#[test]
fn many_cores_append_at_once() {
    run(start, async |h: &Embedded| {
        let id = session(h);
        opened(&*h.core(), id, 1).await;
        let cores: Vec<_> = (0..4)
            .map(|core| {
                let store = h.store.clone();
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let log: SharedLog = store.core();
                        let appends = (0..100).map(|i| log.append(admitted(id, &format!("{core}-{i}"))));
                        let answers = futures_util::future::join_all(appends).await;
                        assert!(answers.iter().all(Result::is_ok));
                    });
                })
            })
            .collect();
        for core in cores {
            core.join().unwrap();
        }
        let log: &dyn Log = &*h.core();
        assert_eq!(tail(log, id).await.records.len(), 401);
    });
}

#[test]
fn damage_to_one_log_is_that_logs_alone() {
    run(start, async |h: &Embedded| {
        let (log, damaged) = (h.core(), session(h));
        let whole = beside(h, damaged);
        opened(&*log, damaged, 2).await;
        opened(&*log, whole, 2).await;
        h.store.close().await.unwrap();
        damage_head(&h.directory.path().join("log.redb"), damaged);

        let again = h.open_again();
        let log = again.core();
        let (one, other) = tokio::join!(
            log.append(admitted(damaged, "x")),
            log.append(admitted(whole, "x")),
        );
        assert!(matches!(one, Err(LogError::Corrupt { .. })), "{one:?}");
        assert!(
            matches!(other, Ok(nexus::log::Answer::Appended { first: 3, .. })),
            "{other:?}"
        );
        assert!(matches!(log.tail(damaged).await, Err(LogError::Corrupt { .. })));
        again.pass(3 * HOUR).await;
        opened(&*log, session(h), 1).await;
        assert_eq!(
            log.tail(damaged).await.unwrap(),
            None,
            "it is forgotten in its time"
        );
    });
}

fn damage_head(path: &std::path::Path, log: LogId) {
    const LOGS: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("log");
    let database = redb::Database::open(path).unwrap();
    let write = database.begin_write().unwrap();
    let key = [&log.as_bytes()[..], &u64::MAX.to_be_bytes()].concat();
    write
        .open_table(LOGS)
        .unwrap()
        .insert(&key[..], &b"damage"[..])
        .unwrap();
    write.commit().unwrap();
}
