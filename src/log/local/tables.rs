//! The matching tables of all tenants, in memory: who waits, who is ready, who has departed, and where each stands.

use std::collections::{HashMap, VecDeque};

use crate::log::matching::{HOLD_MS, MatchAnswer, Pair, QueueRank};
use crate::model::{LogId, MatchOp, Millis, ReadyDesk, TenantId, WaitingSession};

use super::candidates::{Candidates, Turn, turn};

/// Assignments this far back count for the estimated wait.
const SAMPLE_WINDOW_MS: u64 = 15 * 60_000;
/// Fewer say nothing.
const MIN_SAMPLES: usize = 5;
/// More than this many assignments of one queue within the window change the mean no longer.
const MAX_SAMPLES: usize = 1_024;
/// How long a departed session or desk is remembered, so that a write delayed on its way does not bring it back.
pub(crate) const DEPARTED_MS: u64 = 3_600_000;

/// Waiting sessions and ready desks by tenant.
#[derive(Debug, Default)]
pub(crate) struct MatchTables {
    tenants: HashMap<TenantId, Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    waiting: HashMap<LogId, WaitingSession>,
    /// By queue, in turn, so that a rank is a search: sessions come at the end and leave near the front.
    queues: HashMap<String, VecDeque<Turn>>,
    ready: HashMap<LogId, ReadyDesk>,
    candidates: Candidates,
    departed: HashMap<LogId, (u64, Millis)>,
    departures: VecDeque<(Millis, LogId)>,
    assigned: HashMap<String, VecDeque<Millis>>,
}

impl MatchTables {
    /// Writes, unless something newer is there; says whether it wrote.
    pub(crate) fn write(&mut self, tenant: TenantId, op: MatchOp, now: Millis) -> bool {
        self.tenants.entry(tenant).or_default().write(op, now)
    }

    /// Remembers one that departed before a restart.
    pub(crate) fn restore_departed(&mut self, tenant: TenantId, log: LogId, n: u64, at: Millis) {
        self.tenants.entry(tenant).or_default().depart(log, n, at);
    }

    /// Writes, and holds a pair that this made possible; also says whether it wrote.
    pub(crate) fn write_and_pair(
        &mut self,
        tenant: TenantId,
        op: &MatchOp,
        now: Millis,
    ) -> (bool, MatchAnswer) {
        let tables = self.tenants.entry(tenant).or_default();
        let wrote = tables.write(op.clone(), now);
        let names = wrote || matches!(op, MatchOp::Release { .. });
        let answer = names.then(|| tables.pair_after(op, now));
        (wrote, answer.unwrap_or_default())
    }

    /// Holds the best pair of the whole tenant.
    pub(crate) fn hold_best(&mut self, tenant: TenantId, now: Millis) -> MatchAnswer {
        let tables = self.tenants.get_mut(&tenant);
        tables.map(|tables| tables.hold_best(now)).unwrap_or_default()
    }

    pub(crate) fn rank(
        &self,
        tenant: TenantId,
        queue: &str,
        session: LogId,
        now: Millis,
    ) -> Option<QueueRank> {
        self.tenants.get(&tenant)?.rank(queue, session, now)
    }
}

impl Tables {
    fn write(&mut self, op: MatchOp, now: Millis) -> bool {
        self.forget_departed(now);
        self.end_late_holds(now);
        let (log, n) = match &op {
            MatchOp::Wait(session) => (session.session, session.n),
            MatchOp::Unwait { session, n, .. } => (*session, *n),
            MatchOp::Ready(desk) => (desk.desk, desk.n),
            MatchOp::Unready { desk, n } => (*desk, *n),
            MatchOp::Release { desk } => {
                if self.candidates.release(*desk) {
                    self.come_back(*desk);
                }
                return false;
            }
        };
        if !self.is_news(log, n) {
            return false;
        }
        match op {
            MatchOp::Wait(session) => {
                self.remove_waiting(log);
                self.departed.remove(&log);
                self.line_up(&session);
                self.waiting.insert(log, session);
            }
            MatchOp::Unwait { assigned, .. } => {
                if let Some(was) = self.remove_waiting(log)
                    && assigned
                {
                    self.sample(was.queue, now);
                }
                self.depart(log, n, now);
            }
            MatchOp::Ready(desk) => {
                self.remove_ready(log);
                self.departed.remove(&log);
                self.candidates.enlist(&desk);
                self.ready.insert(log, desk);
            }
            MatchOp::Unready { .. } => {
                self.remove_ready(log);
                self.depart(log, n, now);
            }
            MatchOp::Release { .. } => {}
        }
        true
    }

    fn remove_ready(&mut self, desk: LogId) {
        if let Some(was) = self.ready.remove(&desk)
            && !self.candidates.release(desk)
        {
            self.candidates.delist(&was);
        }
    }

    /// A repeat of what is known is news too: writing it again changes nothing.
    fn is_news(&self, log: LogId, n: u64) -> bool {
        let known = [
            self.waiting.get(&log).map(|session| session.n),
            self.ready.get(&log).map(|desk| desk.n),
            self.departed.get(&log).map(|(n, _)| *n),
        ];
        known.into_iter().flatten().all(|known| n >= known)
    }

    fn remove_waiting(&mut self, session: LogId) -> Option<WaitingSession> {
        let was = self.waiting.remove(&session)?;
        if !self.candidates.release(session) {
            self.candidates.unseek(&was);
        }
        let turn = turn(&was);
        if let Some(queue) = self.queues.get_mut(&was.queue) {
            if let Ok(place) = queue.binary_search(&turn) {
                queue.remove(place);
            }
            if queue.is_empty() {
                self.queues.remove(&was.queue);
            }
        }
        Some(was)
    }

    fn line_up(&mut self, session: &WaitingSession) {
        match session.asked_until {
            Some(until) => self.candidates.hold(session.session, until.plus(HOLD_MS)),
            None => self.candidates.seek(session),
        }
        let turn = turn(session);
        let queue = self.queues.entry(session.queue.clone()).or_default();
        if let Err(place) = queue.binary_search(&turn) {
            queue.insert(place, turn);
        }
    }

    fn depart(&mut self, log: LogId, n: u64, now: Millis) {
        self.departed.insert(log, (n, now));
        self.departures.push_back((now, log));
    }

    fn forget_departed(&mut self, now: Millis) {
        while let Some((at, log)) = self.departures.front().copied()
            && now.since(at) > DEPARTED_MS
        {
            self.departures.pop_front();
            // It may have come back and left again since.
            if self.departed.get(&log).is_some_and(|(_, last)| *last == at) {
                self.departed.remove(&log);
            }
        }
    }

    fn sample(&mut self, queue: String, now: Millis) {
        let samples = self.assigned.entry(queue).or_default();
        samples.push_back(now);
        while samples.len() > MAX_SAMPLES
            || samples
                .front()
                .is_some_and(|first| now.since(*first) > SAMPLE_WINDOW_MS)
        {
            samples.pop_front();
        }
    }

    /// Holds a pair that a write may have made possible.
    fn pair_after(&mut self, op: &MatchOp, now: Millis) -> MatchAnswer {
        let session = match op {
            MatchOp::Wait(WaitingSession {
                asked_until: Some(_), ..
            }) => None,
            MatchOp::Wait(session) => {
                let waits = self.waiting.get(&session.session);
                waits.and_then(|session| self.candidates.first_like(session))
            }
            MatchOp::Ready(ReadyDesk { desk, .. }) | MatchOp::Release { desk } => {
                let desk = self
                    .ready
                    .get(desk)
                    .filter(|desk| !self.candidates.is_held(desk.desk));
                desk.and_then(|desk| self.candidates.first_for(desk, &self.waiting))
            }
            MatchOp::Unwait { .. } | MatchOp::Unready { .. } => None,
        };
        let pair = session.and_then(|session| self.pair_of(session));
        self.hold(pair, now)
    }

    fn hold_best(&mut self, now: Millis) -> MatchAnswer {
        self.end_late_holds(now);
        let firsts = self.candidates.firsts();
        let pair = firsts.into_iter().find_map(|session| self.pair_of(session));
        self.hold(pair, now)
    }

    fn pair_of(&self, session: LogId) -> Option<Pair> {
        let session = self.waiting.get(&session)?;
        let desk = self.ready.get(&self.candidates.desk_for(session, &self.ready)?)?;
        Some(Pair {
            session: session.session,
            desk: desk.desk,
            agent: desk.agent.clone(),
        })
    }

    fn hold(&mut self, pair: Option<Pair>, now: Millis) -> MatchAnswer {
        if let Some(Pair { session, desk, .. }) = &pair {
            if let Some(session) = self.waiting.get(session) {
                self.candidates.unseek(session);
            }
            if let Some(desk) = self.ready.get(desk) {
                self.candidates.delist(desk);
            }
            for log in [*session, *desk] {
                self.candidates.hold(log, now.plus(HOLD_MS));
            }
        }
        MatchAnswer { pair }
    }

    fn end_late_holds(&mut self, now: Millis) {
        while let Some(log) = self.candidates.release_late(now) {
            self.come_back(log);
        }
    }

    /// One that was held is a candidate again.
    fn come_back(&mut self, log: LogId) {
        if let Some(session) = self.waiting.get(&log) {
            self.candidates.seek(session);
        }
        if let Some(desk) = self.ready.get(&log) {
            self.candidates.enlist(desk);
        }
    }

    fn rank(&self, queue: &str, session: LogId, now: Millis) -> Option<QueueRank> {
        let own = self
            .waiting
            .get(&session)
            .filter(|session| session.queue == queue)
            .map(turn)?;
        let ahead = self.queues.get(queue)?.binary_search(&own).ok()?;
        Some(QueueRank {
            position: u64::try_from(ahead).map_or(u64::MAX, |ahead| ahead.saturating_add(1)),
            mean_interval_ms: self.mean_interval(queue, now),
        })
    }

    fn mean_interval(&self, queue: &str, now: Millis) -> Option<u64> {
        let samples: Vec<Millis> = self
            .assigned
            .get(queue)?
            .iter()
            .copied()
            .filter(|at| now.since(*at) <= SAMPLE_WINDOW_MS)
            .collect();
        let (first, last) = (samples.first()?, samples.last()?);
        if samples.len() < MIN_SAMPLES {
            return None;
        }
        let intervals = u64::try_from(samples.len() - 1).ok()?;
        Some(last.since(*first) / intervals)
    }
}
