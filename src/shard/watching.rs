//! Records and signals of other nodes, and what to do when some may have been missed.

use std::rc::Rc;
use std::time::Duration;

use crate::log::{StoredRecord, Watch, WatchEvent};
use crate::model::{LogId, LogKind, Position};
use crate::runtime::Backoff;
use crate::session::{Desk, Session};
use crate::telemetry::names;

use super::held::Held;
use super::machine::Machine;
use super::replica::Misfit;
use super::slot::Slot;
use super::table::CoreTable;
use super::view::Typing;

/// Logs compared in one call.
const COMPARED: usize = 1_000;
/// Attempts of one comparison; with [`AGAIN`] about five minutes.
const COMPARISONS: u32 = 64;
/// Between two of them.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));

impl CoreTable {
    /// Takes what the store tells this core.
    pub(super) async fn run_watch(self: Rc<Self>, mut watch: Watch) {
        while let Some(event) = watch.events.recv().await {
            match event {
                WatchEvent::Record { log, record } => match log.kind() {
                    LogKind::Session => self.take_record::<Session>(log, &record),
                    LogKind::Desk => self.take_record::<Desk>(log, &record),
                    LogKind::Feed => {}
                },
                WatchEvent::Signal { log, payload } => {
                    if let Ok(typing) = serde_json::from_slice::<Typing>(&payload) {
                        self.take_signal(log, typing);
                    }
                }
                WatchEvent::Stranded { log, after, records } => self.keep_stranded(log, after, &records),
                WatchEvent::Lost { partition } => {
                    metrics::counter!(names::WATCH_LOST).increment(1);
                    self.recheck(partition);
                }
            }
        }
    }

    fn take_record<M: Machine>(self: &Rc<Self>, log: LogId, record: &StoredRecord) {
        let Some(slot) = M::table(self).get(log) else {
            return;
        };
        let (taken, read) = {
            let mut inner = slot.inner.borrow_mut();
            // While this node's own append is in flight its answer moves the replica; afterwards the gap shows.
            let taken = inner.replica.open().map(|replica| replica.take(record));
            if taken.is_none() {
                inner.missed = inner.missed.wrapping_add(1);
            }
            (taken, inner.readers != 0)
        };
        match taken {
            Some(Ok(())) => self.publish(&slot),
            Some(Err(Misfit::Gap | Misfit::Fork)) => self.refresh(slot),
            Some(Err(Misfit::Unreadable(reason))) => {
                tracing::error!(%log, reason, "a record of another node cannot be read");
                slot.inner.borrow_mut().replica = Held::Absent;
            }
            // Whoever reads it has seen a replica, and would otherwise wait for the next question.
            None if read => self.refresh(slot),
            Some(Err(Misfit::Old)) | None => {}
        }
    }

    /// Reads what was missed.
    pub(super) fn refresh<M: Machine>(self: &Rc<Self>, slot: Rc<Slot<M>>) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            for _ in 0..2 {
                // A replica that turned out to be of another history is dropped first and rebuilt second.
                if let Err(error) = core.catch_up(&slot).await {
                    tracing::warn!(log = %slot.log, %error, "missed records could not be read yet");
                }
                match core.load(&slot, false).await {
                    Ok(true) => core.publish(&slot),
                    Ok(false) => return,
                    Err(error) => tracing::warn!(log = %slot.log, %error, "log could not be read yet"),
                }
            }
        });
    }

    /// Compares the replicas of a partition with the store. One task a partition: a loss while it is under way makes it go round
    /// once more.
    fn recheck(self: &Rc<Self>, partition: u16) {
        if let Some(again) = self.rechecks.borrow_mut().get_mut(&partition) {
            *again = true;
            return;
        }
        self.rechecks.borrow_mut().insert(partition, false);
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            loop {
                core.compare::<Session>(partition).await;
                core.compare::<Desk>(partition).await;
                let mut rechecks = core.rechecks.borrow_mut();
                match rechecks.get_mut(&partition) {
                    Some(again) if *again => *again = false,
                    _ => {
                        rechecks.remove(&partition);
                        return;
                    }
                }
            }
        });
    }

    /// Reads the logs whose tops differ. Replicas that could not be compared for too long are not believed any more.
    async fn compare<M: Machine>(self: &Rc<Self>, partition: u16) {
        let (slots, absent): (Vec<_>, Vec<_>) = M::table(self)
            .of_partition(partition, self.log.info().partitions)
            .into_iter()
            .partition(|slot| !slot.inner.borrow().replica.is_absent());
        // One that is being read has missed something like the others, and nothing yet to compare.
        for slot in absent {
            let mut inner = slot.inner.borrow_mut();
            inner.missed = inner.missed.wrapping_add(1);
        }
        for slots in slots.chunks(COMPARED) {
            let logs: Vec<LogId> = slots.iter().map(|slot| slot.log).collect();
            let Some(tops) = self.tops(partition, logs).await else {
                tracing::warn!(
                    partition,
                    "the store did not say where its logs stand; they are read again when somebody asks"
                );
                for slot in slots {
                    let mut inner = slot.inner.borrow_mut();
                    // A pump at work reads by itself.
                    if !inner.pumping {
                        inner.replica = Held::Absent;
                    }
                }
                continue;
            };
            for (slot, top) in slots.iter().zip(tops) {
                let known = slot.inner.borrow().replica.top();
                if known.is_some() && known != top {
                    self.refresh(Rc::clone(slot));
                }
            }
        }
    }

    /// Where logs stand; `None` when the store did not say in [`COMPARISONS`] attempts.
    async fn tops(&self, partition: u16, logs: Vec<LogId>) -> Option<Vec<Option<Position>>> {
        for attempt in 0..COMPARISONS {
            match self.log.tops(partition, logs.clone()).await {
                Ok(tops) => return Some(tops),
                Err(error) => tracing::debug!(%error, partition, attempt, "tops could not be compared yet"),
            }
            let random = uuid::Uuid::new_v4().as_u64_pair().0;
            tokio::time::sleep(AGAIN.delay(attempt, random)).await;
        }
        None
    }

    /// A signal, from here or from another node.
    pub(super) fn take_signal(&self, log: LogId, typing: Typing) {
        let Some(slot) = self.sessions.get(log) else {
            return;
        };
        let news = {
            let mut inner = slot.inner.borrow_mut();
            inner.used = self.clock.now();
            Typing::merge(&mut inner.busy().signals, typing)
        };
        if news {
            self.publish(&slot);
        }
    }
}
