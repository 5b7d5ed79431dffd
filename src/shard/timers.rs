//! Deadlines this core set itself, so that they fire on time; those of others are found by the sweep.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use crate::log::TimerChange;
use crate::model::{LogId, LogKind, Millis};
use crate::session::{Desk, Session};

use super::machine::Machine;
use super::table::CoreTable;

/// A deadline: the machine judges whether it still means anything when it comes.
type Deadline = (Millis, LogId, u16);

/// The deadlines of one core, soonest first. One that was moved stays until its time: firing it is a question the
/// machine answers with nothing.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Deadline>>,
}

/// More are left to the sweep.
const TIMERS_MAX: usize = 1 << 20;
/// What is due later is left to the sweep, in milliseconds: most of it is moved or cleared long before, and it may be 2 s late.
const AHEAD_MS: u64 = 2 * 3_600_000;

impl Timers {
    fn set(&mut self, due: Millis, log: LogId, name: u16) {
        if self.heap.len() < TIMERS_MAX {
            self.heap.push(Reverse((due, log, name)));
        }
    }

    /// Takes the deadlines that have come.
    pub(super) fn due(&mut self, now: Millis) -> Vec<Deadline> {
        let mut due = Vec::new();
        while self.heap.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            due.extend(self.heap.pop().map(|Reverse(deadline)| deadline));
        }
        due
    }

    pub(super) fn next(&self) -> Option<Millis> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }
}

impl CoreTable {
    /// Remembers deadlines that were just appended.
    pub(super) fn set_timers(&self, log: LogId, changes: &[TimerChange]) {
        let far = self.wall().plus(AHEAD_MS);
        let mut timers = self.timers.borrow_mut();
        for change in changes {
            if let TimerChange::Set { name, due } = *change
                && due < far
            {
                timers.set(due, log, name);
            }
        }
        drop(timers);
        self.timer_wake.notify_one();
    }

    /// Fires deadlines as they come.
    pub(super) async fn run_timers(self: Rc<Self>) {
        loop {
            let woken = self.timer_wake.notified();
            let now = self.wall();
            for (due, log, name) in self.timers.borrow_mut().due(now) {
                self.fire(log, name, due);
            }
            let wait = self
                .timers
                .borrow()
                .next()
                .map_or(Duration::from_secs(3_600), |next| {
                    // A wall clock that steps is noticed within a second.
                    Duration::from_millis(next.since(now).clamp(1, 1_000))
                });
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Asks the machine of a log what follows from a deadline.
    pub(super) fn fire(self: &Rc<Self>, log: LogId, name: u16, due: Millis) {
        match log.kind() {
            LogKind::Session => self.fire_as::<Session>(log, name, due),
            LogKind::Desk => self.fire_as::<Desk>(log, name, due),
            LogKind::Feed => {}
        }
    }

    fn fire_as<M: Machine>(self: &Rc<Self>, log: LogId, name: u16, due: Millis) {
        if let Some(input) = M::timer(name, due) {
            self.tell::<M>(log, input);
        }
    }
}
