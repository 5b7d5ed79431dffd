//! What a customer does in a chat besides reading and files: texts, typing, attached data, leaving.

use bytes::Bytes;
use serde_json::json;

use crate::model::{ParticipantId, Visibility};
use crate::net::http::Body;
use crate::protocol::client_token::ClientToken;
use crate::protocol::envelope::{Code, Dialect, Fault, success};
use crate::protocol::widget::{EndPhase, Leave, SendMessage, Sent, UserData};
use crate::session::SessionInput;
use crate::shard::Typing;

use super::access::Access;
use super::call::Call;
use super::conversation::{Room, refused};
use super::handler::Widgets;
use super::idempotency;
use super::rates::Quota;

/// Bytes of what is shown of a text that is not sent yet.
const PREVIEW: usize = 500;

/// Says something, or that the customer types. Answers once it is safe, with a JSON object: anything else makes the widget
/// throw.
pub(super) async fn send(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
    body: Body,
) -> Result<Bytes, Fault> {
    let fields = call.fields(widgets, body).await?;
    let SendMessage { operation, sent } = SendMessage::read(&fields)?;
    call.note_operation(operation);
    let room = Room::enter(widgets.shards(), token.session, access.tenant, token.participant).await?;
    if room.state().closed_at().is_some() {
        return Err(Code::InvalidSession.into());
    }
    widgets.shards().heard_from(token.session);
    match sent {
        Sent::Text(words) => {
            widgets.limit_tenant(call, access.tenant, Quota::Messages)?;
            text(widgets, call, access, token, &words).await?;
            if room.is_typing(token.participant) {
                signal(widgets, call, token, &room, false, &[]);
            }
        }
        Sent::TypingStarted(preview) => signal(widgets, call, token, &room, true, &preview),
        Sent::TypingStopped(preview) => signal(widgets, call, token, &room, false, &preview),
    }
    Ok(success(Dialect::Chat, &call.ids(), &json!({})))
}

async fn text(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
    words: &Bytes,
) -> Result<(), Fault> {
    let options = widgets.options();
    // The decoder has checked it.
    let text = std::str::from_utf8(words).map_err(|_| Fault::new(Code::Malformed))?;
    if text.chars().count() > options.text {
        return Err(Fault::new(Code::TooLarge).detail("data.text"));
    }
    let input = SessionInput::CustomerText {
        participant: token.participant,
        text: words.clone(),
    };
    match idempotency::key(call.headers(), options.idempotency_key)? {
        None => {
            widgets
                .shards()
                .session(token.session, input)
                .await
                .map_err(refused)?;
        }
        Some(key) => {
            let cause = idempotency::cause(
                idempotency::scoped(b's', access.tenant, token.session.as_bytes(), key),
                idempotency::fingerprint(&[words]),
                Bytes::new(),
            );
            let asked = widgets.shards().session_keyed(token.session, input, cause);
            asked.await.map_err(refused)?;
        }
    }
    Ok(())
}

fn signal(widgets: &Widgets, call: &Call, token: &ClientToken, room: &Room, started: bool, preview: &[u8]) {
    let (n, at) = room.top();
    let preview = String::from_utf8_lossy(preview);
    let end = preview.floor_char_boundary(PREVIEW);
    let typing = Typing {
        from: token.participant,
        started,
        preview: preview[..end].to_owned(),
        visibility: Visibility::All,
        n,
        quarter: Typing::quarters(at, call.now),
        at: call.now,
    };
    widgets.shards().signal(token.session, typing);
}

/// Changes attached data.
pub(super) async fn user_data(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
    body: Body,
) -> Result<Bytes, Fault> {
    let fields = call.fields(widgets, body).await?;
    let UserData { operation, data } = UserData::read(&fields)?;
    call.note_operation(operation);
    let room = Room::enter(widgets.shards(), token.session, access.tenant, token.participant).await?;
    let known = room.state().data();
    let new = data.keys().filter(|key| !known.contains_key(*key)).count();
    if known.len() + new > widgets.options().user_data {
        return Err(Fault::new(Code::TooLarge).detail("data"));
    }
    let input = SessionInput::CustomerData {
        participant: token.participant,
        data,
    };
    widgets
        .shards()
        .session(token.session, input)
        .await
        .map_err(refused)?;
    widgets.shards().heard_from(token.session);
    Ok(success(Dialect::Chat, &call.ids(), &json!({})))
}

/// Leaves. Leaving a chat that is over already is done.
pub(super) async fn leave(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
    participant: ParticipantId,
    body: Body,
) -> Result<Bytes, Fault> {
    let fields = call.fields(widgets, body).await?;
    call.note_operation(Leave::read(&fields)?.operation);
    if participant != token.participant {
        return Err(Code::InvalidParticipant.into());
    }
    let room = Room::enter(widgets.shards(), token.session, access.tenant, participant).await?;
    match EndPhase::at(room.state().closed_at(), call.now, &widgets.options().linger) {
        EndPhase::Open => {
            let input = SessionInput::CustomerLeave { participant };
            widgets
                .shards()
                .session(token.session, input)
                .await
                .map_err(refused)?;
        }
        EndPhase::Closing | EndPhase::Over => {}
        EndPhase::Gone => return Err(Code::InvalidSession.into()),
    }
    Ok(success(Dialect::Chat, &call.ids(), &json!({})))
}
