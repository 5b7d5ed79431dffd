//! A conversation as a routing application sees it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{MessageKind, ParticipantId, Role, SessionEvent, Visibility};
use crate::protocol::agent::timestamp;
use crate::provisioning::masking::Masker;
use crate::session::{Phase, Session, visible_to_agent};
use crate::shard::SessionView;

/// Messages of one answer: the newest that the core holds.
const MESSAGES: usize = 20;

/// The picture of a conversation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Picture<'a> {
    id: String,
    session_id: String,
    state: &'static str,
    media_type: &'a str,
    endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    participants: Vec<Part<'a>>,
    user_data: &'a Map<String, Value>,
    messages: Vec<Line<'a>>,
    as_of: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    participant_id: ParticipantId,
    role: Role,
    nickname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    index: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    role: Role,
    nickname: &'a str,
    text: String,
    time: String,
}

/// The picture, with the tenant's patterns masked; `None` of a log that is not a session yet.
pub(super) fn picture<'a>(view: &'a SessionView, masker: &Masker) -> Option<Picture<'a>> {
    let session: &Session = &view.state;
    let about = session.about()?;
    let (queue, since) = match session.phase() {
        Phase::Waiting { place, since, .. } => (Some(place.queue.as_str()), Some(timestamp(*since))),
        _ => (None, None),
    };
    let present = session.participants().iter().filter(|one| one.present);
    Some(Picture {
        id: view.log.to_string(),
        session_id: view.log.to_string(),
        state: match session.phase() {
            Phase::Parked => "parked",
            Phase::Waiting { .. } => "waiting",
            Phase::Active => "active",
            Phase::Closed { .. } => "closed",
        },
        media_type: about.media.as_str(),
        endpoint: &about.endpoint,
        stream: about.stream.as_deref(),
        language: about.locale.as_deref(),
        started: timestamp(about.at),
        queue,
        waiting_since: since,
        ended: session.closed_at().map(timestamp),
        participants: present
            .map(|one| Part {
                participant_id: one.id,
                role: one.role,
                nickname: &one.nickname,
                agent_id: one.agent.as_ref().map(|agent| agent.as_str()),
            })
            .collect(),
        user_data: session.data(),
        messages: messages(view, masker),
        as_of: view.top.n,
    })
}

fn messages<'a>(view: &'a SessionView, masker: &Masker) -> Vec<Line<'a>> {
    let session: &Session = &view.state;
    let seen = view
        .tail
        .iter()
        .rev()
        .filter(|entry| visible_to_agent(session, &entry.record, Visibility::Agent));
    let mut lines: Vec<Line<'_>> = seen
        .filter_map(|entry| {
            let (kind, from) = match &entry.record.event {
                SessionEvent::Message { kind, from, .. } => (word(*kind), *from),
                SessionEvent::File { from, .. } => ("File", Some(*from)),
                _ => return None,
            };
            let speaker = from.and_then(|from| session.participants().get(from));
            Some(Line {
                index: entry.n,
                kind,
                role: speaker.map_or(Role::External, |one| one.role),
                nickname: speaker.map_or("", |one| one.nickname.as_str()),
                text: masker.mask(entry.record.body.as_str()).into_owned(),
                time: timestamp(entry.record.at),
            })
        })
        .take(MESSAGES)
        .collect();
    lines.reverse();
    lines
}

const fn word(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Text => "Text",
        MessageKind::PushUrl => "PushUrl",
        MessageKind::Notice => "Notice",
        MessageKind::CustomNotice => "CustomNotice",
    }
}
