//! What can happen at an agent's desk.

use serde::{Deserialize, Serialize};

use super::channel::Media;
use super::ids::{AgentId, LogId, OfferId, ParticipantId, TenantId};
use super::kinds::Kinds;
use super::session_event::OfferKind;
use super::time::Millis;

/// How long a lost agent keeps their sessions where the record does not say, milliseconds.
#[must_use]
pub const fn usual_grace_ms() -> u64 {
    60_000
}

/// One fact of a desk's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum DeskEvent {
    /// The desk exists.
    Opened {
        /// Whose contact centre.
        tenant: TenantId,
        /// Whose desk.
        agent: AgentId,
    },
    /// A socket of this login connected; it replaces every earlier one.
    Connected {
        /// Its number, one above the last.
        conn: u64,
    },
    /// What the agent is provisioned for, as of now.
    Profile {
        /// Display name.
        name: String,
        /// Places per medium.
        capacity: Vec<(Media, u16)>,
        /// Skills.
        skills: Vec<String>,
        /// Queues served.
        queues: Vec<String>,
        /// May monitor, coach and barge in.
        supervisor: bool,
        /// How long the agent keeps their sessions once lost, milliseconds.
        #[serde(default = "usual_grace_ms")]
        grace_ms: u64,
        /// Whether offers are taken without asking, until the agent says otherwise.
        #[serde(default)]
        auto_accept: bool,
    },
    /// The state of one medium changed.
    Channel {
        /// Which.
        media: Media,
        /// To what.
        state: ChannelState,
    },
    /// Offers are taken without asking, or no longer.
    AutoAccept {
        /// Whether.
        on: bool,
    },
    /// A place is held for an offer; the session is visible to the agent from here on.
    Reserved(Reservation),
    /// There was no place.
    Refused {
        /// For which session.
        session: LogId,
        /// For which attempt.
        offer: OfferId,
    },
    /// The place is taken: the agent accepted and is in the session.
    Taken {
        /// Which session.
        session: LogId,
        /// Which attempt.
        offer: OfferId,
        /// Who the agent is there.
        participant: ParticipantId,
    },
    /// The place is free again.
    Freed {
        /// Which session.
        session: LogId,
        /// Which attempt.
        offer: OfferId,
        /// Why.
        reason: FreedReason,
    },
    /// A supervisor watches a session without holding a place.
    Watching {
        /// Which session.
        session: LogId,
        /// Who the supervisor is there.
        participant: ParticipantId,
    },
    /// The supervisor no longer watches it.
    Unwatched {
        /// Which session.
        session: LogId,
    },
    /// The desk has not been heard of for its liveness deadline: no more offers.
    Lost,
    /// The agent was heard again within the grace.
    Returned,
    /// Sessions were asked what became of reservations past their deadline.
    Asked,
    /// The grace is over: the desk takes nothing until the agent says so again, and its sessions are offered to others.
    GaveUp,
    /// The state up to here, so that a rebuild can begin here. Body: the encoded state.
    Snapshot,
    /// The store lost records that had been acknowledged.
    Rollback {
        /// The last number that both histories share.
        after: u64,
    },
    /// Something of a newer release that may be passed over. Never written by this one.
    Passed,
}

impl Kinds for DeskEvent {
    const KINDS: &'static [&'static str] = &[
        "opened",
        "connected",
        "profile",
        "channel",
        "auto_accept",
        "reserved",
        "refused",
        "taken",
        "freed",
        "watching",
        "unwatched",
        "lost",
        "returned",
        "asked",
        "gave_up",
        "snapshot",
        "rollback",
        "passed",
    ];

    fn is_ignorable(&self) -> bool {
        matches!(self, Self::Passed)
    }

    fn passed() -> Self {
        Self::Passed
    }
}

/// A place held for an offer until its deadline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// For which session.
    pub session: LogId,
    /// For which attempt.
    pub offer: OfferId,
    /// Which medium's place.
    pub media: Media,
    /// What for.
    pub kind: OfferKind,
    /// Past it the desk asks the session before it frees the place.
    pub deadline: Millis,
}

/// The state of one medium at a desk; names as in the published agent vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ChannelState {
    /// Takes offers.
    Ready,
    /// Takes none.
    NotReady {
        /// The agent's reason, where one was given.
        reason: Option<String>,
    },
    /// Finishing the last session.
    AfterCallWork,
    /// Not working on this medium.
    LoggedOut,
}

/// Why a place became free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreedReason {
    /// The agent said no.
    Rejected,
    /// The agent said nothing in time.
    TimedOut,
    /// The offer was taken back.
    Withdrawn,
    /// The agent left the session or gave it away.
    Left,
    /// The session ended.
    Closed,
    /// The agent was lost.
    Lost,
}
