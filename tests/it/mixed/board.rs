//! What everybody saw, over all rounds: the only memory that survives the node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::support::contacts::Contacts;

/// Something that reached a stand-in and was taken by it.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) at: Instant,
    pub(super) body: Vec<u8>,
}

/// A session as the agent knows it.
#[derive(Debug, Default, Clone)]
pub(super) struct Session {
    pub(super) state: String,
    pub(super) offer: String,
    /// What the customer said.
    pub(super) heard: BTreeSet<String>,
}

#[derive(Default)]
pub(super) struct Notes {
    /// Texts that were answered 200.
    pub(super) acknowledged: BTreeSet<usize>,
    /// Texts of campaigns whose batch was answered 202.
    pub(super) campaign: BTreeSet<String>,
    pub(super) sessions: BTreeMap<String, Session>,
    /// Answers of the agent by their text: one command each, however often it is sent.
    pub(super) commands: BTreeMap<String, Uuid>,
    /// Those that were executed.
    pub(super) answered: BTreeSet<String>,
    /// Lines of our own: (session, number) to text.
    pub(super) lines: BTreeMap<(String, u64), String>,
    /// When the provider's acceptance of a text was first seen on record.
    pub(super) recorded: BTreeMap<String, Instant>,
    /// What the provider accepted.
    pub(super) sent: Vec<Reached>,
    /// What the provider refused for its form.
    pub(super) refused: Vec<String>,
    /// What the subscriber took.
    pub(super) told: Vec<Reached>,
    logins: usize,
}

pub(super) struct Board {
    pub(super) texts: usize,
    pub(super) contacts: Contacts,
    notes: Mutex<Notes>,
    changed: Condvar,
    events: AtomicUsize,
}

/// The words of the text with this number.
pub(super) fn words(text: usize) -> String {
    format!("in-{text}")
}

impl Board {
    pub(super) fn new(texts: usize) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            texts,
            contacts: Contacts::start(),
            notes: Mutex::default(),
            changed: Condvar::new(),
            events: AtomicUsize::new(0),
        })
    }

    /// Looks at the notes, or writes some.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Notes) -> T) -> T {
        let told = act(&mut self.notes.lock().unwrap());
        self.changed.notify_all();
        told
    }

    /// Something happened.
    pub(super) fn count(&self) {
        self.events.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::Acquire)
    }

    pub(super) fn logged_in(&self) {
        self.with(|notes| notes.logins += 1);
    }

    /// Waits until the agent of a round is at work.
    pub(super) fn await_login(&self, round: usize) {
        let notes = self.notes.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(notes, Duration::from_secs(60), |notes| notes.logins <= round);
        assert!(!waited.unwrap().1.timed_out(), "the agent did not get in");
    }

    /// What is still to be done: every text stands in a transcript of history, every answer and every message of the campaign is sent and
    /// its acceptance on record, every session has been told of twice.
    pub(super) fn missing(&self) -> Vec<String> {
        let held = self.contacts.held();
        let stopped = held
            .interactions
            .values()
            .filter(|one| one["state"] == "Stopped")
            .count();
        let kept: usize = held.interactions.values().map(|one| texts_of(one).len()).sum();
        self.with(|notes| {
            let unknown = notes.answered.iter().chain(&notes.campaign);
            let unknown = unknown.filter(|text| !notes.recorded.contains_key(*text)).count();
            let told = super::check::notices(notes).len();
            let all = [
                ("texts to be acknowledged", self.texts - notes.acknowledged.len()),
                ("texts to be kept", self.texts.saturating_sub(kept)),
                ("interactions to be stopped", held.interactions.len() - stopped),
                ("acceptances to be recorded", unknown),
                ("notices to be told", (2 * stopped).saturating_sub(told)),
            ];
            let open = all.iter().filter(|(_, count)| *count > 0);
            open.map(|(what, count)| format!("{count} {what}")).collect()
        })
    }

    pub(super) fn summary(&self) -> String {
        let interactions = self.contacts.held().interactions.len();
        self.with(|notes| {
            format!(
                "{} texts in {interactions} sessions, {} answers, {} of campaigns, {} accepted by the provider, {} on record, {} notices",
                notes.acknowledged.len(),
                notes.answered.len(),
                notes.campaign.len(),
                notes.sent.len(),
                notes.recorded.len(),
                notes.told.len()
            )
        })
    }
}

/// What the customer said, in a transcript.
pub(super) fn texts_of(interaction: &serde_json::Map<String, serde_json::Value>) -> Vec<String> {
    let lines = interaction
        .get("transcript")
        .and_then(|transcript| transcript["lines"].as_array());
    let texts = lines
        .into_iter()
        .flatten()
        .filter_map(|line| line["text"].as_str());
    texts
        .filter(|text| text.starts_with("in-"))
        .map(str::to_owned)
        .collect()
}
