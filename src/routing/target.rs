//! From what a strategy names to where a session waits.

use crate::log::own_skill;
use crate::model::{LogId, TenantId};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::Agent;
use crate::session::Place;

use super::profile::{ability, group_ability, place, queues_of};

/// Whom a strategy wants a session to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteTarget<'a> {
    /// Whoever serves this queue.
    Queue(&'a str),
    /// This agent and nobody else, by login.
    Agent(&'a str),
    /// Somebody of this group.
    Group(&'a str),
    /// Somebody who has this skill: `name`, or `name:level` for at least that level.
    Skill(&'a str),
}

/// Whether an agent is among those meant.
type Meant<'a> = Box<dyn Fn(&Agent) -> bool + 'a>;

/// Where the session waits, and the desk preferred while ready. Agents serve queues: a session that is for an agent, a
/// group or a skill waits in `home` if one of those meant serves it, else in the first queue that one of them serves.
/// `None` where nobody provisioned and enabled is meant.
#[must_use]
pub fn route(
    snapshot: &Snapshot,
    tenant: TenantId,
    target: RouteTarget<'_>,
    home: Option<&str>,
) -> Option<(Place, Option<LogId>)> {
    let (needs, meant): (String, Meant<'_>) = match target {
        RouteTarget::Queue(queue) => return Some((place(snapshot, tenant, queue)?, None)),
        RouteTarget::Agent(login) => (own_skill(login), Box::new(move |agent| agent.login == login)),
        RouteTarget::Group(group) => (
            group_ability(group),
            Box::new(move |agent| agent.groups.iter().any(|of| of == group)),
        ),
        RouteTarget::Skill(skill) => {
            let (name, level) = match skill.rsplit_once(':') {
                Some((name, level)) => (name, level.parse().ok().filter(|level| (1..=10).contains(level))?),
                None => (skill, 1),
            };
            let able = move |agent: &Agent| agent.skills.get(name).is_some_and(|has| *has >= level);
            (ability(name, level), Box::new(able))
        }
    };
    let mut queues: Vec<String> = snapshot
        .all::<Agent>(tenant)
        .filter(|agent| agent.value.enabled && meant(&agent.value))
        .flat_map(|agent| queues_of(snapshot, tenant, &agent.value))
        .collect();
    queues.sort_unstable();
    let queue = match home {
        Some(home) if queues.iter().any(|queue| queue == home) => home,
        _ => queues.first()?,
    };
    let mut place = place(snapshot, tenant, queue)?;
    place.skills = vec![needs];
    let prefer = match target {
        RouteTarget::Agent(login) => Some(LogId::desk(tenant, &login.parse().ok()?)),
        _ => None,
    };
    Some((place, prefer))
}
