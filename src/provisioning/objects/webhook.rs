//! A subscription to state changes.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems, Verification};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A subscription to state changes of interactions (contract section 12). `secret` keys `X-Hub-Signature`,
/// `signingSecret` the optional Standard Webhooks headers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Webhook {
    /// Name shown to administrators.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
    /// `STARTED`, `FINISHED`.
    pub events: Vec<String>,
    /// `chat`, `email`; empty means all.
    pub media_types: Vec<String>,
    /// Milliseconds between attempts; absent means full jitter over the whole window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_timeout_ms: Option<u32>,
    /// Attempts in all; absent means as many as the window holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_attempts: Option<u32>,
    /// Off sends nothing; what is pending goes to the dead letters.
    pub enabled: bool,
    /// Whether the endpoint must answer a challenge before it hears anything.
    pub verify: bool,
    /// What became of the challenge. Written by the service alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

impl Webhook {
    /// So many may hear of one event of one medium: an append holds so many effects and no more.
    pub const MOST: usize = 16;

    /// Whether it is switched on and wants to know of this event of `chat` or `email`, the two media contract section 12 knows.
    #[must_use]
    pub fn hears(&self, event: &str, medium: &str) -> bool {
        let wants = |list: &[String], word: &str| list.iter().any(|wanted| wanted == word);
        self.enabled
            && wants(&self.events, event)
            && (self.media_types.is_empty() || wants(&self.media_types, medium))
    }

    /// Whether the endpoint may be told anything: it has answered its challenge, or need not.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        let noted = self.verification.as_ref();
        !self.verify || noted.is_some_and(|noted| noted.holds_for(&self.url))
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Webhook {
            name: String::new(),
            url: String::new(),
            events: vec!["STARTED".to_owned(), "FINISHED".to_owned()],
            media_types: Vec::new(),
            retry_timeout_ms: None,
            retry_attempts: None,
            enabled: true,
            verify: false,
            verification: None,
        }
    }
}

impl Object for Webhook {
    const KIND: Kind = Kind::Webhook;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("name", &self.name, 128);
        if self.url.is_empty() {
            problems.missing("url");
        } else {
            problems.url("url", &self.url);
        }
        for event in &self.events {
            problems.one_of("events", event, &["STARTED", "FINISHED"]);
        }
        for media in &self.media_types {
            problems.one_of("mediaTypes", media, &["chat", "email"]);
        }
        if let Some(ms) = self.retry_timeout_ms {
            problems.within("retryTimeoutMs", ms.into(), 100, 86_400_000);
        }
        if let Some(attempts) = self.retry_attempts {
            problems.within("retryAttempts", attempts.into(), 1, 1000);
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.webhooks
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.webhooks
    }
}
