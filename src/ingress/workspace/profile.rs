//! What an agent is provisioned for, as the desk writes it down.

use crate::model::{AgentId, TenantId};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Agent, AgentRole, Queue};
use crate::session::{DeskProfile, Place};

/// The agent's profile now; `None`: not provisioned.
pub(super) fn of(snapshot: &Snapshot, tenant: TenantId, login: &AgentId) -> Option<DeskProfile> {
    let agent = &snapshot.agent(tenant, login)?.value;
    let mut capacity: Vec<_> = agent
        .capacity
        .iter()
        .map(|(media, places)| (*media, u16::from(*places)))
        .collect();
    capacity.sort_unstable_by_key(|(media, _)| *media);
    let mut queues = agent.queues.clone();
    if queues.is_empty() {
        // No list means every queue whose skills the agent has.
        let served = snapshot.all::<Queue>(tenant).map(|queue| &queue.value);
        queues = served
            .filter(|queue| queue.enabled && has_skills(agent, queue))
            .map(|queue| queue.name.clone())
            .collect();
        queues.sort_unstable();
    }
    Some(DeskProfile {
        name: display_name(agent),
        capacity,
        skills: agent.skills.keys().cloned().collect(),
        queues,
        supervisor: agent.is(AgentRole::Supervisor),
    })
}

/// What colleagues and customers read.
pub(super) fn display_name(agent: &Agent) -> String {
    let full = format!("{} {}", agent.first_name, agent.last_name);
    [agent.nickname.trim(), full.trim(), agent.login.as_str()]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// A queue to wait in; `None`: there is none of this name, or it takes nothing.
pub(super) fn place(snapshot: &Snapshot, tenant: TenantId, name: &str) -> Option<Place> {
    let queue = &snapshot.queue(tenant, name)?.value;
    queue.enabled.then(|| Place {
        queue: queue.name.clone(),
        priority: u32::try_from(queue.priority).unwrap_or(0),
        skills: queue.skills.keys().cloned().collect(),
        offer_ms: u64::from(queue.offer_timeout_sec) * 1_000,
    })
}

fn has_skills(agent: &Agent, queue: &Queue) -> bool {
    queue
        .skills
        .iter()
        .all(|(skill, least)| agent.skills.get(skill).is_some_and(|level| level >= least))
}
