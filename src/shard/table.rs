//! Everything one core of the shard table holds.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::log::{PeerKey, SharedLog};
use crate::model::{LogId, Millis};
use crate::protocol::dense::Packer;
use crate::runtime::clock::Clock;
use crate::session::{Desk, Session};

use super::cells::{Cells, MOMENT};
use super::deliverer::Deliverer;
use super::folded::Folded;
use super::link::{Links, News};
use super::machine::Machine;
use super::measures::Measures;
use super::options::ShardOptions;
use super::replica::Replica;
use super::router::Router;
use super::slot::{Slot, Table};
use super::stranded::Stranded;
use super::timers::Timers;
use super::view::View;

/// One core's part of the table. `!Send`: nothing of it leaves its thread.
pub struct CoreTable {
    pub(super) core: usize,
    pub(super) links: Links,
    pub(super) log: SharedLog,
    pub(super) router: Rc<dyn Router>,
    pub(super) deliverer: Rc<dyn Deliverer>,
    pub(super) clock: Clock,
    pub(super) options: ShardOptions,
    pub(super) sessions: Table<Session>,
    pub(super) desks: Table<Desk>,
    pub(super) session_cells: Cells<Session>,
    pub(super) desk_cells: Cells<Desk>,
    /// A moment has begun in them.
    pub(super) moments: tokio::sync::Notify,
    pub(super) timers: RefCell<Timers>,
    pub(super) timer_wake: tokio::sync::Notify,
    /// Attempts of deliveries under way.
    pub(super) attempts: Cell<usize>,
    /// Partitions in which something became due before their next sweep.
    pub(super) due: RefCell<BTreeSet<u16>>,
    pub(super) due_wake: tokio::sync::Notify,
    /// Partitions that are being compared with the store, and whether they must be once more.
    pub(super) rechecks: RefCell<HashMap<u16, bool>>,
    /// What was said in lost histories and is not kept yet.
    pub(super) stranded: RefCell<Stranded>,
    pub(super) measures: Measures,
    /// Makes what is folded smaller.
    pub(super) packer: RefCell<Packer>,
    /// Logs heard from since the last renewal.
    pub(super) heard: RefCell<HashSet<LogId>>,
    /// Into which session each peer's last message went. What it is used for is checked by the store.
    pub(super) peers: RefCell<HashMap<PeerKey, LogId>>,
}

impl CoreTable {
    /// The core that owns a log: all logs of a partition live on one core.
    pub(super) fn owner(&self, log: LogId) -> usize {
        usize::from(log.spread().partition(self.log.info().partitions)) % self.links.cores()
    }

    pub(super) fn owns(&self, log: LogId) -> bool {
        self.owner(log) == self.core
    }

    pub(super) fn partition(&self, log: LogId) -> u16 {
        log.spread().partition(self.log.info().partitions)
    }

    /// The partitions whose logs live on this core.
    pub(super) fn partitions(&self) -> impl Iterator<Item = u16> {
        let (core, cores) = (self.core, self.links.cores());
        (0..self.log.info().partitions).filter(move |partition| usize::from(*partition) % cores == core)
    }

    pub(super) fn wall(&self) -> Millis {
        Millis(self.clock.wall_ms())
    }

    /// Shows the readers of a log its newest picture.
    pub(super) fn publish<M: Machine>(&self, slot: &Slot<M>) {
        let (readers, view) = {
            let mut inner = slot.inner.borrow_mut();
            if inner.readers == 0 {
                return;
            }
            (inner.readers, inner.view(slot.log))
        };
        let Some(view) = view else {
            return;
        };
        for core in self.cores_of(readers) {
            self.show(core, &view);
        }
    }

    /// Lets the readers of a log put their pictures of it away.
    pub(super) fn publish_folded<M: Machine>(&self, slot: &Slot<M>, folded: &Folded) {
        let readers = slot.inner.borrow().readers;
        for core in self.cores_of(readers) {
            if core == self.core {
                self.hold_folded::<M>(slot.log, folded.clone());
            } else {
                self.links
                    .publish(core, slot.log, News::Folded(slot.log, folded.clone()));
            }
        }
    }

    fn cores_of(&self, readers: u64) -> impl Iterator<Item = usize> {
        (0..self.links.cores()).filter(move |core| readers & (1 << core) != 0)
    }

    fn show<M: Machine>(&self, core: usize, view: &Arc<View<M>>) {
        if core == self.core {
            self.hold(Arc::clone(view));
        } else {
            self.links.publish(core, view.log, M::news(Arc::clone(view)));
        }
    }

    /// Holds a newer view for the readers of this core.
    pub(super) fn hold<M: Machine>(&self, view: Arc<View<M>>) {
        if M::cells(self).update(view) {
            self.moments.notify_one();
        }
    }

    /// Holds what a log was folded to.
    pub(super) fn hold_folded<M: Machine>(&self, log: LogId, folded: Folded) {
        if M::cells(self).put_away(log, folded) {
            self.moments.notify_one();
        }
    }

    /// Ends the moments in which news are gathered.
    pub(super) async fn run_moments(self: Rc<Self>) {
        loop {
            self.moments.notified().await;
            loop {
                tokio::time::sleep(MOMENT).await;
                let (sessions, desks) = (self.session_cells.end_moment(), self.desk_cells.end_moment());
                if !sessions && !desks {
                    break;
                }
            }
        }
    }

    /// A replica of a log that may not exist.
    pub(super) fn empty<M: Machine>(&self) -> Replica<M> {
        Replica::empty(self.options.tail_records)
    }
}
