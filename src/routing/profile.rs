//! From provisioning to what routing compares: an agent's abilities and a session's needs.

use std::time::Duration;

use crate::model::{AgentId, TenantId};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Agent, AgentRole, Queue};
use crate::session::{DeskProfile, Place};

/// The profile of an agent who may work now; `None` for one who is unknown or disabled.
#[must_use]
pub fn desk_profile(snapshot: &Snapshot, tenant: TenantId, login: &AgentId) -> Option<DeskProfile> {
    let agent = &snapshot.agent(tenant, login)?.value;
    let grace = snapshot.tenant(tenant)?.agent_grace_sec;
    agent.enabled.then(|| DeskProfile {
        name: display_name(agent),
        capacity: agent
            .capacity
            .iter()
            .map(|(media, places)| (*media, u16::from(*places)))
            .collect(),
        skills: abilities(agent),
        queues: queues_of(snapshot, tenant, agent),
        supervisor: agent.is(AgentRole::Supervisor),
        grace_ms: settled(grace, snapshot.usual().agent_grace),
        auto_accept: agent.auto_accept,
    })
}

/// Where a session of this queue waits; `None` for a queue that is unknown or takes no sessions.
#[must_use]
pub fn place(snapshot: &Snapshot, tenant: TenantId, queue: &str) -> Option<Place> {
    let queue = &snapshot.queue(tenant, queue)?.value;
    queue.enabled.then(|| Place {
        queue: queue.name.clone(),
        priority: priority(queue.priority),
        skills: needs(queue),
        offer_ms: settled(queue.offer_timeout_sec, snapshot.usual().offer_timeout),
    })
}

/// A priority as the matching tables know it. Those that people give may be negative; the tables count from zero.
#[must_use]
pub fn priority(given: i32) -> u32 {
    given.saturating_add(1 << 16).max(0).unsigned_abs()
}

/// How long a customer of this queue is remembered with the agent they had, milliseconds.
#[must_use]
pub fn last_agent_ms(snapshot: &Snapshot, tenant: TenantId, queue: &str) -> u64 {
    let own = snapshot
        .queue(tenant, queue)
        .and_then(|queue| queue.value.last_agent_sec);
    settled(own, snapshot.usual().last_agent)
}

/// What provisioning settled in seconds, else what is usual; in milliseconds.
fn settled(seconds: Option<u32>, usual: Duration) -> u64 {
    let own = seconds.map(|seconds| u64::from(seconds) * 1_000);
    own.unwrap_or_else(|| u64::try_from(usual.as_millis()).unwrap_or(u64::MAX))
}

/// What customers and colleagues read.
#[must_use]
pub fn display_name(agent: &Agent) -> String {
    let full = format!("{} {}", agent.first_name, agent.last_name);
    [agent.nickname.trim(), full.trim(), agent.login.as_str()]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// A skill at level 3 is three abilities, so that "at least" becomes "has".
fn abilities(agent: &Agent) -> Vec<String> {
    let levels = agent
        .skills
        .iter()
        .flat_map(|(skill, level)| (1..=*level).map(move |level| ability(skill, level)));
    let groups = agent.groups.iter().map(|group| group_ability(group));
    levels.chain(groups).collect()
}

/// Only the agents of this group have it.
pub(super) fn group_ability(group: &str) -> String {
    format!("group={group}")
}

fn needs(queue: &Queue) -> Vec<String> {
    queue
        .skills
        .iter()
        .map(|(skill, level)| ability(skill, *level))
        .collect()
}

pub(super) fn ability(skill: &str, level: u8) -> String {
    format!("{skill}:{level}")
}

/// The queues an agent names, or every queue whose skills they have.
pub(super) fn queues_of(snapshot: &Snapshot, tenant: TenantId, agent: &Agent) -> Vec<String> {
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
