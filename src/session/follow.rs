//! What follows from a decision as a whole: deadlines, marks and the matching tables, each by comparing the state before with
//! the state after, so that no rule has to remember them.

use crate::model::{Effect, LogId, MatchOp, Millis, OfferKind, SessionEvent, WaitingSession};

use super::draft::Draft;
use super::input::{Place, SessionTimer};
use super::outcome::{Decision, Marks, SessionReply};
use super::state::{Phase, Session};

impl Draft<'_> {
    /// Everything that goes into one append.
    pub(super) fn finish(mut self) -> Decision<SessionEvent, SessionReply> {
        self.match_tables();
        self.tell_outside();
        let (before, after) = (self.before, &self.state);
        let timers = [
            (SessionTimer::Offer, offer_due(before), offer_due(after)),
            (SessionTimer::Idle, before.silence_due(), after.silence_due()),
        ];
        let timers = timers
            .into_iter()
            .filter(|(_, before, after)| before != after)
            .map(|(timer, _, after)| (timer as u16, after))
            .collect();
        let marks = Marks {
            opens: before.about.is_none() && after.about.is_some(),
            closes: !before.is_closed() && after.is_closed(),
            alive: liveness(before, after),
        };
        if !self.reply.repeated {
            self.reply.n = self.top;
        }
        Decision {
            records: self.records,
            effects: self.effects,
            timers,
            marks,
            reply: self.reply,
        }
    }

    /// Keeps the matching tables in step. The number that orders the writes is that of the last record.
    fn match_tables(&mut self) {
        let Some(tenant) = self.state.about().map(|about| about.tenant) else {
            return;
        };
        let (log, n) = (self.log(), self.top);
        let (before, after) = (waits(self.before), waits(&self.state));
        let op = match (before, after) {
            (before, Some(after)) if before.as_ref() != Some(&after) => MatchOp::Wait(WaitingSession {
                session: log,
                n,
                ..after
            }),
            (Some(_), None) => MatchOp::Unwait {
                session: log,
                n,
                assigned: self.took_an_offer(),
            },
            (None, None) | (_, Some(_)) => return,
        };
        self.effects.push(Effect::Match { tenant, op });
    }

    /// Whether an agent came with this decision.
    fn took_an_offer(&self) -> bool {
        let taken = |event: &SessionEvent| matches!(event, SessionEvent::Accepted { .. });
        self.records.iter().any(|record| taken(&record.event))
    }
}

impl Session {
    /// Whether the session waits for somebody, or asks somebody now: only then does a pair concern it.
    #[must_use]
    pub fn seeks_somebody(&self) -> bool {
        self.offer.is_some() || waits(self).is_some()
    }
}

/// A live customer is listened for as long as the session is open; one who may sleep for days, until nothing was heard once.
fn liveness(before: &Session, after: &Session) -> Option<bool> {
    let live = after.about().is_some_and(|about| !about.asynchronous);
    // Who writes by a channel is not listened for: they have no page that could fall silent.
    if after
        .about()
        .is_some_and(|about| about.terms.links.channel.is_some())
    {
        return None;
    }
    if after.is_closed() {
        return (!before.is_closed()).then_some(false);
    }
    let opened = before.about.is_none() && after.about.is_some();
    (opened || lost(before) != lost(after)).then(|| live || !lost(after))
}

fn lost(session: &Session) -> bool {
    session
        .participants
        .customer()
        .is_some_and(|customer| customer.lost)
}

fn offer_due(session: &Session) -> Option<Millis> {
    session.offer.as_ref().map(|offer| offer.deadline)
}

/// How the session stands in the matching tables: as long as it waits, whether or not somebody is being asked. Number and name are the
/// writer's to fill in.
fn waits(session: &Session) -> Option<WaitingSession> {
    let entry = |place: &Place, since: Millis, prefer: Option<LogId>| {
        Some(WaitingSession {
            session: LogId::from_bytes([0; 16]),
            n: 0,
            queue: place.queue.clone(),
            media: session.about()?.media,
            priority: place.priority,
            since,
            skills: place.skills.clone(),
            prefer,
            avoid: session.avoid.clone(),
            asked_until: offer_due(session),
        })
    };
    match (&session.phase, &session.seek) {
        (Phase::Waiting { place, since, prefer }, _) => entry(place, *since, *prefer),
        (Phase::Active, Some(seek)) => entry(&seek.place, seek.since, None),
        _ => None,
    }
}

/// Whether this offer is an answer to what the session waits for, and not to an agent asked by name.
pub(super) fn is_sought(session: &Session, kind: &OfferKind) -> bool {
    *kind == OfferKind::Lead || session.seek.as_ref().is_some_and(|seek| seek.purpose == *kind)
}
