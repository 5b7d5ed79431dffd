//! Which waiting session and which ready desk belong together.
//!
//! The rule every store implements, and the reference the conformance suite compares with. The tables are hints: the
//! logs decide, and a pair that turns out stale costs one refused append.
//!
//! A pair that was named is *held*: until the session or the desk writes again, or for [`HOLD_MS`], nobody else is named with either.
//! So that many pairs come together at once, and not one after the other, each write names one among those it may have made
//! possible: of a session that begins to wait, the first in turn who wishes the same; of a desk, the first in turn whom it admits. What
//! is left over (its node died, its hold ended) is found by the sweep.
//!
//! A session for which a desk is being asked keeps its turn until an agent is in, and is held until the desk must have answered: those
//! behind it are told where they stand, and that never rises again when the answer is no.

use crate::model::{AgentId, LogId, Media, ReadyDesk, WaitingSession};

/// What the skill of one agent begins with; the login follows. Every desk has its own without listing it.
const AGENT: &str = "agent=";

/// How long a pair is held whose session and desk say nothing.
pub const HOLD_MS: u64 = 2_000;

/// A session and the desk to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Who waits.
    pub session: LogId,
    /// Whom to ask.
    pub desk: LogId,
    /// Whose desk it is.
    pub agent: AgentId,
}

/// What a write to the matching tables returns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MatchAnswer {
    /// The pair to bring together now, which is held for whoever is told of it.
    pub pair: Option<Pair>,
}

/// Where a session stands in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRank {
    /// 1 for the next to be served.
    pub position: u64,
    /// Mean time between assignments in the last 15 minutes; `None` below 5 samples.
    pub mean_interval_ms: Option<u64>,
}

/// The skill that only this agent has. No other is named so: a skill of people ends in a level.
#[must_use]
pub fn own_skill(login: &str) -> String {
    format!("{AGENT}{login}")
}

/// The agent that a session with these skills is for, where it is for one.
#[must_use]
pub(super) fn agent_wished(skills: &[String]) -> Option<&str> {
    skills.iter().find_map(|skill| skill.strip_prefix(AGENT))
}

/// Whether a desk may be asked for a session: a free place of its medium, its queue, all its skills.
#[must_use]
pub fn admits(desk: &ReadyDesk, session: &WaitingSession) -> bool {
    let has = |skill: &String| {
        skill.strip_prefix(AGENT).map_or_else(
            || desk.skills.contains(skill),
            |agent| agent == desk.agent.as_str(),
        )
    };
    free_places(desk, session.media) > 0
        && desk.queues.contains(&session.queue)
        && session.skills.iter().all(has)
}

/// The best pair of these: the first session in order of (priority down, since up, id) for which no desk is being asked and that any
/// desk admits; for it the preferred desk, else the desk that has not said no and is idle longest (ties by id), else one that has said
/// no.
///
/// A desk that said no to a session is asked again only while no other admits it, so that a lone agent who let an offer lapse
/// and is ready again still gets it.
#[must_use]
pub fn best_pair<'a>(
    waiting: impl IntoIterator<Item = &'a WaitingSession>,
    desks: &[&'a ReadyDesk],
) -> Option<Pair> {
    let mut order: Vec<&WaitingSession> = waiting
        .into_iter()
        .filter(|session| session.asked_until.is_none())
        .collect();
    order.sort_by_key(|session| {
        (
            std::cmp::Reverse(session.priority),
            session.since,
            session.session,
        )
    });
    order.into_iter().find_map(|session| {
        let desk = desks
            .iter()
            .filter(|desk| admits(desk, session))
            .min_by_key(|desk| {
                let preferred = session.prefer == Some(desk.desk);
                (
                    session.avoid.contains(&desk.desk),
                    !preferred,
                    desk.idle_since,
                    desk.desk,
                )
            })?;
        Some(Pair {
            session: session.session,
            desk: desk.desk,
            agent: desk.agent.clone(),
        })
    })
}

fn free_places(desk: &ReadyDesk, media: Media) -> u16 {
    desk.free
        .iter()
        .find(|(free, _)| *free == media)
        .map_or(0, |(_, places)| *places)
}
