//! What bots, strategies and connections do in a session.

use serde_json::{Map, Value};

use crate::model::{
    Body, CloseReason, DeliveryStatus, LeaveReason, MessageId, MessageKind, ParticipantId, QueueReason, Role,
    SessionEvent, UserDataChange, Visibility,
};

use super::agent::change_data;
use super::bounds;
use super::draft::Draft;
use super::input::{BotAct, BotThen, File, ServiceAct};
use super::outcome::Rejection;
use super::participants::Participant;
use super::state::{Phase, Session};

type Ruled = Result<(), Rejection>;

pub(super) fn act(draft: &mut Draft<'_>, act: &ServiceAct) -> Ruled {
    match act {
        // What was said before the end may arrive after it.
        ServiceAct::Delivered { of, status, about } => return delivered(draft, *of, *status, about),
        ServiceAct::Fetched { of, outcome } => return fetched(draft, *of, outcome),
        ServiceAct::Erase if draft.state.is_erased() => return Ok(()),
        ServiceAct::Erase if draft.state.is_closed() => {
            draft.note(SessionEvent::Erased);
            return Ok(());
        }
        _ if draft.state.is_closed() => return Err(Rejection::Closed),
        _ => {}
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
        ServiceAct::CloseUnlessHeld if draft.state.phase == Phase::Active => {}
        ServiceAct::CloseUnlessHeld => draft.close(CloseReason::Service),
        ServiceAct::Nickname { name } => nickname(draft, name)?,
        ServiceAct::Answer(answer) => bot(draft, answer)?,
        ServiceAct::Erase => return Err(Rejection::WrongState),
        ServiceAct::Delivered { .. } | ServiceAct::Fetched { .. } => {}
    }
    Ok(())
}

/// Notes how far a message got. What is known already, or better, changes nothing.
fn delivered(draft: &mut Draft<'_>, of: u64, status: DeliveryStatus, about: &Map<String, Value>) -> Ruled {
    if of == 0 || of > draft.top || !status.follows(draft.state.outside().delivery(of)) {
        return Err(Rejection::Stale);
    }
    draft.json(SessionEvent::Delivery { of, status }, about);
    Ok(())
}

/// Takes in a file that was announced.
fn fetched(draft: &mut Draft<'_>, of: u64, outcome: &Result<File, String>) -> Ruled {
    if !draft.state.outside().is_awaited(of) {
        return Err(Rejection::Stale);
    }
    let customer = draft.state.participants.customer().map(|customer| customer.id);
    if let (Ok(file), Some(from)) = (outcome, customer) {
        let sent = SessionEvent::File {
            id: MessageId(draft.fresh()),
            from,
            media: file.media,
            mime: file.mime.clone(),
            length: file.length,
            visibility: Visibility::All,
        };
        draft.push(sent, Body::text(&file.name));
    }
    let refused = outcome.as_ref().err().cloned();
    draft.note(SessionEvent::Fetched { of, refused });
    Ok(())
}

/// Applies a bot's answer. One that comes after the session went to an agent is only noted.
fn bot(draft: &mut Draft<'_>, answer: &BotAct) -> Ruled {
    let outside = draft.state.outside();
    if answer.turn <= outside.answered || answer.turn > outside.turn {
        return Err(Rejection::Stale);
    }
    let in_charge = draft.state.is_with_bot();
    draft.note(SessionEvent::Answered { turn: answer.turn });
    if !in_charge {
        return Ok(());
    }
    let speaks = !answer.says.is_empty() || answer.note.is_some();
    let from = speaks.then(|| voice(draft, &answer.bot)).transpose()?;
    draft.reply.participant = from;
    for text in &answer.says {
        bounds::text(text)?;
        draft.say(from, MessageKind::Text, Body::text(text), Visibility::All);
    }
    if !answer.data.is_empty() {
        change_data(draft, from, UserDataChange::Attach, &answer.data)?;
    }
    if let Some(note) = &answer.note {
        bounds::text(note)?;
        draft.say(from, MessageKind::Text, Body::text(note), Visibility::Agent);
    }
    match &answer.then {
        BotThen::Wait => {}
        BotThen::HandOver(place) => {
            let bots = draft.state.participants.iter();
            let bots = bots.filter(|known| known.present && known.role == Role::Bot);
            for bot in bots.map(|known| known.id).collect::<Vec<_>>() {
                draft.take_out(bot, LeaveReason::Transferred);
            }
            draft.queue(place.clone(), None, QueueReason::Routed);
        }
        BotThen::Close => draft.close(CloseReason::Service),
    }
    Ok(())
}

/// Names the strategy, which comes in with its name.
fn nickname(draft: &mut Draft<'_>, name: &str) -> Ruled {
    bounds::name(name)?;
    match draft
        .state
        .strategy()
        .map(|known| (known.id, known.nickname == name))
    {
        Some((id, true)) => draft.reply.participant = Some(id),
        Some((participant, false)) => {
            draft.push(SessionEvent::Renamed { participant }, Body::text(name));
            draft.reply.participant = Some(participant);
        }
        None => draft.reply.participant = Some(voice(draft, name)?),
    }
    Ok(())
}

impl Session {
    /// The routing strategy's part in the session, once it has given itself a name: a bot that is not the endpoint's.
    #[must_use]
    pub fn strategy(&self) -> Option<&Participant> {
        let own = self.about().and_then(|about| about.terms.links.bot.as_deref());
        let mut bots = self.participants().iter();
        bots.find(|known| known.present && known.role == Role::Bot && Some(known.nickname.as_str()) != own)
    }
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
