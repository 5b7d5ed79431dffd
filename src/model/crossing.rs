//! What one log says to another (DESIGN 3.6): sent as an effect, at least once; the receiver's state makes a repeat harmless.

use serde::{Deserialize, Serialize};

use super::channel::Media;
use super::desk_event::{FreedReason, Reservation};
use super::ids::{AgentId, LogId, OfferId, ParticipantId, TenantId};

/// A message between a session and a desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "x", rename_all = "snake_case")]
pub enum Crossing {
    /// Session to desk: hold a place.
    Reserve {
        /// Whose contact centre.
        tenant: TenantId,
        /// Whose desk.
        agent: AgentId,
        /// What for.
        reservation: Reservation,
    },
    /// Desk to session: the place is held; with `auto` the agent takes it unasked.
    Reserved {
        /// Which attempt.
        offer: OfferId,
        /// The agent's display name.
        name: String,
        /// The desk accepts by itself.
        auto: bool,
    },
    /// Desk to session: no place.
    Refused {
        /// Which attempt.
        offer: OfferId,
    },
    /// Session to desk: the agent is in.
    Taken {
        /// Which session.
        session: LogId,
        /// Which attempt.
        offer: OfferId,
        /// Who the agent is there.
        participant: ParticipantId,
    },
    /// Session to desk: the place may be freed.
    Free {
        /// Which session.
        session: LogId,
        /// Which attempt.
        offer: OfferId,
        /// Why.
        reason: FreedReason,
    },
    /// Desk to session: a reservation is past its deadline, or a holder past its grace. What is true?
    Ask {
        /// Which attempt.
        offer: OfferId,
        /// Which medium it holds.
        media: Media,
        /// The desk that asks.
        desk: LogId,
    },
    /// Desk to session: the agent was lost for longer than the grace.
    AgentLost {
        /// The desk.
        desk: LogId,
        /// Who the agent was there.
        participant: ParticipantId,
    },
    /// Session to desk: the supervisor is in.
    Watching {
        /// Which session.
        session: LogId,
        /// Who the supervisor is there.
        participant: ParticipantId,
    },
    /// Session to desk: the supervisor is out.
    Unwatched {
        /// Which session.
        session: LogId,
    },
}
