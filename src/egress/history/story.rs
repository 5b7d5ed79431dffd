//! A session read from its first record to its end, as history keeps it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::{
    Body, LogId, MediaId, MessageKind, Millis, ParticipantId, Record, SessionEvent, Visibility,
};
use crate::protocol::ucs::{Line, Sent, Speaker, Transcript};
use crate::provisioning::masking::Masker;
use crate::session::{About, Session, visible_to_agent, visible_to_customer};
use crate::shard::{ShardError, Shards};

use super::who::{self, CONTACT, object};

/// Records read at once.
const PAGE: usize = 256;
/// Bytes of text a transcript holds.
const TEXT_MAX: usize = 8 * 1_024 * 1_024;

/// What is known of a session up to its end.
pub(super) struct Story {
    state: Session,
    profile: Map<String, Value>,
    learned: Map<String, Value>,
    contact: Option<String>,
    lines: Vec<Line>,
    room: usize,
    closed: Option<(u64, Millis)>,
    files: BTreeSet<MediaId>,
}

impl Story {
    fn new() -> Self {
        Self {
            state: Session::default(),
            profile: Map::new(),
            learned: Map::new(),
            contact: None,
            lines: Vec::new(),
            room: TEXT_MAX,
            closed: None,
            files: BTreeSet::new(),
        }
    }

    /// Reads a session from the store, all of it. What changes about it after its end is not read: the same bytes again.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) async fn read(shards: &Shards, log: LogId, masker: &Masker) -> Result<Self, ShardError<()>> {
        let mut story = Self::new();
        let mut next = 1;
        loop {
            let page = shards.session_page_forward(log, next, PAGE).await?;
            for entry in &page {
                story.take(entry.n, &entry.record, masker);
            }
            match page.last() {
                Some(last) if page.len() >= PAGE && story.closed.is_none() => next = last.n + 1,
                _ => return Ok(story),
            }
        }
    }

    fn take(&mut self, n: u64, record: &Record<SessionEvent>, masker: &Masker) {
        if self.closed.is_some() {
            return;
        }
        self.state.apply(n, record);
        match &record.event {
            SessionEvent::Opened { .. } => self.profile = object(&record.body),
            SessionEvent::UserData { .. } => {
                if let Some(contact) = who::attached(record) {
                    self.contact = Some(contact);
                }
                self.learned
                    .extend(who::learned(&self.state, record).into_iter().flatten());
            }
            SessionEvent::Closed { .. } => self.closed = Some((n, record.at)),
            SessionEvent::File { media, .. } => {
                self.files.insert(*media);
            }
            _ => {}
        }
        self.say(n, record, masker);
    }

    /// Adds a line, if the record is one that agents see.
    fn say(&mut self, n: u64, record: &Record<SessionEvent>, masker: &Masker) {
        if !visible_to_agent(&self.state, record, Visibility::Agent) {
            return;
        }
        let (kind, from, file) = match &record.event {
            SessionEvent::Message { from, kind, .. } => (word(*kind), *from, None),
            SessionEvent::File {
                from, mime, length, ..
            } => {
                let sent = Sent {
                    mime: mime.clone(),
                    length: *length,
                };
                ("File", Some(*from), Some(sent))
            }
            SessionEvent::Joined { participant, .. } => ("Joined", Some(*participant), None),
            SessionEvent::Left { participant, .. } => ("Left", Some(*participant), None),
            SessionEvent::Recovered { from, .. } => ("Recovered", *from, None),
            _ => return,
        };
        let text = match (&record.body, kind) {
            (Body::Present(_), "Text" | "PushUrl" | "Notice" | "CustomNotice" | "File" | "Recovered") => {
                Some(masker.mask(record.body.as_str()).into_owned())
            }
            _ => None,
        };
        let length = text.as_ref().map_or(0, String::len);
        if length > self.room {
            // From here on nothing is kept, so that what is kept has no hole.
            self.room = 0;
            return;
        }
        if self.room == 0 {
            return;
        }
        self.room -= length;
        self.lines.push(Line {
            n,
            time: record.at,
            kind,
            from: from.and_then(|id| self.speaker(id)),
            audience: (!visible_to_customer(&self.state, record)).then_some("agents"),
            text,
            file,
        });
    }

    fn speaker(&self, id: ParticipantId) -> Option<Speaker> {
        let known = self.state.participants().get(id)?;
        Some(Speaker {
            role: known.role,
            name: known.nickname.clone(),
            agent_id: known.agent.as_ref().map(|agent| agent.as_str().to_owned()),
        })
    }

    /// What it was opened with; `None` of a log that is not a session yet.
    pub(super) fn about(&self) -> Option<&About> {
        self.state.about()
    }

    /// The state at its end, or as far as it goes.
    pub(super) const fn state(&self) -> &Session {
        &self.state
    }

    /// What the customer said of themselves.
    pub(super) const fn profile(&self) -> &Map<String, Value> {
        &self.profile
    }

    /// What agents and services attached.
    pub(super) const fn learned(&self) -> &Map<String, Value> {
        &self.learned
    }

    /// The contact a service has attached.
    pub(super) fn contact(&self) -> Option<&str> {
        self.contact.as_deref()
    }

    /// Files that were sent in it.
    pub(super) const fn files(&self) -> &BTreeSet<MediaId> {
        &self.files
    }

    /// When it ended, if it has.
    pub(super) fn ended(&self) -> Option<Millis> {
        self.closed.map(|(_, at)| at)
    }

    /// What was attached when it opened: scalars only, masked; who the customer is is said elsewhere.
    pub(super) fn opening_data(&self, masker: &Masker) -> Map<String, Value> {
        let data = self.profile.get("userData").and_then(Value::as_object);
        let scalars = data.into_iter().flatten().filter_map(|(name, value)| {
            let value = match value {
                Value::String(text) => Value::from(masker.mask(text).into_owned()),
                Value::Number(number) => Value::from(masker.mask(&number.to_string()).into_owned()),
                Value::Bool(_) => value.clone(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            (name != CONTACT).then(|| (name.clone(), value))
        });
        scalars.collect()
    }

    /// Everything that was said, up to the end. Takes it out.
    pub(super) fn transcript(&mut self, session: LogId) -> Transcript {
        Transcript {
            interaction_id: session,
            up_to: self.closed.map_or(0, |(n, _)| n),
            complete: self.room > 0,
            lines: std::mem::take(&mut self.lines),
        }
    }
}

const fn word(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Text => "Text",
        MessageKind::PushUrl => "PushUrl",
        MessageKind::Notice => "Notice",
        MessageKind::CustomNotice => "CustomNotice",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::model::{
        AgentId, CloseReason, LeaveReason, Media, MessageId, Role, TenantId, Terms, UserDataChange,
    };

    const ANN: ParticipantId = ParticipantId(Uuid::from_u128(1));
    const AL: ParticipantId = ParticipantId(Uuid::from_u128(2));
    const SUE: ParticipantId = ParticipantId(Uuid::from_u128(3));

    fn opened() -> (SessionEvent, Body) {
        let event = SessionEvent::Opened {
            tenant: TenantId(Uuid::nil()),
            media: Media::Chat,
            endpoint: "web".to_owned(),
            stream: None,
            locale: None,
            asynchronous: false,
            terms: Arc::new(Terms::default()),
        };
        let profile = json!({"email": "ann@example.com",
            "userData": {"order": 77, "vip": true, "list": [1], "ContactId": "stolen"}});
        (event, Body::text(&profile.to_string()))
    }

    fn joined(participant: ParticipantId, role: Role, name: &str) -> (SessionEvent, Body) {
        let supervisor = role == Role::Supervisor;
        let event = SessionEvent::Joined {
            participant,
            role,
            agent: (role != Role::Customer).then(|| "alice".parse::<AgentId>().unwrap()),
            transport: None,
            visibility: if supervisor {
                Visibility::Supervisor
            } else {
                Visibility::All
            },
        };
        (event, Body::text(name))
    }

    fn said(from: Option<ParticipantId>, visibility: Visibility, text: &str) -> (SessionEvent, Body) {
        let event = SessionEvent::Message {
            id: MessageId(Uuid::nil()),
            from,
            kind: MessageKind::Text,
            visibility,
        };
        (event, Body::text(text))
    }

    fn attached(by: Option<ParticipantId>, contact: &str) -> (SessionEvent, Body) {
        let change = UserDataChange::Attach;
        let body = json!({ CONTACT: contact }).to_string();
        (SessionEvent::UserData { by, change }, Body::text(&body))
    }

    fn story(records: Vec<(SessionEvent, Body)>) -> Story {
        let mut story = Story::new();
        for (n, (event, body)) in (1..).zip(records) {
            let record = Record {
                at: Millis(n),
                cause: None,
                event,
                body,
            };
            story.take(n, &record, &Masker::default());
        }
        story
    }

    #[test]
    fn a_transcript_has_what_agents_saw_up_to_the_end_and_nothing_after() {
        let reason = CloseReason::Customer;
        let mut story = story(vec![
            opened(),
            joined(ANN, Role::Customer, "Ann"),
            said(Some(ANN), Visibility::All, "hello"),
            joined(AL, Role::Agent, "Al"),
            said(Some(AL), Visibility::Agent, "a regular"),
            joined(SUE, Role::Supervisor, "Sue"),
            said(Some(SUE), Visibility::Supervisor, "hm"),
            (
                SessionEvent::Left {
                    participant: AL,
                    reason: LeaveReason::Left,
                },
                Body::None,
            ),
            said(None, Visibility::All, "bye"),
            (SessionEvent::Closed { reason }, Body::None),
            said(Some(ANN), Visibility::All, "late"),
        ]);
        assert_eq!(story.ended(), Some(Millis(10)));
        let transcript = story.transcript(LogId::from_bytes([1; 16]));
        assert!(transcript.complete);
        assert_eq!(transcript.up_to, 10);
        let lines = transcript.lines.iter().map(|line| {
            let name = line.from.as_ref().map_or("", |from| from.name.as_str());
            (line.n, line.kind, name, line.audience, line.text.as_deref())
        });
        let lines = lines.collect::<Vec<_>>();
        assert_eq!(
            lines,
            [
                (2, "Joined", "Ann", None, None),
                (3, "Text", "Ann", None, Some("hello")),
                (4, "Joined", "Al", None, None),
                (5, "Text", "Al", Some("agents"), Some("a regular")),
                (8, "Left", "Al", None, None),
                (9, "Text", "", None, Some("bye")),
            ]
        );
    }

    #[test]
    fn who_the_customer_is_only_a_service_says() {
        let claimed = story(vec![opened(), attached(Some(ANN), "stolen")]);
        assert_eq!(claimed.contact(), None);
        let known = story(vec![
            opened(),
            attached(None, "0000DEMO0001"),
            attached(Some(ANN), "x"),
        ]);
        assert_eq!(known.contact(), Some("0000DEMO0001"));
    }

    #[test]
    fn what_a_customer_is_called_agents_and_services_say() {
        let told = |by: Option<ParticipantId>, name: &str| {
            let change = UserDataChange::Attach;
            let body = json!({ "LastName": name }).to_string();
            (SessionEvent::UserData { by, change }, Body::text(&body))
        };
        let known = story(vec![
            opened(),
            joined(ANN, Role::Customer, "Ann"),
            joined(AL, Role::Agent, "Al"),
            told(Some(AL), "Lee"),
            told(Some(ANN), "Mallory"),
        ]);
        assert_eq!(known.learned()["LastName"], "Lee");
    }

    #[test]
    fn attached_data_leaves_as_scalars() {
        let data = story(vec![opened()]).opening_data(&Masker::default());
        assert_eq!(Value::Object(data), json!({"order": "77", "vip": true}));
    }

    #[test]
    fn a_conversation_too_long_keeps_its_beginning_without_a_hole() {
        let long = "x".repeat(60 * 1_024);
        let mut records = vec![opened(), joined(ANN, Role::Customer, "Ann")];
        records.extend((0..200).map(|_| said(Some(ANN), Visibility::All, &long)));
        records.push(said(Some(ANN), Visibility::All, "short"));
        let transcript = story(records).transcript(LogId::from_bytes([1; 16]));
        assert!(!transcript.complete);
        let numbers: Vec<u64> = transcript.lines.iter().map(|line| line.n).collect();
        assert_eq!(numbers, (2..2 + numbers.len() as u64).collect::<Vec<_>>());
        assert!(numbers.len() > 100 && numbers.len() < 200);
    }
}
