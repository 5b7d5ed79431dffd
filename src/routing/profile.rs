//! From provisioning to what routing compares: an agent's abilities and a session's needs.

use crate::model::{AgentId, Media, TenantId};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Agent, AgentRole, Queue};

/// What an agent is provisioned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkProfile {
    /// What customers see.
    pub name: String,
    /// Places per medium.
    pub capacity: Vec<(Media, u16)>,
    /// Abilities, as [`placement`] names needs.
    pub skills: Vec<String>,
    /// Queues served.
    pub queues: Vec<String>,
    /// May monitor, coach and barge in.
    pub supervisor: bool,
    /// Offers are accepted for them.
    pub auto_accept: bool,
}

/// Where a session waits and what its agent must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The queue.
    pub queue: String,
    /// Larger is served first.
    pub priority: u32,
    /// Abilities its agent must have.
    pub skills: Vec<String>,
    /// How long an agent has to accept, milliseconds.
    pub offer_ms: u64,
}

/// The profile of an agent who may work now; `None` for one who is unknown or disabled.
#[must_use]
pub fn work_profile(snapshot: &Snapshot, tenant: TenantId, login: &AgentId) -> Option<WorkProfile> {
    let agent = &snapshot.agent(tenant, login)?.value;
    if !agent.enabled {
        return None;
    }
    Some(WorkProfile {
        name: display_name(agent),
        capacity: agent
            .capacity
            .iter()
            .map(|(media, places)| (*media, u16::from(*places)))
            .collect(),
        skills: abilities(agent),
        queues: queues(snapshot, tenant, agent),
        supervisor: agent.is(AgentRole::Supervisor),
        auto_accept: agent.auto_accept,
    })
}

/// Where a session of this queue waits; `None` for a queue that is unknown or takes no sessions.
#[must_use]
pub fn placement(snapshot: &Snapshot, tenant: TenantId, queue: &str) -> Option<Placement> {
    let queue = &snapshot.queue(tenant, queue)?.value;
    queue.enabled.then(|| Placement {
        queue: queue.name.clone(),
        // Provisioned priorities may be negative; the tables count from zero.
        priority: queue.priority.saturating_add(1 << 16).max(0).unsigned_abs(),
        skills: needs(queue),
        offer_ms: u64::from(queue.offer_timeout_sec) * 1_000,
    })
}

fn display_name(agent: &Agent) -> String {
    if agent.nickname.is_empty() {
        agent.login.clone()
    } else {
        agent.nickname.clone()
    }
}

/// A skill at level 3 is three abilities, so that "at least" becomes "has".
fn abilities(agent: &Agent) -> Vec<String> {
    let levels = agent
        .skills
        .iter()
        .flat_map(|(skill, level)| (1..=*level).map(move |level| ability(skill, level)));
    levels.collect()
}

fn needs(queue: &Queue) -> Vec<String> {
    queue
        .skills
        .iter()
        .map(|(skill, level)| ability(skill, *level))
        .collect()
}

fn ability(skill: &str, level: u8) -> String {
    format!("{skill}:{level}")
}

/// The queues an agent names, or every queue whose skills they have.
fn queues(snapshot: &Snapshot, tenant: TenantId, agent: &Agent) -> Vec<String> {
    if !agent.queues.is_empty() {
        return agent.queues.clone();
    }
    let able = |queue: &Queue| {
        queue
            .skills
            .iter()
            .all(|(skill, level)| agent.skills.get(skill).is_some_and(|has| has >= level))
    };
    let all = snapshot.all::<Queue>(tenant).map(|stored| &stored.value);
    all.filter(|queue| queue.enabled && able(queue))
        .map(|queue| queue.name.clone())
        .collect()
}
