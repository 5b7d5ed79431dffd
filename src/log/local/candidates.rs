//! Who of a tenant may be brought together now, arranged so that a pair is found at the same cost however many wait or are ready:
//! sessions by what they wish, desks by what they can do, and both by the agent where a session is for one.
//!
//! Knows nothing of numbers and departures; [`super::tables`] says who is there.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::log::matching::{admits, agent_wished};
use crate::model::{AgentId, LogId, Media, Millis, ReadyDesk, WaitingSession};

/// A place in the order in which sessions are served.
pub(super) type Turn = (Reverse<u32>, Millis, LogId);
/// A place in the order in which desks are asked.
type Idle = (Millis, LogId);

pub(super) fn turn(session: &WaitingSession) -> Turn {
    (Reverse(session.priority), session.since, session.session)
}

/// What sessions have in common that the same desks admit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wish {
    queue: String,
    media: Media,
    skills: Vec<String>,
}

impl Wish {
    fn of(session: &WaitingSession) -> Self {
        Self {
            queue: session.queue.clone(),
            media: session.media,
            skills: sorted(&session.skills),
        }
    }

    /// The agent it is for, where it is for one.
    fn agent(&self) -> Option<&str> {
        agent_wished(&self.skills)
    }

    fn is_met_by(&self, class: &Class) -> bool {
        class.queues.contains(&self.queue) && self.skills.iter().all(|skill| class.skills.contains(skill))
    }
}

/// What desks have in common that admit the same sessions, as far as they have a place and the session is for no certain agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Class {
    queues: Vec<String>,
    skills: Vec<String>,
}

impl Class {
    fn of(desk: &ReadyDesk) -> Self {
        Self {
            queues: sorted(&desk.queues),
            skills: sorted(&desk.skills),
        }
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

/// Sessions and desks that nobody is named with yet.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    wishes: HashMap<Wish, BTreeSet<Turn>>,
    /// Those of them that are for one agent are here instead.
    personal: HashMap<String, HashMap<Wish, BTreeSet<Turn>>>,
    classes: HashMap<Class, HashMap<Media, BTreeSet<Idle>>>,
    desks: HashMap<AgentId, LogId>,
    held: HashMap<LogId, Millis>,
    /// The same by when they end.
    holds: BTreeSet<(Millis, LogId)>,
}

impl Candidates {
    pub(super) fn seek(&mut self, session: &WaitingSession) {
        let wish = Wish::of(session);
        let wishes = match wish.agent() {
            None => &mut self.wishes,
            Some(agent) => self.personal.entry(agent.to_owned()).or_default(),
        };
        wishes.entry(wish).or_default().insert(turn(session));
    }

    pub(super) fn unseek(&mut self, session: &WaitingSession) {
        let wish = Wish::of(session);
        let Some(agent) = wish.agent() else {
            remove(&mut self.wishes, &wish, session);
            return;
        };
        if let Some(wishes) = self.personal.get_mut(agent) {
            remove(wishes, &wish, session);
            if wishes.is_empty() {
                self.personal.remove(agent);
            }
        }
    }

    pub(super) fn enlist(&mut self, desk: &ReadyDesk) {
        self.desks.insert(desk.agent.clone(), desk.desk);
        for media in free(desk) {
            let alike = self.classes.entry(Class::of(desk)).or_default();
            alike
                .entry(media)
                .or_default()
                .insert((desk.idle_since, desk.desk));
        }
    }

    pub(super) fn delist(&mut self, desk: &ReadyDesk) {
        self.desks.remove(&desk.agent);
        let class = Class::of(desk);
        let Some(alike) = self.classes.get_mut(&class) else {
            return;
        };
        for media in free(desk) {
            if let Some(idle) = alike.get_mut(&media) {
                idle.remove(&(desk.idle_since, desk.desk));
            }
        }
        alike.retain(|_, idle| !idle.is_empty());
        if alike.is_empty() {
            self.classes.remove(&class);
        }
    }

    /// Holds one that was named; it is no candidate meanwhile.
    pub(super) fn hold(&mut self, log: LogId, until: Millis) {
        self.release(log);
        self.held.insert(log, until);
        self.holds.insert((until, log));
    }

    pub(super) fn is_held(&self, log: LogId) -> bool {
        self.held.contains_key(&log)
    }

    /// Ends a hold; `false`: there was none.
    pub(super) fn release(&mut self, log: LogId) -> bool {
        let until = self.held.remove(&log);
        until.is_some_and(|until| self.holds.remove(&(until, log)))
    }

    /// Ends one of the holds that have lasted too long, and says whose.
    pub(super) fn release_late(&mut self, now: Millis) -> Option<LogId> {
        let (until, log) = self.holds.first().copied()?;
        (until <= now && self.release(log)).then_some(log)
    }

    /// The first in turn who wishes the same as this one.
    pub(super) fn first_like(&self, session: &WaitingSession) -> Option<LogId> {
        let wish = Wish::of(session);
        let wishes = match wish.agent() {
            None => &self.wishes,
            Some(agent) => self.personal.get(agent)?,
        };
        let (.., first) = wishes.get(&wish)?.first()?;
        Some(*first)
    }

    /// The first in turn whom this desk admits.
    pub(super) fn first_for(
        &self,
        desk: &ReadyDesk,
        waiting: &HashMap<LogId, WaitingSession>,
    ) -> Option<LogId> {
        let personal = self.personal.get(desk.agent.as_str());
        let firsts = self
            .wishes
            .values()
            .chain(personal.into_iter().flat_map(HashMap::values));
        let firsts = firsts.filter_map(BTreeSet::first);
        let admitted = firsts.filter(|(.., first)| {
            let session = waiting.get(first);
            session.is_some_and(|session| admits(desk, session))
        });
        let (.., first) = admitted.min()?;
        Some(*first)
    }

    /// The first of each wish, in turn.
    pub(super) fn firsts(&self) -> Vec<LogId> {
        let personal = self.personal.values().flat_map(HashMap::values);
        let all = self.wishes.values().chain(personal);
        let mut firsts: Vec<&Turn> = all.filter_map(BTreeSet::first).collect();
        firsts.sort_unstable();
        firsts.into_iter().map(|(.., session)| *session).collect()
    }

    /// The desk to ask for a session, by the rule of [`best_pair`](crate::log::matching::best_pair).
    pub(super) fn desk_for(
        &self,
        session: &WaitingSession,
        ready: &HashMap<LogId, ReadyDesk>,
    ) -> Option<LogId> {
        let may_be_asked = |desk: &LogId| {
            let desk = ready.get(desk).filter(|desk| !self.is_held(desk.desk))?;
            admits(desk, session).then_some(desk)
        };
        if let Some(preferred) = session.prefer.filter(|desk| !session.avoid.contains(desk))
            && may_be_asked(&preferred).is_some()
        {
            return Some(preferred);
        }
        let wish = Wish::of(session);
        if let Some(agent) = wish.agent() {
            return self
                .desks
                .get(agent)
                .copied()
                .filter(|desk| may_be_asked(desk).is_some());
        }
        let classes = self.classes.iter().filter(|(class, _)| wish.is_met_by(class));
        let idlest = classes.filter_map(|(_, alike)| {
            let mut idle = alike.get(&session.media)?.iter();
            idle.find(|(_, desk)| !session.avoid.contains(desk))
        });
        if let Some((_, desk)) = idlest.min() {
            return Some(*desk);
        }
        let again = session.avoid.iter().filter_map(may_be_asked);
        again
            .min_by_key(|desk| (session.prefer != Some(desk.desk), desk.idle_since, desk.desk))
            .map(|desk| desk.desk)
    }
}

fn remove(wishes: &mut HashMap<Wish, BTreeSet<Turn>>, wish: &Wish, session: &WaitingSession) {
    if let Some(wishing) = wishes.get_mut(wish) {
        wishing.remove(&turn(session));
        if wishing.is_empty() {
            wishes.remove(wish);
        }
    }
}

/// The media that a desk has a place for.
fn free(desk: &ReadyDesk) -> impl Iterator<Item = Media> {
    let free = desk.free.iter().filter(|(_, places)| *places > 0);
    free.map(|(media, _)| *media)
}
