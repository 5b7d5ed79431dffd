//! The state of a desk: a function of its records.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{
    AgentId, ChannelState, LogId, Media, Millis, OfferId, ParticipantId, ReadyDesk, TenantId,
};

use super::input::DeskProfile;

/// How long after a reservation's deadline the desk asks the session again.
pub(super) const ASK_AGAIN_MS: u64 = 5_000;
/// Executed commands remembered.
pub(super) const COMMANDS_MAX: usize = 256;
/// How long an agent who rejected an offer is left in peace, so that a session nobody else may take does not come straight back.
pub(super) const REST_MS: u64 = 5_000;
/// So many unanswered questions about a reservation mean that there is no such session any more.
pub(super) const ASKS_MAX: u8 = 24;

/// A desk up to some record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    pub(super) owner: Option<(TenantId, AgentId)>,
    pub(super) conn: u64,
    pub(super) profile: DeskProfile,
    pub(super) channels: Vec<(Media, ChannelState)>,
    pub(super) auto_accept: bool,
    pub(super) places: Vec<Place>,
    pub(super) watching: Vec<(LogId, ParticipantId)>,
    /// Since when nothing was heard of the agent.
    pub(super) lost: Option<Millis>,
    /// Since when the agent has had no new session.
    pub(super) idle_since: Millis,
    /// Media that take no offers from routing until then: the agent has just said no.
    pub(super) resting: Vec<(Media, Millis)>,
    /// Oldest first.
    pub(super) commands: Arc<[Executed]>,
}

/// A command that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Executed {
    pub(super) command: Uuid,
    /// Number of its first record.
    pub(super) n: u64,
}

/// One place of the desk's capacity in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// By which session.
    pub session: LogId,
    /// By which attempt.
    pub offer: OfferId,
    /// Of which medium.
    pub media: Media,
    /// Held or taken.
    pub stage: Stage,
}

/// How a place is in use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// Held for an offer.
    Reserved {
        /// When the session is asked what became of it.
        ask_at: Millis,
        /// How often it has been asked.
        asks: u8,
    },
    /// The agent is in the session.
    Taken {
        /// As whom.
        participant: ParticipantId,
    },
}

impl Desk {
    /// Whose it is.
    #[must_use]
    pub const fn owner(&self) -> Option<&(TenantId, AgentId)> {
        self.owner.as_ref()
    }

    /// The number of the newest socket.
    #[must_use]
    pub const fn conn(&self) -> u64 {
        self.conn
    }

    /// What the agent is provisioned for.
    #[must_use]
    pub const fn profile(&self) -> &DeskProfile {
        &self.profile
    }

    /// The state of each medium the agent is provisioned for.
    pub fn channels(&self) -> impl Iterator<Item = (Media, &ChannelState)> {
        self.channels.iter().map(|(media, state)| (*media, state))
    }

    /// Whether offers are taken without asking.
    #[must_use]
    pub const fn auto_accept(&self) -> bool {
        self.auto_accept
    }

    /// The places in use.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The sessions a supervisor watches.
    #[must_use]
    pub fn watching(&self) -> &[(LogId, ParticipantId)] {
        &self.watching
    }

    /// Every session this desk may see now.
    pub fn sessions(&self) -> impl Iterator<Item = LogId> {
        self.places
            .iter()
            .map(|place| place.session)
            .chain(self.watching.iter().map(|(session, _)| *session))
    }

    /// Whether nothing was heard of the agent for the liveness deadline.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Places of a medium that are not in use.
    #[must_use]
    pub fn free(&self, media: Media) -> u16 {
        let capacity = self
            .profile
            .capacity
            .iter()
            .find(|(of, _)| *of == media)
            .map_or(0, |(_, places)| *places);
        let used = self.places.iter().filter(|place| place.media == media).count();
        capacity.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX))
    }

    /// Whether a medium takes offers.
    #[must_use]
    pub fn is_ready(&self, media: Media) -> bool {
        self.channels
            .iter()
            .any(|(of, state)| *of == media && *state == ChannelState::Ready)
    }

    /// How the desk stands in the matching tables; `None` while it takes nothing.
    pub(super) fn in_tables(&self) -> Option<ReadyDesk> {
        if self.lost.is_some() {
            return None;
        }
        let (_, agent) = self.owner.as_ref()?;
        let ready = self
            .channels
            .iter()
            .filter(|(media, state)| *state == ChannelState::Ready && !self.is_resting(*media));
        let free: Vec<(Media, u16)> = ready.map(|(media, _)| (*media, self.free(*media))).collect();
        free.iter().any(|(_, places)| *places > 0).then(|| ReadyDesk {
            desk: LogId::from_bytes([0; 16]),
            n: 0,
            agent: agent.clone(),
            queues: self.profile.queues.clone(),
            skills: self.profile.skills.clone(),
            free,
            idle_since: self.idle_since,
        })
    }

    /// When the oldest reservation must be asked about.
    pub(super) fn reservation_due(&self) -> Option<Millis> {
        let due = self.places.iter().filter_map(|place| match place.stage {
            Stage::Reserved { ask_at, .. } => Some(ask_at),
            Stage::Taken { .. } => None,
        });
        due.min()
    }

    /// When the grace of a lost agent ends. A desk that holds nothing and takes nothing has nothing to give up; a reservation
    /// is the session's to decide.
    pub(super) fn grace_due(&self) -> Option<Millis> {
        let taken = |place: &Place| matches!(place.stage, Stage::Taken { .. });
        let takes = |(_, state): &(Media, ChannelState)| *state == ChannelState::Ready;
        let holds =
            self.places.iter().any(taken) || !self.watching.is_empty() || self.channels.iter().any(takes);
        self.lost
            .filter(|_| holds)
            .map(|lost| lost.plus(self.profile.grace_ms))
    }

    /// Whether the agent has just said no to an offer of this medium.
    pub(super) fn is_resting(&self, media: Media) -> bool {
        self.resting.iter().any(|(of, _)| *of == media)
    }

    /// When the first medium has rested.
    pub(super) fn rest_due(&self) -> Option<Millis> {
        self.resting.iter().map(|(_, until)| *until).min()
    }

    /// A command that was carried out before.
    pub(super) fn executed(&self, command: Uuid) -> Option<Executed> {
        self.commands
            .iter()
            .find(|executed| executed.command == command)
            .copied()
    }
}
