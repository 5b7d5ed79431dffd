//! What the newest state of a session or a desk is to one agent, in the vendor's words. Pure.

use crate::model::{
    AgentId, ChannelState, LogId, Media, Millis, OfferKind, ParticipantId, Role, SupervisionMode, Visibility,
};
use crate::protocol::agent::{
    Activity, Channel, ChannelName, ChatPart, Interaction, InteractionState, KeyValue, OfferView,
    ParticipantView, ValueKind, timestamp, to_key_values,
};
use crate::session::desk::Stage;
use crate::session::{About, Desk, Offer, Participant, Phase, Session};

use super::capabilities;
use super::connection::Named;

/// Whether the agent is in the session or invited to it now.
pub(super) fn is_engaged(session: &Session, me: &AgentId) -> bool {
    session.participants().of_agent(me).is_some() || invitation(session, me).is_some()
}

/// How much of the session the agent may see: by the last part they had in it, and as an agent when they are only invited.
pub(super) fn sight(session: &Session, me: &AgentId) -> Visibility {
    match last_stay(session, me).map(|stay| stay.role) {
        Some(Role::Supervisor) => Visibility::Supervisor,
        _ => Visibility::Agent,
    }
}

/// Up to which record a session is an agent's to read: all of it for who is in it, asked into it, or was in it at its end; up
/// to where they left for who left before; `None` for who was never in it.
pub(super) fn reach(session: &Session, me: &AgentId) -> Option<u64> {
    if is_engaged(session, me) {
        return Some(u64::MAX);
    }
    let stays = session
        .participants()
        .iter()
        .filter(|one| one.agent.as_ref() == Some(me));
    stays.map(|stay| stay.left.unwrap_or(u64::MAX)).max()
}

/// The agent's newest stay, over or not.
pub(super) fn last_stay<'a>(session: &'a Session, me: &AgentId) -> Option<&'a Participant> {
    session
        .participants()
        .iter()
        .filter(|one| one.agent.as_ref() == Some(me))
        .last()
}

fn invitation<'a>(session: &'a Session, me: &AgentId) -> Option<&'a Offer> {
    session.offer().filter(|offer| offer.shown && offer.agent == *me)
}

/// A session as `me` may see it. `at`: the number of the record this is the state at.
pub(super) fn interaction(
    id: LogId,
    session: &Session,
    about: &About,
    me: &AgentId,
    at: u64,
    now: Millis,
) -> Interaction {
    let state = state(session, me);
    let mine = last_stay(session, me);
    let mode = mine.filter(|stay| stay.present).and_then(|stay| stay.mode);
    let (queue, placed) = match session.phase() {
        Phase::Waiting { place, since, .. } => (Some(place.queue.clone()), Some(timestamp(*since))),
        _ => (None, None),
    };
    let sight = sight(session, me);
    let seen = session
        .participants()
        .iter()
        .filter(|one| one.present && reaches(one.visibility, sight));
    Interaction {
        id,
        mediatype: about.media,
        state,
        capabilities: capabilities::of(state, mode, session.offer().is_some()),
        interaction_type: "Inbound",
        interaction_subtype: session.subtype().to_owned(),
        tenant_id: about.tenant,
        in_queues: queue.iter().map(|queue| in_queue(queue)).collect(),
        queue,
        is_online: session
            .participants()
            .customer()
            .is_some_and(|customer| customer.present && !customer.lost),
        is_held: false,
        is_locked: false,
        is_in_workflow: false,
        submitted_by: about.endpoint.clone(),
        received_at: timestamp(about.at),
        placed_in_queue_at: placed,
        out_queues: Vec::new(),
        user_data: to_key_values(session.data()),
        comment: session.comment().map(str::to_owned),
        disposition: session.disposition().map(str::to_owned),
        participant_id: mine.map(|stay| stay.id),
        supervision: mode.map(supervision),
        offer: invitation(session, me).map(|offer| offer_view(offer, now)),
        chat: ChatPart {
            participants: seen.map(participant).collect(),
        },
        as_of: at,
    }
}

fn state(session: &Session, me: &AgentId) -> InteractionState {
    let mine = last_stay(session, me);
    match mine.filter(|stay| stay.present) {
        Some(stay) if stay.role == Role::Supervisor => InteractionState::Monitoring,
        Some(stay) if stay.visibility != Visibility::All => InteractionState::Consulting,
        Some(_) => InteractionState::Processing,
        None if invitation(session, me).is_some() => InteractionState::Invited,
        None if mine.is_none() => InteractionState::Canceled,
        None if session.closed_at().is_some() => InteractionState::Completed,
        None => InteractionState::Left,
    }
}

/// A participant as everybody sees them who may.
pub(super) fn participant(one: &Participant) -> ParticipantView {
    ParticipantView {
        participant_id: one.id,
        role: one.role,
        nickname: one.nickname.clone(),
        agent_id: one.agent.as_ref().map(|agent| agent.as_str().to_owned()),
        visibility: one.visibility,
    }
}

/// Somebody by id; a participant whose joining is no longer known has only that.
pub(super) fn somebody(session: &Session, id: ParticipantId) -> ParticipantView {
    session.participants().get(id).map_or_else(
        || ParticipantView {
            participant_id: id,
            role: Role::External,
            nickname: String::new(),
            agent_id: None,
            visibility: Visibility::All,
        },
        participant,
    )
}

fn offer_view(offer: &Offer, now: Millis) -> OfferView {
    OfferView {
        offer_id: offer.id,
        kind: match offer.kind {
            OfferKind::Lead => "lead",
            OfferKind::Transfer { .. } => "transfer",
            OfferKind::Invite { .. } => "invite",
            OfferKind::Consult { .. } => "consult",
        },
        deadline_at: timestamp(offer.deadline),
        remaining_ms: offer.deadline.since(now),
    }
}

fn in_queue(queue: &str) -> KeyValue {
    KeyValue {
        key: queue.to_owned(),
        kind: Some(ValueKind::Str),
        value: serde_json::Value::String(String::new()),
    }
}

const fn supervision(mode: SupervisionMode) -> &'static str {
    match mode {
        SupervisionMode::Monitor => "Monitor",
        SupervisionMode::Coach => "Coach",
        SupervisionMode::BargeIn => "BargeIn",
    }
}

/// Whether something for `audience` reaches an agent who sees as much as `sight`.
pub(super) fn reaches(audience: Visibility, sight: Visibility) -> bool {
    audience != Visibility::Supervisor || sight == Visibility::Supervisor
}

/// The media of a desk.
pub(super) fn channels(desk: &Desk) -> Vec<Channel> {
    desk.channels()
        .map(|(media, state)| channel(desk, media, state))
        .collect()
}

fn channel(desk: &Desk, media: Media, state: &ChannelState) -> Channel {
    let places = || desk.places().iter().filter(|place| place.media == media);
    let capacity = desk
        .profile()
        .capacity
        .iter()
        .find(|(of, _)| *of == media)
        .map_or(0, |(_, places)| *places);
    let delivering = places().any(|place| matches!(place.stage, Stage::Reserved { .. }));
    let handling = places().next().is_some();
    let (name, work_mode, reason) = match state {
        ChannelState::Ready => (ChannelName::Ready, None, None),
        ChannelState::NotReady { reason } => (ChannelName::NotReady, None, reason.clone()),
        ChannelState::AfterCallWork => (ChannelName::NotReady, Some("AfterCallWork"), None),
        ChannelState::LoggedOut => (ChannelName::LoggedOut, None, None),
    };
    Channel {
        name: media,
        state: name,
        work_mode,
        available: name == ChannelName::Ready && desk.free(media) > 0 && !desk.is_lost(),
        dnd: false,
        activity: match (delivering, handling) {
            (true, _) => Activity::DeliveringInteraction,
            (false, true) => Activity::HandlingInboundInteraction,
            (false, false) => Activity::Idle,
        },
        reasons: reason.into_iter().collect(),
        capacity,
        busy: u16::try_from(places().count()).unwrap_or(u16::MAX),
    }
}

/// The sessions a desk names.
pub(super) fn named(desk: &Desk) -> Vec<Named> {
    let held = desk.places().iter().map(|place| Named {
        session: place.session,
        offer: Some(place.offer),
        participant: match place.stage {
            Stage::Taken { participant } => Some(participant),
            Stage::Reserved { .. } => None,
        },
    });
    let watched = desk.watching().iter().map(|(session, participant)| Named {
        session: *session,
        offer: None,
        participant: Some(*participant),
    });
    held.chain(watched).collect()
}
