//! What a desk makes of a question.

use crate::model::{
    AgentId, ChannelState, Crossing, DeskEvent, FreedReason, LogId, Media, OfferId, Reservation, TenantId,
};

use super::super::draft::Circumstances;
use super::super::outcome::Decision;
use super::draft::Draft;
use super::input::{DeskAct, DeskInput, DeskProfile, DeskRejection, DeskReply, DeskTimer};
use super::state::{ASKS_MAX, Desk, Place, Stage};

type Ruled = Result<(), DeskRejection>;

/// Why a medium is not ready whose agent let an offer lapse.
const NO_ANSWER: &str = "no answer";

impl Desk {
    /// Decides; changes nothing.
    ///
    /// # Errors
    /// [`DeskRejection`]; nothing follows.
    pub fn decide(
        &self,
        input: &DeskInput,
        circumstances: Circumstances<'_>,
    ) -> Result<Decision<DeskEvent, DeskReply>, DeskRejection> {
        let cause = match input {
            DeskInput::Act { command, .. } => Some(*command),
            _ => None,
        };
        let mut draft = Draft::new(self, &circumstances, cause);
        if let Some(executed) = cause.and_then(|cause| self.executed(cause)) {
            draft.reply.repeated = true;
            draft.reply.n = executed.n;
            return Ok(draft.finish());
        }
        let founds = matches!(
            input,
            DeskInput::Connect { .. } | DeskInput::Crossing(Crossing::Reserve { .. })
        );
        if self.owner.is_none() && !founds {
            return Err(DeskRejection::NoDesk);
        }
        match input {
            DeskInput::Connect {
                tenant,
                agent,
                profile,
            } => connect(&mut draft, *tenant, agent, profile),
            DeskInput::Provisioned(profile) => provision(&mut draft, profile),
            DeskInput::Act { act, .. } => perform(&mut draft, act)?,
            DeskInput::Crossing(message) => crossing(&mut draft, message)?,
            DeskInput::Timer { timer, .. } => timed(&mut draft, *timer)?,
            DeskInput::Lapsed if self.lost.is_none() => draft.note(DeskEvent::Lost),
            DeskInput::Returned if self.lost.is_some() => draft.note(DeskEvent::Returned),
            DeskInput::Lapsed | DeskInput::Returned => return Err(DeskRejection::Stale),
        }
        Ok(draft.finish())
    }
}

fn found(draft: &mut Draft<'_>, tenant: TenantId, agent: &AgentId) {
    if draft.state.owner.is_none() {
        draft.note(DeskEvent::Opened {
            tenant,
            agent: agent.clone(),
        });
    }
}

fn connect(draft: &mut Draft<'_>, tenant: TenantId, agent: &AgentId, profile: &DeskProfile) {
    found(draft, tenant, agent);
    provision(draft, profile);
    let conn = draft.state.conn + 1;
    draft.note(DeskEvent::Connected { conn });
    draft.reply.conn = Some(conn);
}

fn provision(draft: &mut Draft<'_>, profile: &DeskProfile) {
    if draft.state.profile == *profile {
        return;
    }
    let DeskProfile {
        name,
        capacity,
        skills,
        queues,
        supervisor,
        grace_ms,
        auto_accept,
    } = profile.clone();
    // What the agent chose themselves stands until it is provisioned otherwise.
    let chosen = draft.state.profile.auto_accept != auto_accept;
    draft.note(DeskEvent::Profile {
        name,
        capacity,
        skills,
        queues,
        supervisor,
        grace_ms,
        auto_accept,
    });
    if chosen {
        draft.note(DeskEvent::AutoAccept { on: auto_accept });
    }
}

fn perform(draft: &mut Draft<'_>, act: &DeskAct) -> Ruled {
    match act {
        DeskAct::AutoAccept(on) => draft.note(DeskEvent::AutoAccept { on: *on }),
        DeskAct::Channel { media, state } => {
            let provisioned: Vec<Media> = draft.state.channels.iter().map(|(media, _)| *media).collect();
            let wanted: Vec<Media> = provisioned
                .into_iter()
                .filter(|provisioned| media.is_none_or(|media| media == *provisioned))
                .collect();
            if wanted.is_empty() {
                return Err(DeskRejection::NoSuchMedium);
            }
            for media in wanted {
                draft.note(DeskEvent::Channel {
                    media,
                    state: state.clone(),
                });
            }
        }
    }
    Ok(())
}

fn crossing(draft: &mut Draft<'_>, message: &Crossing) -> Ruled {
    match message {
        Crossing::Reserve {
            tenant,
            agent,
            reservation,
        } => {
            found(draft, *tenant, agent);
            reserve(draft, reservation);
        }
        Crossing::Taken {
            session,
            offer,
            participant,
        } => {
            let held = draft
                .state
                .places
                .iter()
                .find(|place| place.offer == *offer)
                .map(|place| place.stage);
            match held {
                Some(Stage::Reserved { .. }) => {
                    draft.note(DeskEvent::Taken {
                        session: *session,
                        offer: *offer,
                        participant: *participant,
                    });
                }
                Some(Stage::Taken { .. }) => {}
                // Freed meanwhile; the agent's place in the session is real, so the desk must say what became of it.
                None => {
                    draft.reply.answer = Some(Crossing::AgentLost {
                        desk: draft.log,
                        participant: *participant,
                    })
                }
            }
        }
        Crossing::Free {
            session,
            offer,
            reason,
        } => free(draft, *session, *offer, *reason),
        Crossing::Watching { session, participant } => {
            if !draft.state.watching.contains(&(*session, *participant)) {
                draft.note(DeskEvent::Watching {
                    session: *session,
                    participant: *participant,
                });
            }
        }
        Crossing::Unwatched { session } => {
            if draft.state.watching.iter().any(|(known, _)| known == session) {
                draft.note(DeskEvent::Unwatched { session: *session });
            }
        }
        // Those go the other way.
        Crossing::Reserved { .. }
        | Crossing::Refused { .. }
        | Crossing::Ask { .. }
        | Crossing::AgentLost { .. } => {
            return Err(DeskRejection::Stale);
        }
    }
    Ok(())
}

/// Holds a place, or says that there is none. Asked twice about one attempt, it says the same again.
fn reserve(draft: &mut Draft<'_>, reservation: &Reservation) {
    let Reservation {
        session,
        offer,
        media,
        deadline,
        ..
    } = *reservation;
    let reserved = Crossing::Reserved {
        offer,
        name: draft.state.profile.name.clone(),
        auto: draft.state.auto_accept,
    };
    if draft.state.places.iter().any(|place| place.offer == offer) {
        draft.reply.answer = Some(reserved);
        return;
    }
    let open = draft.state.lost.is_none() && draft.state.free(media) > 0 && deadline > draft.now;
    // Asked by name, an agent who is not ready may be asked all the same; one who has left may not.
    let asked_by_name = reservation.kind != crate::model::OfferKind::Lead;
    let ready = if asked_by_name {
        works(draft, media)
    } else {
        draft.state.is_ready(media) && !draft.state.is_resting(media)
    };
    if open && ready {
        draft.note(DeskEvent::Reserved(reservation.clone()));
        draft.tell(session, reserved);
    } else {
        draft.note(DeskEvent::Refused { session, offer });
        draft.tell(session, Crossing::Refused { offer });
    }
}

fn works(draft: &Draft<'_>, media: Media) -> bool {
    draft
        .state
        .channels
        .iter()
        .any(|(of, state)| *of == media && *state != ChannelState::LoggedOut)
}

fn free(draft: &mut Draft<'_>, session: LogId, offer: OfferId, reason: FreedReason) {
    let of = |place: &&Place| place.offer == offer && place.session == session;
    let Some(media) = draft.state.places.iter().find(of).map(|place| place.media) else {
        return;
    };
    draft.note(DeskEvent::Freed {
        session,
        offer,
        reason,
    });
    // Who does not answer is not there: no further offers until they say so, or the same one would come back at once.
    if reason == FreedReason::TimedOut && draft.state.is_ready(media) {
        let state = ChannelState::NotReady {
            reason: Some(NO_ANSWER.to_owned()),
        };
        draft.note(DeskEvent::Channel { media, state });
    }
}

fn timed(draft: &mut Draft<'_>, timer: DeskTimer) -> Ruled {
    match timer {
        DeskTimer::Reservation => {
            if draft.state.reservation_due().is_none_or(|due| due > draft.now) {
                return Err(DeskRejection::Stale);
            }
            ask(draft);
            draft.note(DeskEvent::Asked);
        }
        DeskTimer::Grace => {
            if draft.state.grace_due().is_none_or(|due| due > draft.now) {
                return Err(DeskRejection::Stale);
            }
            give_up(draft);
        }
        DeskTimer::Rest => {
            if draft.state.rest_due().is_none_or(|due| due > draft.now) {
                return Err(DeskRejection::Stale);
            }
            rested(draft);
        }
    }
    Ok(())
}

/// Says again how the media stand that have rested, which ends their rest.
fn rested(draft: &mut Draft<'_>) {
    let now = draft.now;
    let over: Vec<Media> = draft
        .state
        .resting
        .iter()
        .filter(|(_, until)| *until <= now)
        .map(|(media, _)| *media)
        .collect();
    for media in over {
        let state = draft.state.channels().find(|(of, _)| *of == media);
        let state = state.map_or(ChannelState::LoggedOut, |(_, state)| state.clone());
        draft.note(DeskEvent::Channel { media, state });
    }
}

/// Asks the sessions of overdue reservations what became of them.
fn ask(draft: &mut Draft<'_>) {
    let (desk, now) = (draft.log, draft.now);
    let overdue = draft
        .state
        .places
        .clone()
        .into_iter()
        .filter(|place| match place.stage {
            Stage::Reserved { ask_at, .. } => ask_at <= now,
            Stage::Taken { .. } => false,
        });
    for place in overdue.collect::<Vec<_>>() {
        if matches!(place.stage, Stage::Reserved { asks, .. } if asks >= ASKS_MAX) {
            free(draft, place.session, place.offer, FreedReason::Lost);
            continue;
        }
        draft.tell(
            place.session,
            Crossing::Ask {
                offer: place.offer,
                media: place.media,
                desk,
            },
        );
    }
}

/// The agent is gone for longer than the grace: every session is told, and the places are free.
fn give_up(draft: &mut Draft<'_>) {
    let desk = draft.log;
    draft.note(DeskEvent::GaveUp);
    for place in draft.state.places.clone() {
        match place.stage {
            Stage::Taken { participant } => {
                draft.tell(place.session, Crossing::AgentLost { desk, participant })
            }
            Stage::Reserved { .. } => {
                draft.tell(
                    place.session,
                    Crossing::Ask {
                        offer: place.offer,
                        media: place.media,
                        desk,
                    },
                );
            }
        }
        if matches!(place.stage, Stage::Taken { .. }) {
            draft.note(DeskEvent::Freed {
                session: place.session,
                offer: place.offer,
                reason: FreedReason::Lost,
            });
        }
    }
    for (session, participant) in draft.state.watching.clone() {
        draft.tell(session, Crossing::AgentLost { desk, participant });
        draft.note(DeskEvent::Unwatched { session });
    }
}
