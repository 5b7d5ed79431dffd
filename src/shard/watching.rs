//! Records and signals of other nodes, and what to do when some may have been missed.

use std::rc::Rc;

use crate::log::{StoredRecord, Watch, WatchEvent};
use crate::model::{LogId, LogKind};
use crate::session::{Desk, Session};

use super::machine::Machine;
use super::replica::Misfit;
use super::slot::Slot;
use super::table::CoreTable;
use super::view::Typing;

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
                WatchEvent::Lost { partition } => {
                    metrics::counter!("nexus_watch_lost_total").increment(1);
                    self.recheck::<Session>(partition);
                    self.recheck::<Desk>(partition);
                }
            }
        }
    }

    fn take_record<M: Machine>(self: &Rc<Self>, log: LogId, record: &StoredRecord) {
        let Some(slot) = M::table(self).get(log) else {
            return;
        };
        let taken = {
            let mut inner = slot.inner.borrow_mut();
            // While this node's own append is in flight its answer moves the replica; afterwards the gap shows.
            inner.replica.as_mut().map(|replica| replica.take(record))
        };
        match taken {
            Some(Ok(())) => self.publish(&slot),
            Some(Err(Misfit::Gap | Misfit::Fork)) => self.refresh(slot),
            Some(Err(Misfit::Unreadable(reason))) => {
                tracing::error!(%log, reason, "a record of another node cannot be read");
                slot.inner.borrow_mut().replica = None;
            }
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

    /// Compares the tops of a partition's replicas with the store, and reads those that differ.
    fn recheck<M: Machine>(self: &Rc<Self>, partition: u16) {
        let slots = M::table(self).of_partition(partition, self.log.info().partitions);
        let slots: Vec<_> = slots
            .into_iter()
            .filter(|slot| slot.inner.borrow().replica.is_some())
            .collect();
        if slots.is_empty() {
            return;
        }
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            for slots in slots.chunks(1_000) {
                let logs: Vec<LogId> = slots.iter().map(|slot| slot.log).collect();
                let tops = loop {
                    match core.log.tops(partition, logs.clone()).await {
                        Ok(tops) => break tops,
                        Err(error) => {
                            tracing::debug!(%error, partition, "tops could not be compared yet");
                            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                        }
                    }
                };
                for (slot, top) in slots.iter().zip(tops) {
                    let known = slot.inner.borrow().replica.as_ref().map(|replica| replica.top);
                    if known.is_some() && known != top {
                        core.refresh(Rc::clone(slot));
                    }
                }
            }
        });
    }

    /// A signal, from here or from another node.
    pub(super) fn take_signal(&self, log: LogId, typing: Typing) {
        let Some(slot) = self.sessions.get(log) else {
            return;
        };
        let news = Typing::merge(&mut slot.inner.borrow_mut().signals, typing);
        if news {
            self.publish(&slot);
        }
    }
}
