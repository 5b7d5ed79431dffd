//! What one mail says: of a session's records those that make it up.

use serde_json::{Map, Value};

use crate::model::{Body, MediaId, ParticipantId, Record, SessionEvent, Visibility};

/// The contents of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who wrote it; `None`: the service.
    pub from: Option<ParticipantId>,
    /// What it is about, where it says so itself.
    pub subject: Option<String>,
    /// The words; `None` once they were erased.
    pub text: Option<String>,
    /// Its files, in order.
    pub files: Vec<Enclosure>,
}

/// A file of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// The stored bytes.
    pub media: MediaId,
    /// Its type.
    pub mime: String,
    /// Bytes.
    pub length: u64,
    /// Its name.
    pub name: String,
}

impl Letter {
    /// The mail whose first record is the first of these; `None` where no mail begins. The customer's files follow their
    /// words in the same append; what the contact centre says and sends is a mail each.
    #[must_use]
    pub fn read<'r>(
        records: impl IntoIterator<Item = &'r Record<SessionEvent>>,
        customer: Option<ParticipantId>,
    ) -> Option<Self> {
        let mut records = records.into_iter();
        let first = records.next()?;
        match &first.event {
            SessionEvent::Message {
                from,
                visibility: Visibility::All,
                ..
            } => {
                let of_customer = from.is_some() && *from == customer;
                let rest: Vec<_> = records
                    .take_while(|record| of_customer && continues(record, customer))
                    .collect();
                Some(Self {
                    from: *from,
                    subject: rest.iter().copied().find_map(subject),
                    text: text(first),
                    files: rest.into_iter().filter_map(enclosure).collect(),
                })
            }
            SessionEvent::File {
                from,
                visibility: Visibility::All,
                ..
            } if Some(*from) != customer => Some(Self {
                from: Some(*from),
                subject: None,
                text: Some(String::new()),
                files: enclosure(first).into_iter().collect(),
            }),
            _ => None,
        }
    }
}

fn continues(record: &Record<SessionEvent>, customer: Option<ParticipantId>) -> bool {
    match &record.event {
        SessionEvent::Threaded => true,
        SessionEvent::File { from, .. } => Some(*from) == customer,
        _ => false,
    }
}

fn enclosure(record: &Record<SessionEvent>) -> Option<Enclosure> {
    let SessionEvent::File {
        media, mime, length, ..
    } = &record.event
    else {
        return None;
    };
    Some(Enclosure {
        media: *media,
        mime: mime.clone(),
        length: *length,
        name: record.body.as_str().to_owned(),
    })
}

fn subject(record: &Record<SessionEvent>) -> Option<String> {
    if !matches!(record.event, SessionEvent::Threaded) {
        return None;
    }
    let thread: Map<String, Value> = serde_json::from_str(record.body.as_str()).ok()?;
    thread.get("subject").and_then(Value::as_str).map(str::to_owned)
}

fn text(record: &Record<SessionEvent>) -> Option<String> {
    (record.body != Body::Erased).then(|| record.body.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{MessageId, MessageKind, Millis};

    const CUSTOMER: ParticipantId = ParticipantId(Uuid::from_u128(1));
    const AGENT: ParticipantId = ParticipantId(Uuid::from_u128(2));

    fn record(event: SessionEvent, body: &str) -> Record<SessionEvent> {
        Record {
            at: Millis(1),
            cause: None,
            event,
            body: Body::text(body),
        }
    }

    fn words(from: Option<ParticipantId>, visibility: Visibility, text: &str) -> Record<SessionEvent> {
        let id = MessageId(Uuid::nil());
        record(
            SessionEvent::Message {
                id,
                from,
                kind: MessageKind::Text,
                visibility,
            },
            text,
        )
    }

    fn file(from: ParticipantId, name: &str) -> Record<SessionEvent> {
        let (id, media) = (MessageId(Uuid::nil()), MediaId(Uuid::nil()));
        let mime = "application/pdf".to_owned();
        record(
            SessionEvent::File {
                id,
                from,
                media,
                mime,
                length: 3,
                visibility: Visibility::All,
            },
            name,
        )
    }

    #[test]
    fn a_customers_files_belong_to_their_words() {
        let records = [
            words(Some(CUSTOMER), Visibility::All, "see there"),
            record(SessionEvent::Threaded, r#"{"subject":"My card"}"#),
            file(CUSTOMER, "a.pdf"),
            file(CUSTOMER, "b.pdf"),
            words(Some(CUSTOMER), Visibility::All, "and more"),
            file(CUSTOMER, "c.pdf"),
        ];
        let letter = Letter::read(&records, Some(CUSTOMER)).unwrap();
        assert_eq!(letter.text.as_deref(), Some("see there"));
        assert_eq!(letter.subject.as_deref(), Some("My card"));
        let names: Vec<_> = letter.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.pdf", "b.pdf"]);
    }

    #[test]
    fn what_an_agent_sends_is_a_mail_each() {
        let records = [words(Some(AGENT), Visibility::All, "here"), file(AGENT, "a.pdf")];
        assert!(Letter::read(&records, Some(CUSTOMER)).unwrap().files.is_empty());
        assert_eq!(
            Letter::read(&records[1..], Some(CUSTOMER)).unwrap().files.len(),
            1
        );
    }

    #[test]
    fn what_customers_do_not_see_is_no_mail() {
        for hidden in [Visibility::Agent, Visibility::Supervisor] {
            assert_eq!(
                Letter::read(&[words(Some(AGENT), hidden, "psst")], Some(CUSTOMER)),
                None
            );
        }
        assert_eq!(
            Letter::read(&[record(SessionEvent::Threaded, "{}")], Some(CUSTOMER)),
            None
        );
        assert_eq!(Letter::read(&[file(CUSTOMER, "a.pdf")], Some(CUSTOMER)), None);
        assert_eq!(Letter::read(&[], Some(CUSTOMER)), None);
    }
}
