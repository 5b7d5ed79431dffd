//! The place of one log in a core's table.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::log::EffectId;
use crate::model::{Effect, LogId};
use crate::protocol::dense::Packer;

use super::ask::Ask;
use super::folded::Folded;
use super::held::Held;
use super::machine::Machine;
use super::view::{Typing, View};

/// The logs of one kind that live on this core.
pub struct Table<M: Machine> {
    slots: RefCell<HashSet<Placed<M>>>,
}

/// A slot that is found by its log: with the log's id beside it the table would take three times as much.
struct Placed<M: Machine>(Rc<Slot<M>>);

impl<M: Machine> Borrow<LogId> for Placed<M> {
    fn borrow(&self) -> &LogId {
        &self.0.log
    }
}

impl<M: Machine> Hash for Placed<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.log.hash(state);
    }
}

impl<M: Machine> PartialEq for Placed<M> {
    fn eq(&self, other: &Self) -> bool {
        self.0.log == other.0.log
    }
}

impl<M: Machine> Eq for Placed<M> {}

/// One log.
pub(super) struct Slot<M: Machine> {
    pub(super) log: LogId,
    pub(super) inner: RefCell<Inner<M>>,
}

/// Effects that are carried out one after another.
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) waiting: VecDeque<(EffectId, Effect)>,
}

pub(super) struct Inner<M: Machine> {
    pub(super) replica: Held<M>,
    /// Absent: a log at rest keeps no room for it, since there are many more of them than busy ones.
    busy: Option<Box<Busy<M>>>,
    /// Whether a pump works on this log.
    pub(super) pumping: bool,
    /// Whether records of other nodes arrive.
    pub(super) watched: bool,
    /// How often news came while there was no replica to take them. A read that began before them may not hold them.
    pub(super) missed: u32,
    /// Cores that hold a view, one bit each.
    pub(super) readers: u64,
    /// When somebody last wanted something of it.
    pub(super) used: Instant,
}

/// What is under way.
pub(super) struct Busy<M: Machine> {
    /// Questions waiting for the append in flight.
    pub(super) queue: VecDeque<Ask<M>>,
    /// Effects of this node's appends not yet carried out, by lane.
    pub(super) lanes: Vec<Lane>,
    /// The latest signal of each participant.
    pub(super) signals: Vec<Typing>,
}

impl<M: Machine> Inner<M> {
    /// What is under way, or a place for it.
    pub(super) fn busy(&mut self) -> &mut Busy<M> {
        self.busy.get_or_insert_with(|| {
            Box::new(Busy {
                queue: VecDeque::new(),
                lanes: Vec::new(),
                signals: Vec::new(),
            })
        })
    }

    /// Lets go of the place for what is under way where nothing is.
    pub(super) fn calm(&mut self) {
        self.busy
            .take_if(|busy| busy.queue.is_empty() && busy.lanes.is_empty() && busy.signals.is_empty());
    }

    /// Folds the replica; what it is from then on, if it was not before. Signals last for seconds: nobody is told of them any more.
    pub(super) fn fold(&mut self, packer: &mut Packer) -> Option<Folded> {
        let folded = self.replica.fold(packer)?;
        if let Some(busy) = &mut self.busy {
            busy.signals = Vec::new();
        }
        self.calm();
        Some(folded)
    }

    /// What a reader sees of it.
    pub(super) fn view(&mut self, log: LogId) -> Option<Arc<View<M>>> {
        let replica = self.replica.open()?;
        let signals = self.busy.as_ref().map_or(&[][..], |busy| &busy.signals);
        Some(Arc::new(replica.view(log, signals)))
    }

    /// Nothing is carried out in this lane any more.
    pub(super) fn end_lane(&mut self, name: &str) {
        self.busy().lanes.retain(|lane| lane.name != name);
        self.calm();
    }
}

impl<M: Machine> Default for Table<M> {
    fn default() -> Self {
        Self {
            slots: RefCell::default(),
        }
    }
}

impl<M: Machine> Table<M> {
    /// The slot of a log, made when it is not there.
    pub(super) fn slot(&self, log: LogId, now: Instant) -> Rc<Slot<M>> {
        if let Some(slot) = self.get(log) {
            slot.inner.borrow_mut().used = now;
            return slot;
        }
        let slot = Rc::new(Slot {
            log,
            inner: RefCell::new(Inner {
                replica: Held::Absent,
                busy: None,
                pumping: false,
                watched: false,
                missed: 0,
                readers: 0,
                used: now,
            }),
        });
        self.slots.borrow_mut().insert(Placed(Rc::clone(&slot)));
        slot
    }

    /// The slot of a log, if it is there.
    pub(super) fn get(&self, log: LogId) -> Option<Rc<Slot<M>>> {
        self.slots.borrow().get(&log).map(|Placed(slot)| Rc::clone(slot))
    }

    /// Every slot of a partition.
    pub(super) fn of_partition(&self, partition: u16, partitions: u16) -> Vec<Rc<Slot<M>>> {
        self.those(|slot| slot.log.spread().partition(partitions) == partition)
    }

    /// Every slot.
    pub(super) fn all(&self) -> Vec<Rc<Slot<M>>> {
        self.those(|_| true)
    }

    /// Drops what nobody needs; returns the logs that were watched.
    pub(super) fn drop_idle(&self, before: Instant) -> Vec<LogId> {
        let mut watched = Vec::new();
        self.slots.borrow_mut().retain(|Placed(slot)| {
            let inner = slot.inner.borrow();
            let in_lanes = inner.busy.as_ref().is_some_and(|busy| !busy.lanes.is_empty());
            let keep = inner.pumping || inner.readers != 0 || in_lanes || inner.used > before;
            if !keep && inner.watched {
                watched.push(slot.log);
            }
            keep
        });
        watched
    }

    /// The logs that nobody has wanted anything of for a while, and that can be smaller than they are: those untouched since `rest`,
    /// and whether since `fold`.
    pub(super) fn resting(&self, rest: Instant, fold: Instant) -> Vec<(Rc<Slot<M>>, bool)> {
        let slots = self.slots.borrow();
        let smaller = |Placed(slot): &Placed<M>| {
            let inner = slot.inner.borrow();
            let folds = inner.used <= fold && inner.replica.can_fold();
            let rests = inner.used <= rest && inner.replica.can_rest();
            (!inner.pumping && (folds || rests)).then(|| (Rc::clone(slot), folds))
        };
        slots.iter().filter_map(smaller).collect()
    }

    fn those(&self, wanted: impl Fn(&Slot<M>) -> bool) -> Vec<Rc<Slot<M>>> {
        let slots = self.slots.borrow();
        let slots = slots.iter().map(|Placed(slot)| slot);
        slots.filter(|slot| wanted(slot)).cloned().collect()
    }

    /// How many logs have a place here.
    pub(super) fn len(&self) -> usize {
        self.slots.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SessionEvent;
    use crate::session::{Desk, Session};
    use crate::shard::{DeskView, Entry, SessionView};

    #[test]
    fn what_a_log_takes_on_a_core_is_small() {
        let sizes = [
            ("the place of a session", size_of::<Slot<Session>>(), 88),
            ("its state", size_of::<Session>(), 640),
            ("what readers see of it", size_of::<SessionView>(), 80),
            ("a record of it", size_of::<Entry<SessionEvent>>(), 304),
            ("the place of a desk", size_of::<Slot<Desk>>(), 88),
            ("its state", size_of::<Desk>(), 320),
            ("what readers see of it", size_of::<DeskView>(), 80),
        ];
        for (what, size, most) in sizes {
            assert!(
                size <= most,
                "{what}: {size} bytes, {most} at most; all: {sizes:?}"
            );
        }
    }
}
