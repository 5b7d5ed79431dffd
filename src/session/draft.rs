//! A decision in the making: records are applied as they are decided, so that what follows sees what came before.

use serde_json::Value;
use uuid::Uuid;

use crate::model::{
    AgentId, Body, CloseReason, Crossing, Effect, FreedReason, LeaveReason, LogId, MessageId, MessageKind,
    Millis, OfferId, OfferKind, OfferOutcome, ParticipantId, QueueReason, Record, Reservation, Role,
    SessionEvent, Visibility,
};

use super::input::Place;
use super::outcome::SessionReply;
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
    pub(super) before: &'a Session,
    pub(super) state: Session,
    log: LogId,
    pub(super) top: u64,
    pub(super) now: Millis,
    cause: Option<Uuid>,
    fresh: &'a mut dyn FnMut() -> Uuid,
    pub(super) records: Vec<Record<SessionEvent>>,
    pub(super) effects: Vec<Effect>,
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
            self.say(None, MessageKind::Text, Body::text(text), Visibility::All);
        }
    }

    pub(super) fn say(
        &mut self,
        from: Option<ParticipantId>,
        kind: MessageKind,
        said: Body,
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
            said,
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

    /// Lets the session wait for an agent to hold it. Whatever was asked of somebody before falls.
    pub(super) fn queue(&mut self, place: Place, prefer: Option<LogId>, reason: QueueReason) {
        self.end_offer(OfferOutcome::Withdrawn);
        self.look_for(place, OfferKind::Lead, prefer, reason);
    }

    /// Lets the session wait for an agent.
    pub(super) fn look_for(
        &mut self,
        place: Place,
        purpose: OfferKind,
        prefer: Option<LogId>,
        reason: QueueReason,
    ) {
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
            purpose,
            reason,
        });
    }

    /// Asks a desk for a place.
    pub(super) fn offer(&mut self, agent: AgentId, desk: LogId, kind: OfferKind, offer_ms: u64) {
        let Some((tenant, media)) = self.state.about().map(|about| (about.tenant, about.media)) else {
            return;
        };
        let offer = OfferId(self.fresh());
        let deadline = self.now.plus(offer_ms);
        let reservation = Reservation {
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

    /// Takes back what a participant had asked of others.
    fn withdraw_asks_of(&mut self, participant: ParticipantId) {
        if self.state.offer.as_ref().and_then(|offer| asker(&offer.kind)) == Some(participant) {
            self.end_offer(OfferOutcome::Withdrawn);
        }
        if self.state.seek.as_ref().and_then(|seek| asker(&seek.purpose)) == Some(participant) {
            self.note(SessionEvent::Unqueued);
        }
    }

    /// Takes somebody out and frees their place at their desk. With the last holder go the advisers and what was asked.
    pub(super) fn take_out(&mut self, participant: ParticipantId, reason: LeaveReason) {
        self.withdraw_asks_of(participant);
        let held_before = self.state.phase == Phase::Active;
        self.take_out_alone(participant, reason);
        if held_before && self.state.phase == Phase::Parked {
            let advisers: Vec<ParticipantId> = self
                .state
                .participants
                .iter()
                .filter(|known| known.present && known.role == Role::Agent)
                .map(|known| known.id)
                .collect();
            for adviser in advisers {
                self.take_out_alone(adviser, LeaveReason::Removed);
            }
        }
    }

    fn take_out_alone(&mut self, participant: ParticipantId, reason: LeaveReason) {
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

    /// Ends the session: everybody but the customer out, the closing line as the last thing said, then the end. One that slept ends
    /// without a word: nobody is there, and a line may cost a message.
    pub(super) fn close(&mut self, reason: CloseReason) {
        let slept = reason == CloseReason::Idle && self.state.sleeps();
        self.end_offer(OfferOutcome::Withdrawn);
        let present: Vec<ParticipantId> = self
            .state
            .participants
            .iter()
            .filter(|known| known.present && known.role != Role::Customer)
            .map(|known| known.id)
            .collect();
        for participant in present {
            self.take_out_alone(participant, LeaveReason::Closed);
        }
        let terms = self.state.about().map(|about| &about.terms);
        let closing = terms.map(|terms| match reason {
            CloseReason::Idle if !terms.idle_close_text.is_empty() => terms.idle_close_text.clone(),
            _ => terms.closing_text.clone(),
        });
        if !slept {
            self.service_line(&closing.unwrap_or_default());
        }
        self.note(SessionEvent::Closed { reason });
    }
}

/// Who asked for it.
fn asker(kind: &OfferKind) -> Option<ParticipantId> {
    match kind {
        OfferKind::Lead => None,
        OfferKind::Transfer { by } | OfferKind::Invite { by } | OfferKind::Consult { by } => Some(*by),
    }
}
