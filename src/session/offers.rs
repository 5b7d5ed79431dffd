//! Offers (DESIGN 3.6): the session asks a desk, the desk reserves or refuses, the agent sees it, accepts, rejects or lets it
//! lapse. All of that is decided here; the desk hears of it by effect. A crossing that comes late, twice or out of order
//! finds another offer standing, or none, and is answered with what is true.

use crate::model::{
    AgentId, Body, Crossing, FreedReason, LeaveReason, LogId, OfferId, OfferKind, OfferOutcome,
    ParticipantId, QueueReason, Role, SessionEvent, Visibility,
};

use super::bounds;
use super::draft::Draft;
use super::input::AgentCommand;
use super::outcome::Rejection;
use super::state::{Offer, Phase};

type Ruled = Result<(), Rejection>;

/// Routing found a desk for a session that waits, or that looks for somebody beside the conversation.
pub(super) fn matched(draft: &mut Draft<'_>, desk: LogId, agent: &AgentId) -> Ruled {
    if draft.state.offer.is_some() {
        return Err(Rejection::Stale);
    }
    let present = draft.state.participants.of_agent(agent);
    if draft.state.seek.is_some() && present.is_some_and(|present| present.role == Role::Agent) {
        // Nobody but those who are here already: what was asked for is not to be had.
        draft.note(SessionEvent::Unqueued);
        return Ok(());
    }
    let (kind, offer_ms) = match (&draft.state.phase, &draft.state.seek) {
        (Phase::Waiting { place, .. }, _) => (OfferKind::Lead, place.offer_ms),
        (Phase::Active, Some(seek)) => (seek.purpose.clone(), seek.place.offer_ms),
        _ => return Err(Rejection::Stale),
    };
    draft.offer(agent.clone(), desk, kind, offer_ms);
    Ok(())
}

pub(super) fn accept(draft: &mut Draft<'_>, command: &AgentCommand) -> Ruled {
    if draft.state.is_closed() {
        return Err(Rejection::Closed);
    }
    let offer = draft
        .state
        .offer
        .clone()
        .filter(|offer| offer.shown && offer.agent == command.agent);
    bounds::name(&command.name)?;
    take(draft, &offer.ok_or(Rejection::WrongState)?, &command.name)
}

pub(super) fn reject(draft: &mut Draft<'_>, command: &AgentCommand) -> Ruled {
    let mine = draft
        .state
        .offer
        .as_ref()
        .is_some_and(|offer| offer.shown && offer.agent == command.agent);
    if !mine {
        return Err(Rejection::WrongState);
    }
    draft.end_offer(OfferOutcome::Rejected);
    Ok(())
}

/// The agent is in.
fn take(draft: &mut Draft<'_>, offer: &Offer, name: &str) -> Ruled {
    let participant = ParticipantId(draft.fresh());
    let before = draft
        .state
        .participants
        .of_agent(&offer.agent)
        .map(|known| known.id);
    draft.note(SessionEvent::Accepted {
        offer: offer.id,
        participant,
    });
    let visibility = match offer.kind {
        OfferKind::Consult { .. } => Visibility::Agent,
        OfferKind::Lead | OfferKind::Transfer { .. } | OfferKind::Invite { .. } => Visibility::All,
    };
    let joined = SessionEvent::Joined {
        participant,
        role: Role::Agent,
        agent: Some(offer.agent.clone()),
        transport: None,
        visibility,
    };
    draft.push(joined, Body::text(name));
    draft.tell(
        offer.desk,
        Crossing::Taken {
            session: draft.log(),
            offer: offer.id,
            participant,
        },
    );
    // A supervisor who watched, or an adviser, is an agent like any other from here on: nobody is in it twice.
    if let Some(before) = before {
        draft.take_out(before, LeaveReason::Left);
    }
    if let OfferKind::Transfer { by } = offer.kind {
        draft.take_out(by, LeaveReason::Transferred);
    }
    draft.reply.participant = Some(participant);
    Ok(())
}

/// A desk says or asks something.
pub(super) fn crossing(draft: &mut Draft<'_>, message: &Crossing) -> Ruled {
    match message {
        Crossing::Reserved { offer, name, auto } => reserved(draft, *offer, name, *auto),
        Crossing::Refused { offer } => {
            if standing(draft, *offer).is_some() {
                draft.end_offer(OfferOutcome::Refused);
            }
            Ok(())
        }
        Crossing::Ask { offer, .. } => {
            draft.reply.answer = truth(draft, *offer);
            Ok(())
        }
        Crossing::AgentLost { participant, .. } => agent_lost(draft, *participant),
        // Those go the other way.
        Crossing::Reserve { .. }
        | Crossing::Taken { .. }
        | Crossing::Free { .. }
        | Crossing::Watching { .. }
        | Crossing::Unwatched { .. } => Err(Rejection::Stale),
    }
}

fn reserved(draft: &mut Draft<'_>, id: OfferId, name: &str, auto: bool) -> Ruled {
    let Some(offer) = standing(draft, id) else {
        draft.reply.answer = truth(draft, id);
        return Ok(());
    };
    if !offer.shown {
        draft.push(SessionEvent::Offered { offer: id }, Body::text(name));
    }
    if auto {
        take(draft, &offer, name)?;
    }
    Ok(())
}

/// The present offer, if it is this one.
fn standing(draft: &Draft<'_>, id: OfferId) -> Option<Offer> {
    draft.state.offer.clone().filter(|offer| offer.id == id)
}

/// What a desk that asks about an offer must believe; nothing while it stands.
fn truth(draft: &Draft<'_>, id: OfferId) -> Option<Crossing> {
    if standing(draft, id).is_some() {
        return None;
    }
    let session = draft.log();
    Some(match draft.state.places.iter().find(|held| held.offer == id) {
        Some(held) => Crossing::Taken {
            session,
            offer: id,
            participant: held.participant,
        },
        None => Crossing::Free {
            session,
            offer: id,
            reason: FreedReason::Withdrawn,
        },
    })
}

/// An agent was not heard of for longer than the grace: the session is offered again.
fn agent_lost(draft: &mut Draft<'_>, participant: ParticipantId) -> Ruled {
    let known = draft
        .state
        .participants
        .get(participant)
        .filter(|known| known.present)
        .cloned();
    let Some(known) = known else { return Ok(()) };
    if draft.state.is_closed() {
        return Ok(());
    }
    let lost_desk = draft
        .state
        .places
        .iter()
        .find(|held| held.participant == participant)
        .map(|held| held.desk);
    draft.take_out(known.id, LeaveReason::Lost);
    let held = known.role == Role::Agent && known.visibility == Visibility::All;
    let alone = held && draft.state.phase == Phase::Parked;
    if let (true, Some(home)) = (alone, draft.state.home.clone()) {
        let prefer = draft.state.last_desk.filter(|desk| Some(*desk) != lost_desk);
        draft.queue(home, prefer, QueueReason::AgentLost);
    }
    Ok(())
}
