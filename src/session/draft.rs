//! A decision in the making: records are applied as they are decided, so that what follows sees what came before.

use serde_json::Value;
use uuid::Uuid;

use crate::model::{
    Body, Crossing, Effect, FreedReason, LeaveReason, LogId, MatchOp, MessageId, MessageKind, Millis,
    OfferId, OfferKind, OfferOutcome, ParticipantId, QueueReason, Record, SessionEvent, Visibility,
    WaitingSession,
};

use super::input::{Place, SessionTimer};
use super::outcome::{Decision, Marks, SessionReply};
use super::state::{Phase, Session};

/// What a decision is made with, besides state and input.
pub struct Circumstances<'a> {
    /// The log of the machine that decides.
    pub log: LogId,
    /// Number of the last record the state knows.
    pub top: u64,
    /// Now; never below the time of the last record.
    pub now: Millis,
    /// Fresh ids.
    pub fresh: &'a mut dyn FnMut() -> Uuid,
}

pub(super) struct Draft<'a> {
    before: &'a Session,
    pub(super) state: Session,
    log: LogId,
    top: u64,
    pub(super) now: Millis,
    cause: Option<Uuid>,
    fresh: &'a mut dyn FnMut() -> Uuid,
    records: Vec<Record<SessionEvent>>,
    effects: Vec<Effect>,
    pub(super) reply: SessionReply,
}

impl<'a> Draft<'a> {
    pub(super) fn new(before: &'a Session, circumstances: Circumstances<'a>, cause: Option<Uuid>) -> Self {
        let Circumstances { log, top, now, fresh } = circumstances;
        Self {
            before,
            state: before.clone(),
            log,
            top,
            now,
            cause,
            fresh,
            records: Vec::new(),
            effects: Vec::new(),
            reply: SessionReply::default(),
        }
    }

    pub(super) fn fresh(&mut self) -> Uuid {
        (self.fresh)()
    }

    /// The session's own id.
    pub(super) const fn log(&self) -> LogId {
        self.log
    }

    /// Tells the customer where they stand.
    pub(super) fn position(&mut self, position: u64, text: &str) {
        self.note(SessionEvent::PositionTold { position });
        self.service_line(text);
    }

    /// Records something.
    pub(super) fn push(&mut self, event: SessionEvent, body: Body) {
        // The cause stands at the first record: one command, one mark.
        let record = Record {
            at: self.now,
            cause: self.cause.take(),
            event,
            body,
        };
        self.top += 1;
        self.state.apply(self.top, &record);
        self.records.push(record);
    }

    /// Records something without a body.
    pub(super) fn note(&mut self, event: SessionEvent) {
        self.push(event, Body::None);
    }

    /// A plain line from the service to the customer; an empty text says nothing.
    pub(super) fn service_line(&mut self, text: &str) {
        if !text.is_empty() {
            self.say(None, MessageKind::Text, text, Visibility::All);
        }
    }

    pub(super) fn say(
        &mut self,
        from: Option<ParticipantId>,
        kind: MessageKind,
        text: &str,
        visibility: Visibility,
    ) {
        let id = MessageId(self.fresh());
        self.push(
            SessionEvent::Message {
                id,
                from,
                kind,
                visibility,
            },
            Body::text(text),
        );
    }

    /// Attached data or a remark.
    pub(super) fn json(&mut self, event: SessionEvent, body: &impl serde::Serialize) {
        let body = serde_json::to_value(body).unwrap_or(Value::Null);
        self.push(event, Body::text(&body.to_string()));
    }

    /// Tells a desk something.
    pub(super) fn tell(&mut self, target: LogId, message: Crossing) {
        self.effects.push(Effect::Cross { target, message });
    }

    /// Puts the session into a queue.
    pub(super) fn queue(&mut self, place: Place, prefer: Option<LogId>, reason: QueueReason) {
        let Place {
            queue,
            priority,
            skills,
            offer_ms,
        } = place;
        self.note(SessionEvent::Queued {
            queue,
            priority,
            skills,
            prefer,
            offer_ms,
            reason,
        });
    }

    /// Asks a desk for a place.
    pub(super) fn offer(
        &mut self,
        agent: crate::model::AgentId,
        desk: LogId,
        kind: OfferKind,
        offer_ms: u64,
    ) {
        let Some((tenant, media)) = self.state.about().map(|about| (about.tenant, about.media)) else {
            return;
        };
        let offer = OfferId(self.fresh());
        let deadline = self.now.plus(offer_ms);
        let reservation = crate::model::Reservation {
            session: self.log,
            offer,
            media,
            kind: kind.clone(),
            deadline,
        };
        self.note(SessionEvent::Offering {
            offer,
            agent: agent.clone(),
            desk,
            deadline,
            kind,
        });
        self.tell(
            desk,
            Crossing::Reserve {
                tenant,
                agent,
                reservation,
            },
        );
    }

    /// Ends the present offer without an acceptance.
    pub(super) fn end_offer(&mut self, outcome: OfferOutcome) {
        let Some(offer) = self.state.offer.clone() else {
            return;
        };
        self.note(SessionEvent::OfferEnded {
            offer: offer.id,
            outcome,
        });
        let reason = match outcome {
            // The desk said so itself: it holds nothing.
            OfferOutcome::Refused => return,
            OfferOutcome::Rejected => FreedReason::Rejected,
            OfferOutcome::TimedOut => FreedReason::TimedOut,
            OfferOutcome::Withdrawn => FreedReason::Withdrawn,
        };
        self.tell(
            offer.desk,
            Crossing::Free {
                session: self.log,
                offer: offer.id,
                reason,
            },
        );
    }

    /// Takes somebody out and frees their place at their desk.
    pub(super) fn take_out(&mut self, participant: ParticipantId, reason: LeaveReason) {
        let held = self
            .state
            .places
            .iter()
            .find(|held| held.participant == participant)
            .cloned();
        let supervisor = self
            .state
            .participants
            .get(participant)
            .filter(|known| known.mode.is_some());
        let watching = supervisor.and_then(|known| known.agent.clone());
        self.note(SessionEvent::Left { participant, reason });
        if let Some(held) = held {
            let reason = match reason {
                LeaveReason::Closed => FreedReason::Closed,
                LeaveReason::Lost => FreedReason::Lost,
                LeaveReason::Left | LeaveReason::Transferred | LeaveReason::Removed => FreedReason::Left,
            };
            self.tell(
                held.desk,
                Crossing::Free {
                    session: self.log,
                    offer: held.offer,
                    reason,
                },
            );
        }
        if let (Some(agent), Some(about)) = (watching, self.state.about()) {
            let desk = LogId::desk(about.tenant, &agent);
            self.tell(desk, Crossing::Unwatched { session: self.log });
        }
    }

    /// Ends the session: the closing line, everybody out, then the end.
    pub(super) fn close(&mut self, reason: crate::model::CloseReason) {
        self.end_offer(OfferOutcome::Withdrawn);
        let closing = self
            .state
            .about()
            .map(|about| about.terms.closing_text.clone())
            .unwrap_or_default();
        self.service_line(&closing);
        let present: Vec<ParticipantId> = self
            .state
            .participants
            .iter()
            .filter(|known| known.present)
            .map(|known| known.id)
            .collect();
        for participant in present {
            self.take_out(participant, LeaveReason::Closed);
        }
        self.note(SessionEvent::Closed { reason });
    }

    /// What follows from all of it together.
    pub(super) fn finish(mut self) -> Decision<SessionEvent, SessionReply> {
        self.match_tables();
        let timers = [
            (
                SessionTimer::Offer,
                offer_due(self.before),
                offer_due(&self.state),
            ),
            (
                SessionTimer::Idle,
                self.before.silence_due(),
                self.state.silence_due(),
            ),
        ];
        let timers = timers
            .into_iter()
            .filter(|(_, before, after)| before != after)
            .map(|(timer, _, after)| (timer as u16, after))
            .collect();
        let opened = self.before.about.is_none() && self.state.about.is_some();
        let closed = !self.before.is_closed() && self.state.is_closed();
        let live = self.state.about().is_some_and(|about| !about.asynchronous);
        let alive = if closed {
            Some(false)
        } else if opened || lost(self.before) != lost(&self.state) {
            // Of a customer who may sleep for days nothing is awaited until they are heard again.
            Some(live || !lost(&self.state))
        } else {
            None
        };
        self.reply.n = self.top;
        Decision {
            records: self.records,
            effects: self.effects,
            timers,
            marks: Marks {
                opens: opened,
                closes: closed,
                alive,
            },
            reply: self.reply,
        }
    }

    /// Keeps the matching tables in step. The number that orders the writes is that of the last record.
    fn match_tables(&mut self) {
        let Some(tenant) = self.state.about().map(|about| about.tenant) else {
            return;
        };
        let (before, after) = (in_tables(self.before), in_tables(&self.state));
        let op = match (before, after) {
            (before, Some(after))
                if before.as_ref() != Some(&after) || self.before.phase != self.state.phase =>
            {
                MatchOp::Wait(WaitingSession {
                    session: self.log,
                    n: self.top,
                    ..after
                })
            }
            (_, Some(_)) => return,
            (before, None) => {
                let waited = before.is_some() || matches!(self.before.phase, Phase::Waiting { .. });
                if !waited || self.records.is_empty() {
                    return;
                }
                let assigned = self.state.phase == Phase::Active;
                // While its offer stands it is out of the tables already.
                if before.is_none() && !assigned && matches!(self.state.phase, Phase::Waiting { .. }) {
                    return;
                }
                MatchOp::Unwait {
                    session: self.log,
                    n: self.top,
                    assigned,
                }
            }
        };
        self.effects.push(Effect::Match { tenant, op });
    }
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

/// How the session stands in the matching tables: only while it waits and asks nobody.
fn in_tables(session: &Session) -> Option<WaitingSession> {
    let (Phase::Waiting { place, since, prefer }, None) = (&session.phase, &session.offer) else {
        return None;
    };
    Some(WaitingSession {
        session: LogId::from_bytes([0; 16]),
        n: 0,
        queue: place.queue.clone(),
        media: session.about()?.media,
        priority: place.priority,
        since: *since,
        skills: place.skills.clone(),
        prefer: *prefer,
        avoid: session.avoid.clone(),
    })
}
