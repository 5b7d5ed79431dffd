//! Records to frames, ready for the socket. What is the same for everybody is written once per record and shared.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::model::{Body, LeaveReason, LogId, Millis, ParticipantId, Record, SessionEvent, Visibility};
use crate::net::websocket::encode_text;
use crate::protocol::agent::{
    Interaction, InteractionEvent, Message, MessageDelivery, MessageFile, MessageType, MessagesEvent,
    Notification, Place, ServerFrame, timestamp,
};
use crate::session::Session;
use crate::shard::{Entry, Typing, Wire};

use super::picture;

/// A frame for the socket.
pub(super) fn encode(frame: &ServerFrame<'_>) -> Bytes {
    encode_text(&frame.encode())
}

/// A message of a session.
pub(super) fn message_frame(log: LogId, session: &Session, entry: &Arc<Entry<SessionEvent>>) -> Bytes {
    entry.wire(Wire::Agent, || {
        let messages: Vec<Message> = message(session, entry.n, &entry.record).into_iter().collect();
        let place = Place::record(log, entry.position());
        encode(&ServerFrame::Messages(MessagesEvent::new(place, &messages)))
    })
}

/// A change of a session, with its state where this is the frame to carry it.
pub(super) fn change_frame(
    log: LogId,
    session: &Session,
    entry: &Entry<SessionEvent>,
    (notification, name): (Notification, &'static str),
    with_line: bool,
    interaction: Option<&Interaction>,
) -> Bytes {
    let place = Place::record(log, entry.position());
    let mut event = InteractionEvent::new(place, notification, Some(name), interaction);
    let line = with_line
        .then(|| message(session, entry.n, &entry.record))
        .flatten();
    event.messages = line.as_slice();
    encode(&ServerFrame::Interaction(event))
}

/// Somebody types, or no longer does.
pub(super) fn typing_frame(log: LogId, session: &Session, typing: &Typing) -> Bytes {
    let kind = if typing.started {
        MessageType::TypingStarted
    } else {
        MessageType::TypingStopped
    };
    let preview = Some(typing.preview.clone()).filter(|text| !text.is_empty());
    let signal = Message {
        text: preview,
        from: Some(picture::somebody(session, typing.from)),
        visibility: typing.visibility,
        ..blank(typing.n, kind, typing.at)
    };
    encode(&ServerFrame::Messages(MessagesEvent::new(
        Place::signal(log),
        &[signal],
    )))
}

/// A record as a line of the transcript; `None` for what is none.
pub(super) fn message(session: &Session, n: u64, record: &Record<SessionEvent>) -> Option<Message> {
    let body = &record.body;
    let text = (!matches!(body, Body::None)).then(|| body.as_str().to_owned());
    let said = |kind: MessageType, from: Option<ParticipantId>, visibility: Visibility| Message {
        from: from.map(|from| picture::somebody(session, from)),
        erased: *body == Body::Erased,
        visibility,
        ..blank(n, kind, record.at)
    };
    Some(match &record.event {
        SessionEvent::Message {
            id,
            from,
            kind,
            visibility,
        } => Message {
            message_id: Some(*id),
            text,
            ..said((*kind).into(), *from, *visibility)
        },
        SessionEvent::Recovered { from, visibility } => Message {
            text,
            ..said(MessageType::Text, *from, *visibility)
        },
        SessionEvent::File {
            id,
            from,
            media,
            mime,
            length,
            visibility,
        } => Message {
            message_id: Some(*id),
            file: Some(MessageFile {
                media_id: *media,
                name: text.unwrap_or_default(),
                mime: mime.clone(),
                length: *length,
            }),
            ..said(MessageType::FileUploaded, Some(*from), *visibility)
        },
        SessionEvent::Delivery { of, status } => {
            let about: Map<String, Value> = serde_json::from_str(body.as_str()).unwrap_or_default();
            let named = |name: &str| about.get(name).and_then(Value::as_str).map(str::to_owned);
            Message {
                delivery: Some(MessageDelivery {
                    of: *of,
                    status: status.as_str(),
                    code: named("code"),
                    detail: named("detail"),
                    segments: about.get("segments").and_then(Value::as_u64),
                }),
                ..said(MessageType::DeliveryStatus, None, Visibility::Agent)
            }
        }
        SessionEvent::Joined {
            participant,
            visibility,
            ..
        } => said(MessageType::ParticipantJoined, Some(*participant), *visibility),
        SessionEvent::Left { participant, reason } => Message {
            reason: Some(left(*reason)),
            ..said(MessageType::ParticipantLeft, Some(*participant), Visibility::All)
        },
        _ => return None,
    })
}

fn blank(index: u64, kind: MessageType, at: Millis) -> Message {
    Message {
        index,
        message_id: None,
        kind,
        text: None,
        erased: false,
        reason: None,
        file: None,
        delivery: None,
        visibility: Visibility::All,
        timestamp: timestamp(at),
        timestamp_seconds: at.0 / 1_000,
        from: None,
    }
}

const fn left(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::Left => "left",
        LeaveReason::Transferred => "transferred",
        LeaveReason::Removed => "removed",
        LeaveReason::Lost => "lost",
        LeaveReason::Closed => "closed",
    }
}
