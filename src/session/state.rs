//! The state of a session: a function of its records.
//!
//! ```text
//!            Queued            Accepted + Joined
//!  Parked ───────────▶ Waiting ─────────────────▶ Active
//!    ▲                    ▲                         │
//!    │      Unqueued      │   Queued (lost, placed) │
//!    └────────────────────┴─────────────────────────┘ Left (the last holder)
//!  any ── Closed ──▶ Closed
//! ```
//!
//! Beside the phase runs at most one offer: first the desk is asked for a place, then the agent sees it. While `Waiting` it is
//! what the session waits for; while `Active` it is a question to a colleague, asked by name or looked for in a queue (`seek`).

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::{
    AgentId, CloseReason, LogId, Media, Millis, OfferId, OfferKind, ParticipantId, Role, TenantId, Terms,
    Visibility,
};

use super::input::Place;
use super::outside::Outside;
use super::participants::Participants;

/// What every agent command remembers, so that a repeat is recognised; older ones are forgotten.
pub(super) const COMMANDS_MAX: usize = 256;

const HOUR_MS: u64 = 3_600_000;
/// A session that sleeps ends after so long, in milliseconds: an hour before its log would, so that everybody hears of its end.
pub const SLEEP_MS: u64 = 71 * HOUR_MS;

/// A session up to some record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// What was said when it opened; `None` before.
    pub(super) about: Option<Arc<About>>,
    pub(super) participants: Arc<Participants>,
    pub(super) data: Arc<Map<String, Value>>,
    pub(super) phase: Phase,
    pub(super) offer: Option<Offer>,
    /// Desks that said no, or nothing, since it began to wait.
    pub(super) avoid: Vec<LogId>,
    /// The smallest position the customer was told since it began to wait.
    pub(super) told: Option<u64>,
    /// Where it waited last, and waits again when the customer wakes it.
    pub(super) home: Option<Place>,
    /// The desk that held it last.
    pub(super) last_desk: Option<LogId>,
    /// When somebody last gave up a place.
    #[serde(default)]
    pub(super) let_go: Millis,
    /// The present holders' places: who, at which desk, under which offer.
    pub(super) places: Vec<Held>,
    pub(super) silence: Silence,
    /// When it fell asleep last. A customer's words do not move it: they wake it, or are a STOP.
    #[serde(default)]
    pub(super) asleep: Millis,
    /// Beside the conversation: somebody of a queue is looked for, to join or to advise.
    pub(super) seek: Option<Seek>,
    pub(super) commands: Arc<VecDeque<Executed>>,
    pub(super) files: u32,
    /// v3 index bases: (last number both histories share, base).
    pub(super) bases: Vec<(u64, u32)>,
    pub(super) comment: Option<String>,
    pub(super) disposition: Option<String>,
    /// Whether what was said in it is erased, and nothing was since.
    #[serde(default)]
    pub(super) erased: bool,
    #[serde(default)]
    pub(super) outside: Arc<Outside>,
}

/// What a session was opened with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its medium.
    pub media: Media,
    /// Through which endpoint.
    pub endpoint: String,
    /// Through which stream.
    pub stream: Option<String>,
    /// The customer's language.
    pub locale: Option<String>,
    /// Whether the customer may come back days later.
    pub asynchronous: bool,
    /// When.
    pub at: Millis,
    /// What holds for its whole life.
    pub terms: Arc<Terms>,
}

/// Where a session stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// Nobody holds it and it waits for nobody.
    #[default]
    Parked,
    /// It waits for an agent.
    Waiting {
        /// Where.
        place: Place,
        /// Since when.
        since: Millis,
        /// Preferred while ready.
        prefer: Option<LogId>,
    },
    /// At least one agent holds it.
    Active,
    /// It is over.
    Closed {
        /// Since when.
        at: Millis,
        /// Why.
        reason: CloseReason,
    },
}

/// What matters of a session to who looks through all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it was opened and is not over.
    pub open: bool,
    /// Whether it waits for an agent.
    pub waits: bool,
    /// Whether it is offered to one.
    pub offered: bool,
}

/// The present offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// To whom.
    pub agent: AgentId,
    /// Their desk.
    pub desk: LogId,
    /// What for.
    pub kind: OfferKind,
    /// Past it the offer is over.
    pub deadline: Millis,
    /// Whether the desk has reserved a place, so that the agent sees it.
    pub shown: bool,
    /// The agent's display name, once their desk has said it.
    pub name: String,
}

/// Who is looked for beside the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Seek {
    pub(super) place: Place,
    pub(super) since: Millis,
    pub(super) purpose: OfferKind,
}

/// A command that was carried out, with what a repeat is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Executed {
    pub(super) command: Uuid,
    /// Number of its first record.
    pub(super) n: u64,
    /// Whom it brought in.
    pub(super) participant: Option<ParticipantId>,
}

/// An agent's hold on the session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) participant: ParticipantId,
    pub(super) desk: LogId,
    pub(super) offer: OfferId,
}

/// How long nobody has said anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Silence {
    /// Since then.
    Since(Millis),
    /// The customer was told at that time that it will close.
    Alerted(Millis),
}

impl Default for Silence {
    fn default() -> Self {
        Self::Since(Millis::default())
    }
}

impl Session {
    /// What it was opened with; `None` for a log that is not a session yet.
    #[must_use]
    pub fn about(&self) -> Option<&About> {
        self.about.as_deref()
    }

    /// Everybody who ever took part.
    #[must_use]
    pub fn participants(&self) -> &Arc<Participants> {
        &self.participants
    }

    /// The attached data.
    #[must_use]
    pub fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Where it waited last, and waits again when the customer wakes it.
    #[must_use]
    pub const fn home(&self) -> Option<&Place> {
        self.home.as_ref()
    }

    /// The present offer.
    #[must_use]
    pub const fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// What matters of it to who looks through all of them.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        Standing {
            open: self.about.is_some() && !matches!(self.phase, Phase::Closed { .. }),
            waits: matches!(self.phase, Phase::Waiting { .. }),
            offered: self.offer.is_some(),
        }
    }

    /// When it ended, if it has.
    #[must_use]
    pub const fn closed_at(&self) -> Option<Millis> {
        match self.phase {
            Phase::Closed { at, .. } => Some(at),
            _ => None,
        }
    }

    /// How many files were sent in it.
    #[must_use]
    pub const fn files(&self) -> u32 {
        self.files
    }

    /// The v3 index bases: (last number both histories share, base), oldest first.
    #[must_use]
    pub fn bases(&self) -> &[(u64, u32)] {
        &self.bases
    }

    /// The agents' remark.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The agents' disposition.
    #[must_use]
    pub fn disposition(&self) -> Option<&str> {
        self.disposition.as_deref()
    }

    /// Whether what was said in it is erased, and nothing was said since.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.erased
    }

    /// The smallest queue position the customer was told since it began to wait.
    #[must_use]
    pub const fn told_position(&self) -> Option<u64> {
        self.told
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    /// The desk that held it last, while the customer is still remembered there.
    pub(super) fn remembered_desk(&self, now: Millis) -> Option<LogId> {
        let kept_ms = self.about()?.terms.last_agent_ms;
        self.last_desk
            .filter(|_| kept_ms > 0 && now < self.let_go.plus(kept_ms))
    }

    /// When its silence has a consequence. One that waits is not silent: it is spoken to. An asynchronous one that no agent
    /// holds sleeps, and ends once nobody can wake it any more.
    pub(super) fn silence_due(&self) -> Option<Millis> {
        let about = self.about()?;
        let Terms {
            idle_alert_ms: alert_ms,
            idle_close_ms: close_ms,
            keep_ms,
            ..
        } = *about.terms;
        if self.sleeps() {
            let end = self.asleep.plus(SLEEP_MS.max(keep_ms.saturating_sub(HOUR_MS)));
            // What the customer said a moment ago may be about to wake it.
            return Some(end.max(self.silent_since().plus(HOUR_MS)));
        }
        let counts = matches!(self.phase, Phase::Active | Phase::Parked);
        if alert_ms == 0 || !counts {
            return None;
        }
        Some(match self.silence {
            // Nobody asynchronous is told that they are silent: they may answer tomorrow.
            Silence::Since(since) if about.asynchronous => since.plus(alert_ms).plus(close_ms),
            Silence::Since(since) => since.plus(alert_ms),
            Silence::Alerted(at) => at.plus(close_ms),
        })
    }

    /// Whether nobody holds it and its customer may come back days later.
    pub(super) fn sleeps(&self) -> bool {
        self.phase == Phase::Parked && self.about().is_some_and(|about| about.asynchronous)
    }

    /// When somebody said something last.
    const fn silent_since(&self) -> Millis {
        match self.silence {
            Silence::Since(at) | Silence::Alerted(at) => at,
        }
    }

    /// Whether nothing was heard of the customer for the liveness deadline, nor since.
    #[must_use]
    pub fn is_customer_lost(&self) -> bool {
        !self.is_closed() && self.participants.customer().is_some_and(|customer| customer.lost)
    }

    /// A command that was carried out before.
    pub(super) fn executed(&self, command: Uuid) -> Option<Executed> {
        self.commands
            .iter()
            .find(|executed| executed.command == command)
            .copied()
    }

    /// Whether an agent is in it in any part, and sees this much.
    #[must_use]
    pub fn sight_of(&self, agent: &AgentId) -> Option<Visibility> {
        let participant = self.participants.of_agent(agent)?;
        Some(match participant.role {
            Role::Supervisor => Visibility::Supervisor,
            _ => Visibility::Agent,
        })
    }
}
