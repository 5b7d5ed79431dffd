//! What bots, strategies and connections do in a session.

use crate::model::{Body, CloseReason, ParticipantId, QueueReason, Role, SessionEvent, Visibility};

use super::agent::change_data;
use super::bounds;
use super::draft::Draft;
use super::input::ServiceAct;
use super::outcome::Rejection;
use super::state::Phase;

type Ruled = Result<(), Rejection>;

pub(super) fn act(draft: &mut Draft<'_>, act: &ServiceAct) -> Ruled {
    if draft.state.is_closed() {
        return Err(Rejection::Closed);
    }
    match act {
        ServiceAct::Say {
            bot,
            kind,
            text,
            visibility,
        } => {
            bounds::text(text)?;
            let from = bot.as_deref().map(|name| voice(draft, name)).transpose()?;
            draft.reply.participant = from;
            draft.say(from, *kind, Body::text(text), *visibility);
        }
        ServiceAct::Data { change, data } => change_data(draft, None, *change, data)?,
        ServiceAct::Route { place, prefer } => {
            if draft.state.phase == Phase::Active {
                return Err(Rejection::WrongState);
            }
            draft.queue(place.clone(), *prefer, QueueReason::Routed);
        }
        ServiceAct::Close => draft.close(CloseReason::Service),
    }
    Ok(())
}

/// A bot by its name; it comes in with its first words.
fn voice(draft: &mut Draft<'_>, name: &str) -> Result<ParticipantId, Rejection> {
    let known = draft
        .state
        .participants
        .iter()
        .find(|known| known.present && known.role == Role::Bot && known.nickname == name);
    if let Some(known) = known {
        return Ok(known.id);
    }
    bounds::name(name)?;
    bounds::room_for_another(&draft.state.participants)?;
    let participant = ParticipantId(draft.fresh());
    let joined = SessionEvent::Joined {
        participant,
        role: Role::Bot,
        agent: None,
        transport: None,
        visibility: Visibility::All,
    };
    draft.push(joined, Body::text(name));
    Ok(participant)
}
