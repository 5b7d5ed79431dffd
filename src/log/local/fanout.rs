//! From whoever appends to the cores that watch.
//!
//! An appender never waits for a core: what does not fit into a core's channel is dropped, its partition noted, and the
//! core told [`WatchEvent::Lost`] as soon as there is room. Until that is delivered nothing else of the partition is, so
//! whatever comes after it is new.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use crate::log::append::StoredRecord;
use crate::log::watch::{Watch, WatchEvent};
use crate::model::LogId;

/// Every core of one store.
#[derive(Debug, Clone)]
pub(crate) struct Fanout {
    cores: Arc<Mutex<Vec<Weak<Core>>>>,
    partitions: u16,
}

/// What one core watches.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    core: Arc<Core>,
    receiver: Option<mpsc::Receiver<WatchEvent>>,
}

#[derive(Debug)]
struct Core {
    state: Mutex<State>,
    events: mpsc::Sender<WatchEvent>,
    overflowed: Notify,
}

#[derive(Debug, Default)]
struct State {
    watched: HashSet<LogId>,
    lost: BTreeSet<u16>,
}

impl Fanout {
    pub(crate) fn new(partitions: u16) -> Self {
        Self {
            cores: Arc::default(),
            partitions,
        }
    }

    /// One more core, which may be `capacity` events behind.
    pub(crate) fn join(&self, capacity: usize) -> Subscriptions {
        let (events, receiver) = mpsc::channel(capacity);
        let core = Arc::new(Core {
            state: Mutex::default(),
            events,
            overflowed: Notify::new(),
        });
        let mut cores = lock(&self.cores);
        cores.retain(|core| core.strong_count() > 0);
        cores.push(Arc::downgrade(&core));
        Subscriptions {
            core,
            receiver: Some(receiver),
        }
    }

    /// Records of one log, in order.
    pub(crate) fn records(&self, log: LogId, records: &[StoredRecord]) {
        self.each_watcher(log, |core, state| {
            for record in records {
                let event = WatchEvent::Record {
                    log,
                    record: record.clone(),
                };
                core.deliver(state, log.spread().partition(self.partitions), event);
            }
        });
    }

    pub(crate) fn signal(&self, log: LogId, payload: &Bytes) {
        self.each_watcher(log, |core, state| {
            let event = WatchEvent::Signal {
                log,
                payload: payload.clone(),
            };
            core.deliver(state, log.spread().partition(self.partitions), event);
        });
    }

    /// Something of this partition went unheard on its way here.
    pub(crate) fn lose(&self, partition: u16) {
        for core in lock(&self.cores).iter().filter_map(Weak::upgrade) {
            lock(&core.state).lost.insert(partition);
            core.overflowed.notify_one();
        }
    }

    /// What one append had written and the store has no place for any more. `false`: some core has no room to be told.
    pub(crate) fn stranded(&self, log: LogId, after: u64, records: &[StoredRecord]) -> bool {
        let event = WatchEvent::Stranded {
            log,
            after,
            records: records.to_vec(),
        };
        let cores = lock(&self.cores);
        let mut living = cores.iter().filter_map(Weak::upgrade);
        living.all(|core| core.events.try_send(event.clone()).is_ok())
    }

    fn each_watcher(&self, log: LogId, mut tell: impl FnMut(&Core, &mut State)) {
        for core in lock(&self.cores).iter().filter_map(Weak::upgrade) {
            let mut state = lock(&core.state);
            if state.watched.contains(&log) {
                tell(&core, &mut state);
            }
        }
    }
}

impl Core {
    fn deliver(&self, state: &mut State, partition: u16, event: WatchEvent) {
        if state.lost.contains(&partition) {
            return;
        }
        if self.events.try_send(event).is_err() {
            state.lost.insert(partition);
            self.overflowed.notify_one();
        }
    }

    /// Ends with the receiver.
    async fn report_losses(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.overflowed.notified() => {}
                () = self.events.closed() => return,
            }
            loop {
                let Ok(place) = self.events.reserve().await else {
                    return;
                };
                // Under the lock, so that no later event of the partition overtakes it.
                let mut state = lock(&self.state);
                let Some(partition) = state.lost.pop_first() else {
                    break;
                };
                place.send(WatchEvent::Lost { partition });
            }
        }
    }
}

impl Subscriptions {
    /// The receiving end, once. Needs a tokio runtime around it, where the task lives that reports losses.
    pub(crate) fn take(&mut self) -> Option<Watch> {
        let events = self.receiver.take()?;
        tokio::spawn(Arc::clone(&self.core).report_losses());
        Some(Watch { events })
    }

    pub(crate) fn watch(&self, log: LogId) {
        lock(&self.core.state).watched.insert(log);
    }

    pub(crate) fn unwatch(&self, log: LogId) {
        lock(&self.core.state).watched.remove(&log);
    }
}

/// Every critical section here leaves the state whole, so one that panicked has not broken it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
