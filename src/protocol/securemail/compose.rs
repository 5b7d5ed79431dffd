//! What a portal writes: a mail of its customer's, or that a mail was read.

use serde_json::{Map, Value};

use crate::model::MediaId;
use crate::protocol::body::Fields;
use crate::protocol::envelope::{Code, Fault};

use super::query::{Whose, bad, text};

/// Characters of a mail.
const TEXT: usize = 16_000;
/// Characters of a subject.
const SUBJECT: usize = 250;
/// Characters of a name.
const NAME: usize = 100;
/// Bytes of the name of a file.
const FILE_NAME: usize = 255;
/// Files of one mail.
const FILES: usize = 10;
/// Bytes of the id of a mail.
const ID: usize = 64;

/// A mail.
#[derive(Debug, Clone, PartialEq)]
pub struct Compose {
    /// Whose.
    pub whose: Whose,
    /// What the customer is called.
    pub name: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// The words, never empty.
    pub text: String,
    /// The mail it answers.
    pub reply_to: Option<String>,
    /// Files that were uploaded before.
    pub attachments: Vec<Attached>,
    /// What is attached to the interaction.
    pub user_data: Map<String, Value>,
}

/// A file of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Which.
    pub id: MediaId,
    /// Its name as the customer knows it.
    pub name: Option<String>,
}

impl Compose {
    /// Reads `data[…]`.
    ///
    /// # Errors
    /// 400 or 413 with the field's name.
    pub fn read(fields: &Fields) -> Result<Self, Fault> {
        let short = |name: &'static str, most: usize| match text(fields, &["data", name])? {
            Some(value) if value.chars().count() > most => Err(bad(name)),
            Some(value) if value.chars().any(char::is_control) => Err(bad(name)),
            value => Ok(value
                .map(str::trim)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)),
        };
        let said = text(fields, &["data", "text"])?;
        let said = said.filter(|said| !said.trim().is_empty());
        let said = said.ok_or(Fault::new(Code::MissingField).detail("text"))?;
        if said.chars().count() > TEXT {
            return Err(Fault::new(Code::TooLarge).detail("text"));
        }
        let mut data = fields.object(&["data"]);
        Ok(Self {
            whose: Whose::read(fields, &["data"])?,
            name: short("name", NAME)?,
            subject: short("subject", SUBJECT)?,
            text: said.to_owned(),
            reply_to: short("replyTo", ID)?,
            attachments: attachments(data.remove("attachments"))?,
            user_data: match data.remove("userData") {
                None | Some(Value::Null) => Map::new(),
                Some(Value::Object(members)) => members,
                Some(_) => return Err(bad("userData")),
            },
        })
    }
}

/// Each is an id, or an object with `id` and `name`.
fn attachments(given: Option<Value>) -> Result<Vec<Attached>, Fault> {
    let list = match given {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(bad("attachments")),
    };
    if list.len() > FILES {
        return Err(Fault::new(Code::TooManyFiles).detail("attachments"));
    }
    list.iter()
        .map(|file| {
            let (id, name) = match file {
                Value::String(id) => (Some(id.as_str()), None),
                Value::Object(members) => (
                    members.get("id").and_then(Value::as_str),
                    members.get("name").and_then(Value::as_str),
                ),
                _ => (None, None),
            };
            let id = id
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| bad("attachments"))?;
            if name.is_some_and(|name| name.len() > FILE_NAME) {
                return Err(bad("attachments"));
            }
            Ok(Attached {
                id,
                name: name.map(str::to_owned),
            })
        })
        .collect()
}

/// What is said of a mail: that it was read. Nothing else can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark;

impl Mark {
    /// Reads `data[status]`.
    ///
    /// # Errors
    /// 400 unless it is `read`.
    pub fn read(fields: &Fields) -> Result<Self, Fault> {
        match text(fields, &["data", "status"])? {
            Some("read") => Ok(Self),
            Some(_) => Err(bad("status")),
            None => Err(Fault::new(Code::MissingField).detail("status")),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::body::{JsonDecoder, Limits, decode_form};

    const FILE: &str = "0191f5e0-7c1a-4b2c-8d3e-4f5a6b7c8d9e";

    fn decoded(bytes: &[u8]) -> Option<Fields> {
        JsonDecoder::new(Limits::default())
            .decode(BytesMut::from(bytes))
            .ok()
    }

    fn compose(data: Value) -> Result<Compose, Fault> {
        Compose::read(&decoded(json!({"data": data}).to_string().as_bytes()).unwrap())
    }

    #[test]
    fn a_whole_mail_is_read() {
        let mail = compose(json!({
            "address": "Ann@mail.example", "securebox": "bank01", "name": "Ann Lee", "subject": "My card",
            "text": "Please send\na new one.", "replyTo": "0.1",
            "attachments": [FILE, {"id": FILE, "name": "a.pdf"}], "userData": {"tier": "gold"},
        }))
        .unwrap();
        assert_eq!(mail.whose.address.as_str(), "ann@mail.example");
        assert_eq!(
            (mail.name.as_deref(), mail.subject.as_deref()),
            (Some("Ann Lee"), Some("My card"))
        );
        assert_eq!(mail.text, "Please send\na new one.");
        assert_eq!(mail.attachments.len(), 2);
        assert_eq!(mail.attachments[1].name.as_deref(), Some("a.pdf"));
        assert_eq!(mail.user_data["tier"], "gold");
    }

    #[test]
    fn a_form_says_the_same() {
        let form = format!("data[address]=a%40b&data[text]=hi&data[attachments][0]={FILE}");
        let form = decode_form(BytesMut::from(form.as_str()), &Limits::default()).unwrap();
        let json = compose(json!({"address": "a@b", "text": "hi", "attachments": [FILE]})).unwrap();
        assert_eq!(Compose::read(&form).unwrap(), json);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            (json!({"text": "x"}), "address"),
            (json!({"address": "a@b"}), "text"),
            (json!({"address": "a@b", "text": "  "}), "text"),
            (json!({"address": "a@b", "text": "x".repeat(16_001)}), "text"),
            (
                json!({"address": "a@b", "text": "x", "subject": "a\r\nBcc: b"}),
                "subject",
            ),
            (
                json!({"address": "a@b", "text": "x", "name": "x".repeat(101)}),
                "name",
            ),
            (
                json!({"address": "a@b", "text": "x", "attachments": ["../1"]}),
                "attachments",
            ),
            (
                json!({"address": "a@b", "text": "x", "attachments": "x"}),
                "attachments",
            ),
            (
                json!({"address": "a@b", "text": "x", "attachments": vec![FILE; 11]}),
                "attachments",
            ),
            (
                json!({"address": "a@b", "text": "x", "userData": "x"}),
                "userData",
            ),
        ];
        for (data, field) in wrong {
            assert_eq!(
                compose(data.clone()).unwrap_err().detail.as_deref(),
                Some(field),
                "{data}"
            );
        }
    }

    #[test]
    fn a_mail_can_only_become_read() {
        let mark = |status: Value| {
            Mark::read(&decoded(json!({"data": {"status": status}}).to_string().as_bytes()).unwrap())
        };
        assert!(mark(json!("read")).is_ok());
        assert!(mark(json!("unread")).is_err() && mark(json!(1)).is_err() && mark(json!("")).is_err());
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(fields) = decoded(&bytes) {
                let _ = (Compose::read(&fields), Mark::read(&fields));
            }
        }

        #[test]
        fn the_words_come_through_as_they_were_written(words in "\\PC{1,200}") {
            let read = compose(json!({"address": "a@b", "text": words}));
            match words.trim().is_empty() {
                true => prop_assert!(read.is_err()),
                false => prop_assert_eq!(read.unwrap().text, words),
            }
        }
    }
}
