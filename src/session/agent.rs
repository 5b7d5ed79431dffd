//! What agents and supervisors command. Each rule first asks who commands and in which part.

use serde_json::{Map, Value, json};

use crate::model::{
    Body, CloseReason, Crossing, LeaveReason, MessageId, MessageKind, OfferKind, OfferOutcome, ParticipantId,
    QueueReason, Role, SessionEvent, SupervisionMode, UserDataChange, Visibility,
};

use super::apply::seen_as;
use super::bounds;
use super::draft::Draft;
use super::input::{AfterLeave, AgentAct, AgentCommand, Place, Purpose, Target};
use super::offers;
use super::outcome::Rejection;
use super::participants::Participant;
use super::state::Phase;

type Ruled = Result<(), Rejection>;

/// How long an agent who was asked by name has to answer, milliseconds.
const ASKED_BY_NAME_MS: u64 = 30_000;

pub(super) fn act(draft: &mut Draft<'_>, command: &AgentCommand) -> Ruled {
    match &command.act {
        AgentAct::Accept => return offers::accept(draft, command),
        AgentAct::Reject => return offers::reject(draft, command),
        AgentAct::Supervise { mode } => return supervise(draft, command, *mode),
        // A remark may follow the end.
        AgentAct::Note { comment, disposition } => {
            return note(draft, command, comment.as_deref(), disposition.as_deref());
        }
        _ if draft.state.is_closed() => return Err(Rejection::Closed),
        _ => {}
    }
    let me = draft
        .state
        .participants
        .of_agent(&command.agent)
        .cloned()
        .ok_or(Rejection::NotParticipant)?;
    draft.reply.participant = Some(me.id);
    match &command.act {
        AgentAct::Say {
            kind,
            text,
            visibility,
        } => {
            bounds::text(text)?;
            let visibility = may_say(&me, *visibility)?;
            wanted(draft, visibility)?;
            draft.say(Some(me.id), *kind, Body::text(text), visibility);
        }
        AgentAct::Show(rich) => {
            let visibility = may_say(&me, Visibility::All)?;
            wanted(draft, visibility)?;
            let (said, shown) = (rich.spelled_out(), json!(rich).to_string());
            bounds::text(&said)?;
            bounds::text(&shown)?;
            draft.say(Some(me.id), MessageKind::Text, Body::text(&said), visibility);
            // Among agents there are words only.
            if visibility == Visibility::All {
                draft.push(SessionEvent::Rich, Body::text(&shown));
            }
        }
        AgentAct::Send { file, visibility } => {
            let visibility = may_say(&me, *visibility)?;
            wanted(draft, visibility)?;
            let id = MessageId(draft.fresh());
            let sent = SessionEvent::File {
                id,
                from: me.id,
                media: file.media,
                mime: file.mime.clone(),
                length: file.length,
                visibility,
            };
            draft.push(sent, Body::text(&file.name));
        }
        AgentAct::Rename { nickname } => {
            bounds::name(nickname)?;
            draft.push(SessionEvent::Renamed { participant: me.id }, Body::text(nickname))
        }
        AgentAct::Ask { purpose, target } => ask(draft, &holder(&me)?, *purpose, target)?,
        AgentAct::CancelAsk => {
            holder(&me)?;
            let asked = draft
                .state
                .offer
                .as_ref()
                .is_some_and(|offer| offer.kind != OfferKind::Lead);
            if !asked && draft.state.seek.is_none() {
                return Err(Rejection::WrongState);
            }
            if asked {
                draft.end_offer(OfferOutcome::Withdrawn);
            }
            if draft.state.seek.is_some() {
                draft.note(SessionEvent::Unqueued);
            }
        }
        AgentAct::Remove { agent } => {
            holder(&me)?;
            let other = draft.state.participants.of_agent(agent);
            // A supervisor is nobody an agent knows of, and may not be sent away.
            let other = other.filter(|other| other.id != me.id && other.role == Role::Agent);
            let other = other.map(|other| other.id).ok_or(Rejection::NotParticipant)?;
            draft.take_out(other, LeaveReason::Removed);
        }
        AgentAct::Leave { after } => leave(draft, &me, *after),
        AgentAct::Complete => {
            holder(&me)?;
            draft.close(CloseReason::Agent);
        }
        AgentAct::PlaceInQueue { place } => {
            holder(&me)?;
            place_in_queue(draft, me.id, place);
        }
        AgentAct::Data { change, data } => change_data(draft, Some(me.id), *change, data)?,
        AgentAct::StopSupervising => {
            if me.role != Role::Supervisor {
                return Err(Rejection::WrongState);
            }
            draft.take_out(me.id, LeaveReason::Left);
        }
        AgentAct::Accept | AgentAct::Reject | AgentAct::Supervise { .. } | AgentAct::Note { .. } => {}
    }
    Ok(())
}

/// A customer who wants no messages is sent none; among agents one may talk.
fn wanted(draft: &Draft<'_>, visibility: Visibility) -> Ruled {
    if visibility == Visibility::All && draft.state.outside().opted_out {
        return Err(Rejection::OptedOut);
    }
    Ok(())
}

/// Who holds the session may decide about it; advisers and supervisors may not.
fn holder(me: &Participant) -> Result<Participant, Rejection> {
    let holds = me.role == Role::Agent && me.visibility == Visibility::All;
    if holds {
        Ok(me.clone())
    } else {
        Err(Rejection::Forbidden)
    }
}

/// How far somebody's words may reach: a coach and an adviser speak to agents only, a monitor to nobody.
fn may_say(me: &Participant, wanted: Visibility) -> Result<Visibility, Rejection> {
    match (me.mode, me.visibility) {
        (Some(SupervisionMode::Monitor), _) => Err(Rejection::Forbidden),
        (_, Visibility::All) => Ok(wanted),
        _ if wanted == Visibility::Supervisor && me.role == Role::Supervisor => Ok(wanted),
        _ => Ok(Visibility::Agent),
    }
}

fn ask(draft: &mut Draft<'_>, me: &Participant, purpose: Purpose, target: &Target) -> Ruled {
    if draft.state.offer.is_some() || draft.state.seek.is_some() {
        return Err(Rejection::WrongState);
    }
    let by = me.id;
    let kind = match purpose {
        Purpose::Invite => OfferKind::Invite { by },
        Purpose::Consult => OfferKind::Consult { by },
        Purpose::Transfer => OfferKind::Transfer { by },
    };
    match target {
        Target::Agent { agent, desk } => {
            let present = draft.state.participants.of_agent(agent);
            if present.is_some_and(|present| present.role == Role::Agent) {
                return Err(Rejection::WrongState);
            }
            bounds::room_for_another(&draft.state.participants)?;
            draft.offer(agent.clone(), *desk, kind, ASKED_BY_NAME_MS);
        }
        // Whoever of the queue is free takes over; until then the session waits there.
        Target::Queue(place) if purpose == Purpose::Transfer => place_in_queue(draft, me.id, place),
        Target::Queue(place) => {
            bounds::room_for_another(&draft.state.participants)?;
            draft.look_for(place.clone(), kind, None, QueueReason::Placed);
        }
    }
    Ok(())
}

fn place_in_queue(draft: &mut Draft<'_>, me: ParticipantId, place: &Place) {
    draft.end_offer(OfferOutcome::Withdrawn);
    draft.take_out(me, LeaveReason::Transferred);
    if draft.state.participants.holders().next().is_none() {
        draft.queue(place.clone(), None, QueueReason::Placed);
    }
}

fn leave(draft: &mut Draft<'_>, me: &Participant, after: AfterLeave) {
    let held = holder(me).is_ok();
    if after == AfterLeave::ForceClose && held {
        return draft.close(CloseReason::Agent);
    }
    draft.take_out(me.id, LeaveReason::Left);
    let left_alone = held && draft.state.phase == Phase::Parked;
    let asynchronous = draft.state.about().is_some_and(|about| about.asynchronous);
    if left_alone && after == AfterLeave::CloseIfNoAgents && !asynchronous {
        draft.close(CloseReason::Agent);
    }
}

pub(super) fn change_data(
    draft: &mut Draft<'_>,
    by: Option<ParticipantId>,
    change: UserDataChange,
    data: &Map<String, Value>,
) -> Ruled {
    let event = SessionEvent::UserData { by, change };
    match change {
        UserDataChange::Attach | UserDataChange::Update => {
            bounds::data(&draft.state.data, data)?;
            draft.json(event, data);
        }
        UserDataChange::Delete => draft.json(event, &data.keys().collect::<Vec<_>>()),
    }
    Ok(())
}

/// Anybody who is or was in the session may remark on it.
fn note(
    draft: &mut Draft<'_>,
    command: &AgentCommand,
    comment: Option<&str>,
    disposition: Option<&str>,
) -> Ruled {
    let known = draft
        .state
        .participants
        .iter()
        .filter(|known| known.agent.as_ref() == Some(&command.agent))
        .last();
    let by = known.map(|known| known.id).ok_or(Rejection::NotParticipant)?;
    bounds::note(comment)?;
    bounds::note(disposition)?;
    draft.json(
        SessionEvent::Noted { by },
        &json!({ "comment": comment, "disposition": disposition }),
    );
    Ok(())
}

fn supervise(draft: &mut Draft<'_>, command: &AgentCommand, mode: SupervisionMode) -> Ruled {
    if !command.supervisor {
        return Err(Rejection::Forbidden);
    }
    if draft.state.is_closed() {
        return Err(Rejection::Closed);
    }
    bounds::name(&command.name)?;
    // Who is told of a supervisor is settled for a stay: another way of taking part is another stay.
    let before = match draft.state.participants.of_agent(&command.agent) {
        Some(known) if known.mode == Some(mode) => {
            draft.reply.participant = Some(known.id);
            return Ok(());
        }
        Some(known) if known.role == Role::Supervisor => Some(known.id),
        Some(_) => return Err(Rejection::WrongState),
        None => {
            bounds::room_for_another(&draft.state.participants)?;
            None
        }
    };
    let participant = ParticipantId(draft.fresh());
    let joined = SessionEvent::Joined {
        participant,
        role: Role::Supervisor,
        agent: Some(command.agent.clone()),
        transport: None,
        visibility: seen_as(mode),
    };
    draft.push(joined, Body::text(&command.name));
    draft.note(SessionEvent::Supervision { participant, mode });
    if let Some(participant) = before {
        draft.note(SessionEvent::Left {
            participant,
            reason: LeaveReason::Left,
        });
    }
    draft.reply.participant = Some(participant);
    let session = draft.log();
    draft.tell(command.desk, Crossing::Watching { session, participant });
    Ok(())
}
