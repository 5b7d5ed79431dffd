//! What is counted of sockets: how many, how they ended, what they were sent.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use metrics::{Gauge, counter, gauge};

use crate::model::TenantId;
use crate::telemetry::{CoreTally, Count, TenantLabels, names};

/// Where a core counts.
pub(super) struct Counts {
    tally: Option<CoreTally>,
    labels: TenantLabels,
    /// By label: a gauge's handle is larger than what a stream keeps of it.
    working: RefCell<HashMap<Arc<str>, Rc<Gauge>>>,
}

impl Default for Counts {
    /// Counts nothing by core, and every tenant as one.
    fn default() -> Self {
        Self {
            tally: None,
            labels: TenantLabels::new(0),
            working: RefCell::default(),
        }
    }
}

impl Counts {
    pub(super) fn new(tally: CoreTally, labels: TenantLabels) -> Self {
        Self {
            tally: Some(tally),
            labels,
            working: RefCell::default(),
        }
    }

    /// A socket was opened; the answer counts it for as long as it lives.
    pub(super) fn opened(&self) -> Opened {
        self.add(Count::SocketOpened, 1);
        Opened(self.tally.clone())
    }

    /// A stream of this tenant works on it.
    pub(super) fn working(&self, tenant: TenantId) -> Working {
        let label = self.labels.label(tenant);
        let mut working = self.working.borrow_mut();
        let gauge = working
            .entry(Arc::clone(&label))
            .or_insert_with(|| Rc::new(gauge!(names::AGENT_SOCKETS, "ccid" => label.to_string())));
        let gauge = Rc::clone(gauge);
        gauge.increment(1.0);
        gauge!(names::SOCKET_CONNECTED).increment(1.0);
        Working(gauge)
    }

    /// Events were written.
    pub(super) fn sent(&self, events: usize, bytes: usize) {
        self.add(Count::EventSent, events);
        self.add(Count::BytesSent, bytes);
    }

    /// It ended by a fault of the peer or the network; `slow`: the peer did not read.
    pub(super) fn failed(&self, tenant: TenantId, slow: bool) {
        self.add(Count::SocketFailed, 1);
        if slow {
            self.add(Count::SocketSlow, 1);
        }
        counter!(names::AGENT_SOCKET_ERRORS, "ccid" => self.labels.label(tenant).to_string()).increment(1);
    }

    fn add(&self, what: Count, amount: usize) {
        if let Some(tally) = &self.tally {
            tally.add(what, u64::try_from(amount).unwrap_or(u64::MAX));
        }
    }
}

/// An open socket.
pub(super) struct Opened(Option<CoreTally>);

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(tally) = &self.0 {
            tally.count(Count::SocketClosed);
        }
    }
}

/// A stream at work.
pub(super) struct Working(Rc<Gauge>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.decrement(1.0);
        gauge!(names::SOCKET_CONNECTED).decrement(1.0);
    }
}
