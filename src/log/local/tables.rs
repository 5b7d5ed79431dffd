//! The matching tables of all tenants, in memory.
//!
//! Chooses by the rule of [`best_pair`], one session at a time in the tables' order, so that the rule stands in one place.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::log::matching::{MatchAnswer, QueueRank, best_pair};
use crate::model::{LogId, MatchOp, Media, Millis, ReadyDesk, TenantId, WaitingSession};

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
    order: BTreeSet<Turn>,
    /// The same by queue, so that a rank is a search: sessions come at the end and leave near the front.
    queues: HashMap<String, VecDeque<Turn>>,
    ready: HashMap<LogId, ReadyDesk>,
    departed: HashMap<LogId, (u64, Millis)>,
    departures: VecDeque<(Millis, LogId)>,
    assigned: HashMap<String, VecDeque<Millis>>,
}

type Turn = (Reverse<u32>, Millis, LogId);

fn turn(session: &WaitingSession) -> Turn {
    (Reverse(session.priority), session.since, session.session)
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

    pub(crate) fn best(&self, tenant: TenantId) -> MatchAnswer {
        self.tenants.get(&tenant).map(Tables::best).unwrap_or_default()
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
        let (log, n) = match &op {
            MatchOp::Wait(session) => (session.session, session.n),
            MatchOp::Unwait { session, n, .. } => (*session, *n),
            MatchOp::Ready(desk) => (desk.desk, desk.n),
            MatchOp::Unready { desk, n } => (*desk, *n),
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
                self.departed.remove(&log);
                self.ready.insert(log, desk);
            }
            MatchOp::Unready { .. } => {
                self.ready.remove(&log);
                self.depart(log, n, now);
            }
        }
        true
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
        let turn = turn(&was);
        self.order.remove(&turn);
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
        let turn = turn(session);
        self.order.insert(turn);
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

    fn best(&self) -> MatchAnswer {
        let desks: Vec<&ReadyDesk> = self
            .ready
            .values()
            .filter(|desk| desk.free.iter().any(|(_, places)| *places > 0))
            .collect();
        if desks.is_empty() {
            return MatchAnswer::default();
        }
        // What no desk admits once, none admits the second time either: a long queue costs one look per kind of wish.
        let mut hopeless: HashSet<(&str, Media, &[String])> = HashSet::new();
        let pair = self.order.iter().find_map(|(_, _, id)| {
            let session = self.waiting.get(id)?;
            let wish = (session.queue.as_str(), session.media, session.skills.as_slice());
            if hopeless.contains(&wish) {
                return None;
            }
            let pair = best_pair([session], &desks);
            if pair.is_none() {
                hopeless.insert(wish);
            }
            pair
        });
        MatchAnswer { pair }
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
