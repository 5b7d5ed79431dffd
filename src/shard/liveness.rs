//! Signs of life: collected, then written in one call a partition (DESIGN 3.5).

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::{LogId, LogKind};
use crate::session::{Desk, Session};

use super::core::CoreTable;
use super::machine::Machine;

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

    async fn renew(&self) {
        let heard = std::mem::take(&mut *self.heard.borrow_mut());
        let mut calls: HashMap<(u16, u64), Vec<LogId>> = HashMap::new();
        for log in heard {
            let ttl_ms = match log.kind() {
                LogKind::Session => Session::ALIVE_MS,
                LogKind::Desk => Desk::ALIVE_MS,
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
}
