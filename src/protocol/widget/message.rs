//! The message object (`contracts/chat-v3.md` 2.5, 2.7).

use bytes::Bytes;
use serde::Serialize;

use crate::model::{LogId, MessageKind, Millis, ParticipantId, Record, Role, SessionEvent};

use super::index::Index;

/// Who said something, as far as the other side is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaker<'a> {
    /// Their part.
    pub role: Role,
    /// Their name.
    pub nickname: &'a str,
}

/// Knows everybody who is or was in a session.
pub trait Cast {
    /// Who a participant is; `None` when nobody knows any more.
    fn speaker(&self, participant: ParticipantId) -> Option<Speaker<'_>>;
}

/// Whether a record has a line of its own. Who may see it is another question.
#[must_use]
pub const fn is_shown(event: &SessionEvent) -> bool {
    matches!(
        event,
        SessionEvent::Joined { .. }
            | SessionEvent::Left { .. }
            | SessionEvent::Message { .. }
            | SessionEvent::File { .. }
            | SessionEvent::Renamed { .. }
            | SessionEvent::Recovered { .. }
    )
}

/// The message object of a record; `None` for records without a line. A file is a text that names it.
#[must_use]
pub fn message(index: Index, record: &Record<SessionEvent>, cast: &impl Cast) -> Option<Bytes> {
    let text = record.body.as_str();
    let (kind, from, spoken) = match &record.event {
        SessionEvent::Joined {
            participant, role, ..
        } => {
            let joined = Speaker {
                role: *role,
                nickname: text,
            };
            (
                "ParticipantJoined",
                From::known(*participant, joined),
                Spoken::None,
            )
        }
        SessionEvent::Left { participant, .. } => (
            "ParticipantLeft",
            From::of(Some(*participant), cast),
            Spoken::None,
        ),
        SessionEvent::Message { from, kind, .. } => {
            let spoken = match kind {
                MessageKind::PushUrl => Spoken::Address(text),
                MessageKind::Text | MessageKind::Notice | MessageKind::CustomNotice => Spoken::Text(text),
            };
            (name(*kind), From::of(*from, cast), spoken)
        }
        SessionEvent::File { from, .. } => ("Text", From::of(Some(*from), cast), Spoken::Text(text)),
        SessionEvent::Renamed { participant } => (
            "NicknameUpdated",
            From::of(Some(*participant), cast),
            Spoken::None,
        ),
        SessionEvent::Recovered { from, .. } => ("Text", From::of(*from, cast), Spoken::Text(text)),
        _ => return None,
    };
    Some(write(&Message {
        index,
        kind,
        text: spoken.text(),
        url: spoken.address(),
        utc_time: record.at,
        from,
        content_type: None,
        content: None,
    }))
}

/// The message object of a picture with what the widget needs to fetch it; `None` for any other record. Only the last message
/// of an answer may be one.
#[must_use]
pub fn picture(
    index: Index,
    n: u64,
    session: LogId,
    record: &Record<SessionEvent>,
    cast: &impl Cast,
) -> Option<Bytes> {
    let SessionEvent::File { from, mime, .. } = &record.event else {
        return None;
    };
    let name = record.body.as_str();
    Some(write(&Message {
        index,
        kind: "Text",
        text: Some(name),
        url: None,
        utc_time: record.at,
        from: From::of(Some(*from), cast),
        content_type: Some("attachments"),
        content: Some([Content {
            id: "1",
            kind: "image",
            mime,
            name,
            url: format!("/sessions/{session}/images/{n}"),
        }]),
    }))
}

/// A typing signal as the customer's side hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypingLine {
    /// Its place.
    pub index: Index,
    /// Who types.
    pub from: ParticipantId,
    /// Started or stopped.
    pub started: bool,
    /// When.
    pub at: Millis,
}

/// The message object of a typing signal; `None` from anybody but an agent or a supervisor: the widget shows no other, and
/// what an agent has not sent yet is not the customer's to read.
#[must_use]
pub fn typing(line: TypingLine, cast: &impl Cast) -> Option<Bytes> {
    let speaker = cast.speaker(line.from)?;
    if !matches!(speaker.role, Role::Agent | Role::Supervisor) {
        return None;
    }
    Some(write(&Message {
        index: line.index,
        kind: if line.started {
            "TypingStarted"
        } else {
            "TypingStopped"
        },
        text: None,
        url: None,
        utc_time: line.at,
        from: From::known(line.from, speaker),
        content_type: None,
        content: None,
    }))
}

const fn name(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Text => "Text",
        MessageKind::PushUrl => "PushUrl",
        MessageKind::Notice => "Notice",
        MessageKind::CustomNotice => "CustomNotice",
    }
}

#[derive(Clone, Copy)]
enum Spoken<'a> {
    None,
    Text(&'a str),
    Address(&'a str),
}

impl<'a> Spoken<'a> {
    const fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::None | Self::Address(_) => None,
        }
    }

    const fn address(self) -> Option<&'a str> {
        match self {
            Self::Address(address) => Some(address),
            Self::None | Self::Text(_) => None,
        }
    }
}

/// The whole object. A field that is not here cannot be set by anybody.
#[derive(Serialize)]
struct Message<'a> {
    index: Index,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(rename = "utcTime")]
    utc_time: Millis,
    from: From<'a>,
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<[Content<'a>; 1]>,
}

#[derive(Serialize)]
struct From<'a> {
    #[serde(rename = "type")]
    role: Role,
    nickname: &'a str,
    #[serde(rename = "participantId")]
    participant: Identity,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Identity {
    Participant(ParticipantId),
    Service(&'static str),
}

impl<'a> From<'a> {
    const fn known(participant: ParticipantId, speaker: Speaker<'a>) -> Self {
        Self {
            role: speaker.role,
            nickname: speaker.nickname,
            participant: Identity::Participant(participant),
        }
    }

    /// Whoever is unknown speaks as the service: a line without `from` ends the widget's polling for good.
    fn of(participant: Option<ParticipantId>, cast: &'a impl Cast) -> Self {
        let known = participant.and_then(|id| cast.speaker(id).map(|speaker| Self::known(id, speaker)));
        known.unwrap_or(Self {
            role: Role::External,
            nickname: "",
            participant: Identity::Service("service"),
        })
    }
}

#[derive(Serialize)]
struct Content<'a> {
    id: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    mime: &'a str,
    name: &'a str,
    url: String,
}

fn write(message: &Message<'_>) -> Bytes {
    // Texts and numbers only: writing them into memory cannot fail.
    Bytes::from(serde_json::to_vec(message).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::super::index::Bases;
    use super::*;
    use crate::model::{Body, LeaveReason, MediaId, MessageId, Visibility};

    struct OneAgent;

    const AGENT: ParticipantId = ParticipantId(Uuid::from_u128(1));
    const CUSTOMER: ParticipantId = ParticipantId(Uuid::from_u128(2));

    impl Cast for OneAgent {
        fn speaker(&self, participant: ParticipantId) -> Option<Speaker<'_>> {
            let (role, nickname) = match participant {
                AGENT => (Role::Agent, "Bob"),
                CUSTOMER => (Role::Customer, "Ann"),
                _ => return None,
            };
            Some(Speaker { role, nickname })
        }
    }

    fn record(event: SessionEvent, body: &str) -> Record<SessionEvent> {
        Record {
            at: Millis(1_732_345_678_901),
            cause: None,
            event,
            body: Body::text(body),
        }
    }

    fn said(from: Option<ParticipantId>, kind: MessageKind) -> SessionEvent {
        SessionEvent::Message {
            id: MessageId(Uuid::nil()),
            from,
            kind,
            visibility: Visibility::All,
        }
    }

    fn read(event: SessionEvent, body: &str) -> Value {
        let index = Index::record(4, &Bases::default());
        let bytes = message(index, &record(event, body), &OneAgent).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_text_has_exactly_the_fields_of_the_contract() {
        assert_eq!(
            read(said(Some(AGENT), MessageKind::Text), "hi"),
            json!({
                "index": "1000000000040000", "type": "Text", "text": "hi", "utcTime": 1_732_345_678_901_u64,
                "from": {"type": "Agent", "nickname": "Bob", "participantId": AGENT.to_string()},
            })
        );
    }

    #[test]
    fn an_address_travels_in_url() {
        let line = read(said(Some(AGENT), MessageKind::PushUrl), "https://example.com/");
        assert_eq!(
            (&line["type"], &line["url"]),
            (&json!("PushUrl"), &json!("https://example.com/"))
        );
    }

    #[test]
    fn what_the_service_says_is_external_and_has_a_from() {
        for from in [None, Some(ParticipantId(Uuid::from_u128(9)))] {
            let line = read(said(from, MessageKind::Text), "Please wait.");
            assert_eq!(line["from"]["type"], "External");
            assert!(line["from"]["participantId"].is_string() && line["from"]["nickname"].is_string());
        }
    }

    #[test]
    fn coming_and_going_name_who() {
        let joined = read(
            SessionEvent::Joined {
                participant: CUSTOMER,
                role: Role::Customer,
                agent: None,
                transport: None,
                visibility: Visibility::All,
            },
            "Ann",
        );
        assert_eq!(joined["type"], "ParticipantJoined");
        assert_eq!(
            joined["from"],
            json!({"type": "Customer", "nickname": "Ann", "participantId": CUSTOMER.to_string()})
        );
        let left = read(
            SessionEvent::Left {
                participant: AGENT,
                reason: LeaveReason::Left,
            },
            "",
        );
        assert_eq!(
            (&left["type"], &left["from"]["type"]),
            (&json!("ParticipantLeft"), &json!("Agent"))
        );
    }

    fn file() -> Record<SessionEvent> {
        record(
            SessionEvent::File {
                id: MessageId(Uuid::nil()),
                from: AGENT,
                media: MediaId(Uuid::from_u128(5)),
                mime: "image/png".to_owned(),
                length: 3,
                visibility: Visibility::All,
            },
            "a.png",
        )
    }

    #[test]
    fn a_picture_has_the_one_shape_the_widget_draws() {
        let session = LogId::from_bytes([7; 16]);
        let index = Index::record(4, &Bases::default());
        let line: Value =
            serde_json::from_slice(&picture(index, 4, session, &file(), &OneAgent).unwrap()).unwrap();
        assert_eq!(
            (&line["type"], &line["contentType"]),
            (&json!("Text"), &json!("attachments"))
        );
        assert_eq!(
            line["content"],
            json!([{
                "id": "1", "type": "image", "mime": "image/png", "name": "a.png",
                "url": format!("/sessions/{session}/images/4"),
            }])
        );
    }

    #[test]
    fn elsewhere_a_picture_is_a_text_that_names_the_file() {
        let index = Index::record(4, &Bases::default());
        let line: Value = serde_json::from_slice(&message(index, &file(), &OneAgent).unwrap()).unwrap();
        assert_eq!((&line["type"], &line["text"]), (&json!("Text"), &json!("a.png")));
        assert!(line.get("content").is_none() && line.get("contentType").is_none());
    }

    #[test]
    fn only_agents_and_supervisors_are_seen_typing_and_never_what() {
        let line = |from| TypingLine {
            index: Index::signal(4, 2, &Bases::default()),
            from,
            started: true,
            at: Millis(5),
        };
        let seen: Value = serde_json::from_slice(&typing(line(AGENT), &OneAgent).unwrap()).unwrap();
        assert_eq!(
            (&seen["type"], &seen["index"]),
            (&json!("TypingStarted"), &json!("1000000000040002"))
        );
        assert!(seen.get("text").is_none());
        assert!(typing(line(CUSTOMER), &OneAgent).is_none());
    }

    #[test]
    fn what_breaks_a_batch_is_never_written() {
        let words = serde_json::to_string(&read(said(Some(CUSTOMER), MessageKind::Text), "hi")).unwrap();
        for word in ["FileUploaded", "html", "custom", "bubble", "avatar", "System"] {
            assert!(!words.contains(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_text_arrives_as_it_was_said(text in "\\PC{0,100}", control in any::<char>()) {
            let text = format!("{text}{control}<b>\"\\");
            prop_assert_eq!(&read(said(Some(CUSTOMER), MessageKind::Text), &text)["text"], &json!(text));
        }
    }
}
