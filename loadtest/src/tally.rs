//! What the tasks of one run tell the story: counts, latencies, texts on their way, and what went wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::measure::{Latencies, Summary};

/// The tally of one run, by the names the story gives.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<&'static str, u64>,
    latencies: BTreeMap<&'static str, Latencies>,
    due: HashMap<String, Instant>,
    errors: BTreeMap<String, u64>,
}

/// As the tasks share it.
pub type Shared = Rc<RefCell<Tally>>;

impl Tally {
    /// One more.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&mut self, what: &'static str, more: u64) {
        *self.counts.entry(what).or_default() += more;
    }

    /// How many.
    pub fn counted(&self, what: &'static str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// Something took so long.
    pub fn took(&mut self, what: &'static str, latency: Duration) {
        self.latencies.entry(what).or_default().record(latency);
    }

    /// How long it took; what comes from now on is counted anew.
    pub fn latency(&mut self, what: &'static str) -> Summary {
        self.latencies.remove(what).unwrap_or_default().summary()
    }

    /// A text is on its way, since it was due.
    pub fn sent(&mut self, text: String, due: Instant) {
        self.due.insert(text, due);
    }

    /// It arrived, for the first time.
    pub fn seen(&mut self, what: &'static str, text: &str) {
        if let Some(due) = self.due.remove(text) {
            self.took(what, due.elapsed());
        }
    }

    /// Texts that have not arrived.
    pub fn on_their_way(&self) -> usize {
        self.due.len()
    }

    /// Something went wrong.
    pub fn failed(&mut self, what: &str, error: &anyhow::Error) {
        self.wrong(format!("{what}: {error:#}"), 1);
    }

    /// So often; nothing where it is never.
    pub fn wrong(&mut self, what: impl Into<String>, times: u64) {
        if times > 0 {
            *self.errors.entry(what.into()).or_default() += times;
        }
    }

    /// How often anything went wrong.
    pub fn failures(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Whether so many of something happened, or failed to.
    pub fn is_over(&self, what: &'static str, wanted: usize) -> bool {
        self.counted(what) + self.failures() >= wanted as u64
    }

    /// What went wrong, and how often.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.clone()
    }
}
