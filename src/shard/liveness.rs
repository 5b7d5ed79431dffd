//! Signs of life: collected, then written in one call a partition (DESIGN 3.5).

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::{LogId, LogKind};
use crate::session::{Desk, Session};

use super::machine::Machine;
use super::options::millis;
use super::table::CoreTable;

impl CoreTable {
    /// Somebody of this log was heard.
    pub(super) fn heard_from(&self, log: LogId) {
        self.heard.borrow_mut().insert(log);
    }

    /// Writes the signs of life as long as the core runs.
    pub(super) async fn run_renewals(self: Rc<Self>) {
        let mut every = tokio::time::interval(self.options.renew_every);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.renew().await;
        }
    }

    async fn renew(self: &Rc<Self>) {
        let heard = std::mem::take(&mut *self.heard.borrow_mut());
        let mut calls: HashMap<(u16, u64), Vec<LogId>> = HashMap::new();
        for log in heard {
            let ttl_ms = match log.kind() {
                LogKind::Session => self.heard_again::<Session>(log),
                LogKind::Desk => self.heard_again::<Desk>(log),
                LogKind::Feed => continue,
            };
            calls.entry((self.partition(log), ttl_ms)).or_default().push(log);
        }
        for ((partition, ttl_ms), logs) in calls {
            if let Err(error) = self.log.renew(partition, logs.clone(), ttl_ms).await {
                tracing::warn!(%error, partition, "signs of life could not be written; they are kept for the next round");
                self.heard.borrow_mut().extend(logs);
            }
        }
    }

    /// Tells a log that was given up for lost that it was heard of; how long the sign of life counts, in milliseconds.
    /// Whoever hears something also reads: the view is here.
    fn heard_again<M: Machine>(self: &Rc<Self>, log: LogId) -> u64 {
        let view = M::cells(self).view(log, self.clock.now());
        if let Some(input) = view.and_then(|view| view.state.returned()) {
            self.tell::<M>(log, input);
        }
        millis(M::alive(&self.options.liveness))
    }
}
