//! What a session knows of the world outside: the customer's address, the thread of a mail, what became of what was sent, and
//! whether a bot is in charge.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{DeliveryStatus, Media, OfferKind, Record, SessionEvent};

use super::state::Session;

/// Messages whose fate is remembered; older ones are told as `Delivery` records only.
const DELIVERIES_MAX: usize = 128;
/// Mails of a thread that a reply names.
const REFERENCES_MAX: usize = 20;
/// Announced files that may be awaited at once.
pub(super) const ANNOUNCED_MAX: usize = 64;

/// A function of the records, like the rest of the state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outside {
    /// The customer's address in their channel; none once it was erased.
    pub address: Option<String>,
    /// The interaction subtype of contract section 12, where the messenger has one.
    pub subtype: Option<String>,
    /// Which of the address's conversations this is, where it has several.
    pub conversation: Option<String>,
    /// The subject of the newest mail.
    pub subject: Option<String>,
    /// Message ids of the thread, oldest first.
    pub references: Vec<String>,
    /// Whether the customer wants no messages by this channel.
    pub opted_out: bool,
    /// Whether it ever waited for an agent.
    pub started: bool,
    /// Number of the newest turn of the bot.
    pub turn: u64,
    /// Number of the newest turn that was answered.
    pub answered: u64,
    /// Turns of the bot so far.
    pub turns: u64,
    deliveries: VecDeque<(u64, DeliveryStatus)>,
    announced: Vec<u64>,
}

impl Outside {
    /// How far the message with this number got, as far as it is remembered.
    #[must_use]
    pub fn delivery(&self, n: u64) -> Option<DeliveryStatus> {
        self.deliveries
            .iter()
            .rev()
            .find(|(known, _)| *known == n)
            .map(|(_, status)| *status)
    }

    /// Whether the file announced by this record is still awaited.
    #[must_use]
    pub fn is_awaited(&self, n: u64) -> bool {
        self.announced.contains(&n)
    }

    pub(super) fn apply(&mut self, n: u64, record: &Record<SessionEvent>) {
        match &record.event {
            SessionEvent::Opened { .. } => {
                let profile = object(record.body.as_str());
                self.address = text(&profile, "address");
                self.conversation = text(&profile, "conversation");
                self.subject = text(&profile, "subject");
                self.subtype = text(&profile, "subtype");
            }
            SessionEvent::Queued {
                purpose: OfferKind::Lead,
                ..
            } => self.started = true,
            SessionEvent::Threaded => {
                let thread = object(record.body.as_str());
                self.subject = text(&thread, "subject").or(self.subject.take());
                self.references.extend(text(&thread, "messageId"));
                let surplus = self.references.len().saturating_sub(REFERENCES_MAX);
                self.references.drain(..surplus);
            }
            SessionEvent::Announced { .. } if self.announced.len() < ANNOUNCED_MAX => self.announced.push(n),
            SessionEvent::Fetched { of, .. } => self.announced.retain(|known| known != of),
            SessionEvent::Delivery { of, status } => self.delivered(*of, *status),
            SessionEvent::Consent { given } => self.opted_out = !given,
            SessionEvent::Turn => {
                self.turn = n;
                self.turns += 1;
            }
            SessionEvent::Answered { turn } => self.answered = self.answered.max(*turn),
            _ => {}
        }
    }

    fn delivered(&mut self, of: u64, status: DeliveryStatus) {
        if !status.follows(self.delivery(of)) {
            return;
        }
        if let Some(known) = self.deliveries.iter_mut().find(|(known, _)| *known == of) {
            known.1 = status;
            return;
        }
        if self.deliveries.len() >= DELIVERIES_MAX {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back((of, status));
    }
}

impl Session {
    /// What it knows of the world outside.
    #[must_use]
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// The interaction subtype of contract section 12.
    #[must_use]
    pub fn subtype(&self) -> &str {
        let sms = self.about().is_some_and(|about| about.media == Media::Sms);
        self.outside
            .subtype
            .as_deref()
            .unwrap_or(if sms { "SMS" } else { "InboundNew" })
    }

    /// Whether a bot answers: the tenant wants one first, and it has not handed over.
    #[must_use]
    pub fn is_with_bot(&self) -> bool {
        let has_bot = self.about().is_some_and(|about| about.terms.links.bot.is_some());
        has_bot && !self.outside.started && !self.is_closed()
    }
}

fn object(body: &str) -> Map<String, Value> {
    serde_json::from_str(body).unwrap_or_default()
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}
