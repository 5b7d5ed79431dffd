//! Everybody who ever took part in a session.

use serde::{Deserialize, Serialize};

use crate::model::{AgentId, ParticipantId, Role, SupervisionMode, TransportId, Visibility};

/// Stays remembered; beyond it the oldest that is over is forgotten, and what was said in it has no author any more.
const STAYS_MAX: usize = 128;

/// One stay of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Their id.
    pub id: ParticipantId,
    /// Their part.
    pub role: Role,
    /// The agent behind it.
    pub agent: Option<AgentId>,
    /// The customer's browser.
    pub transport: Option<TransportId>,
    /// Their name.
    pub nickname: String,
    /// Who is told of them.
    pub visibility: Visibility,
    /// How a supervisor takes part.
    pub mode: Option<SupervisionMode>,
    /// Whether they are in the session now.
    pub present: bool,
    /// Whether nothing was heard of them for their liveness deadline.
    pub lost: bool,
    /// Number of the record with which they left before the end; `None` while they are here, and for who stayed to the end.
    #[serde(default)]
    pub left: Option<u64>,
}

/// Everybody, in the order they joined. Those who left stay, so that what they said keeps its author.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Participants(Vec<Participant>);

impl Participants {
    /// Somebody by id.
    #[must_use]
    pub fn get(&self, id: ParticipantId) -> Option<&Participant> {
        self.0.iter().find(|participant| participant.id == id)
    }

    /// Everybody.
    pub fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.0.iter()
    }

    /// The customer.
    #[must_use]
    pub fn customer(&self) -> Option<&Participant> {
        self.0
            .iter()
            .find(|participant| participant.role == Role::Customer)
    }

    /// The present stay of an agent, whatever their part.
    #[must_use]
    pub fn of_agent(&self, agent: &AgentId) -> Option<&Participant> {
        self.0
            .iter()
            .rev()
            .find(|participant| participant.present && participant.agent.as_ref() == Some(agent))
    }

    /// Agents who hold the session now; advisers and supervisors do not.
    pub fn holders(&self) -> impl Iterator<Item = &Participant> {
        self.0.iter().filter(|participant| {
            participant.present
                && participant.role == Role::Agent
                && participant.visibility == Visibility::All
        })
    }

    pub(super) fn add(&mut self, participant: Participant) {
        if self.0.len() >= STAYS_MAX {
            let gone = self
                .0
                .iter()
                .position(|known| !known.present && known.role != Role::Customer);
            self.0.remove(gone.unwrap_or_default());
        }
        // Two or three, mostly: no room for more.
        self.0.reserve_exact(1);
        self.0.push(participant);
    }

    pub(super) fn change(&mut self, id: ParticipantId, change: impl FnOnce(&mut Participant)) {
        if let Some(participant) = self.0.iter_mut().find(|participant| participant.id == id) {
            change(participant);
        }
    }
}
