//! What the customer does.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::model::{
    Body, CloseReason, LeaveReason, Links, MessageId, MessageKind, ParticipantId, QueueReason, Role,
    SessionEvent, UserDataChange, Visibility,
};

use super::bounds;
use super::draft::Draft;
use super::input::{File, Open};
use super::outcome::Rejection;
use super::state::{Phase, Session};

type Ruled = Result<(), Rejection>;

pub(super) fn open(draft: &mut Draft<'_>, open: &Open) -> Ruled {
    bounds::name(&open.nickname)?;
    let attached = open.profile.get("userData").and_then(Value::as_object);
    bounds::data(&Map::new(), attached.unwrap_or(&Map::new()))?;
    let opened = SessionEvent::Opened {
        tenant: open.tenant,
        media: open.media,
        endpoint: open.endpoint.clone(),
        stream: open.stream.clone(),
        locale: open.locale.clone(),
        asynchronous: open.asynchronous,
        terms: Arc::new(open.terms.clone()),
    };
    draft.json(opened, &open.profile);
    let joined = SessionEvent::Joined {
        participant: open.participant,
        role: Role::Customer,
        agent: None,
        transport: Some(open.transport),
        visibility: Visibility::All,
    };
    draft.push(joined, Body::text(&open.nickname));
    draft.service_line(open.welcome.as_deref().unwrap_or_default());
    match &open.terms.links {
        // What opens it asks for nobody: it sleeps until the customer writes again.
        _ if open.terms.home.is_some() => {}
        Links { bot: None, .. } => draft.queue(open.place.clone(), None, QueueReason::New),
        // What opens a session by a channel is a message, and the bot answers that.
        Links { channel: Some(_), .. } => {}
        Links { .. } => draft.note(SessionEvent::Turn),
    }
    draft.reply.participant = Some(open.participant);
    Ok(())
}

/// Coming back changes nothing: the answer says who the customer is.
pub(super) fn resume(draft: &mut Draft<'_>) -> Ruled {
    if draft.state.is_closed() {
        return Err(Rejection::Closed);
    }
    let customer = draft
        .state
        .participants
        .customer()
        .map(|customer| (customer.id, customer.lost));
    let (participant, lost) = customer.ok_or(Rejection::NoSession)?;
    if lost {
        draft.note(SessionEvent::Returned { participant });
    }
    draft.reply.participant = Some(participant);
    Ok(())
}

pub(super) fn text(draft: &mut Draft<'_>, participant: ParticipantId, text: &Bytes) -> Ruled {
    heard(draft, participant)?;
    bounds::text(text)?;
    let said = Body::Present(text.clone());
    draft.say(Some(participant), MessageKind::Text, said, Visibility::All);
    react(draft);
    Ok(())
}

pub(super) fn file(draft: &mut Draft<'_>, participant: ParticipantId, file: &File) -> Ruled {
    heard(draft, participant)?;
    let most = draft.state.about().map_or(0, |about| about.terms.max_files);
    if draft.state.files >= most {
        return Err(Rejection::TooMuch);
    }
    let id = MessageId(draft.fresh());
    let sent = SessionEvent::File {
        id,
        from: participant,
        media: file.media,
        mime: file.mime.clone(),
        length: file.length,
        visibility: Visibility::All,
    };
    draft.push(sent, Body::text(&file.name));
    react(draft);
    Ok(())
}

pub(super) fn data(draft: &mut Draft<'_>, participant: ParticipantId, data: &Map<String, Value>) -> Ruled {
    heard(draft, participant)?;
    bounds::data(&draft.state.data, data)?;
    draft.json(
        SessionEvent::UserData {
            by: Some(participant),
            change: UserDataChange::Attach,
        },
        data,
    );
    Ok(())
}

pub(super) fn leave(draft: &mut Draft<'_>, participant: ParticipantId) -> Ruled {
    heard(draft, participant)?;
    draft.take_out(participant, LeaveReason::Left);
    draft.close(CloseReason::Customer);
    Ok(())
}

/// Nothing was heard of the customer's page. While they wait nobody need be kept for them; a session that may sleep sleeps.
pub(super) fn lapsed(draft: &mut Draft<'_>) -> Ruled {
    if draft.state.is_closed() {
        return Err(Rejection::Closed);
    }
    let live = draft.state.about().is_some_and(|about| !about.asynchronous);
    let waiting = matches!(draft.state.phase, Phase::Waiting { .. });
    if live && waiting {
        draft.close(CloseReason::Abandoned);
        return Ok(());
    }
    let customer = draft
        .state
        .participants
        .customer()
        .map(|customer| (customer.id, customer.lost));
    let (participant, lost) = customer.ok_or(Rejection::Stale)?;
    if live && lost {
        draft.close(CloseReason::Abandoned);
    } else {
        draft.note(SessionEvent::Lost { participant });
    }
    Ok(())
}

pub(super) fn returned(draft: &mut Draft<'_>) -> Ruled {
    let customer = draft
        .state
        .participants
        .customer()
        .filter(|customer| customer.lost)
        .map(|customer| customer.id);
    let participant = customer.ok_or(Rejection::Stale)?;
    draft.note(SessionEvent::Returned { participant });
    Ok(())
}

/// Whether this is the customer, of a session that goes on. Who acts has come back.
fn heard(draft: &mut Draft<'_>, participant: ParticipantId) -> Ruled {
    if draft.state.is_closed() {
        return Err(Rejection::Closed);
    }
    let known = draft.state.participants.get(participant);
    let known = known.filter(|known| known.present && known.role == Role::Customer);
    if known.ok_or(Rejection::NotParticipant)?.lost {
        draft.note(SessionEvent::Returned { participant });
    }
    Ok(())
}

impl Session {
    /// Whether anything follows when the customer speaks: the bot in charge answers, or the session, in which nobody listens, wakes.
    #[must_use]
    pub fn reacts(&self) -> bool {
        self.is_with_bot() || self.phase == Phase::Parked
    }
}

/// What follows when the customer has spoken.
pub(super) fn react(draft: &mut Draft<'_>) {
    if draft.state.is_with_bot() {
        draft.note(SessionEvent::Turn);
    } else if draft.state.reacts() {
        wake(draft);
    }
}

/// A customer who speaks where nobody listens waits again, preferably for whom they knew.
fn wake(draft: &mut Draft<'_>) {
    if let Some(place) = draft.state.home.clone() {
        let prefer = draft.state.remembered_desk(draft.now);
        draft.queue(place, prefer, QueueReason::Woken);
    }
}
