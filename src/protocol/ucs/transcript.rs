//! A conversation as history keeps it, in one canonical form: the same records always give the same bytes.
//!
//! Members in this order, no spaces, times in UTC with milliseconds:
//!
//! ```json
//! {"interactionId":"…","upTo":9,"complete":true,"lines":[
//!  {"n":4,"time":"2026-01-15T10:00:00.000Z","type":"Text","from":{"role":"Customer","name":"Ann"},"text":"Hello"},
//!  {"n":5,"time":"…","type":"Text","from":{"role":"Agent","name":"Al","agentId":"alice"},"audience":"agents","text":"VIP"}]}
//! ```

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::{LogId, Millis, Role};
use crate::protocol::agent::timestamp;

/// Everything that was said in a session, up to its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// The session.
    pub interaction_id: LogId,
    /// Number of the record that ended it.
    pub up_to: u64,
    /// Whether every line is here; what is too long for a history loses its newest lines.
    pub complete: bool,
    /// What was said and who came and went, in order.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Number of its record.
    pub n: u64,
    /// When.
    #[serde(serialize_with = "utc")]
    pub time: Millis,
    /// `Text`, `PushUrl`, `Notice`, `CustomNotice`, `File`, `Joined`, `Left` or `Recovered`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who; `None`: the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Speaker>,
    /// `agents` for what the customer could not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<&'static str>,
    /// The words, masked by the tenant's rules; `None` where there are none, or they were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of a file: what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Sent>,
}

/// Who said a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Speaker {
    /// Their part.
    pub role: Role,
    /// Their name at that time.
    pub name: String,
    /// The agent behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
}

/// A file that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// The type found in its bytes.
    pub mime: String,
    /// Bytes.
    pub length: u64,
}

impl Transcript {
    /// The canonical form.
    #[must_use]
    pub fn canonical(&self) -> String {
        let Ok(text) = serde_json::to_string(self) else {
            unreachable!("plain data with text keys always has a JSON form")
        };
        text
    }

    /// The same, to stand in a larger body as it is.
    pub(super) fn raw(&self) -> Box<RawValue> {
        let Ok(raw) = RawValue::from_string(self.canonical()) else {
            unreachable!("what was written as JSON is JSON")
        };
        raw
    }
}

fn utc<S: Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(*at))
}

#[cfg(test)]
pub(super) fn sample() -> Transcript {
    let line = |n, kind, from, audience, text: &str| Line {
        n,
        time: Millis(1_768_471_200_000 + n),
        kind,
        from,
        audience,
        text: Some(text.to_owned()),
        file: None,
    };
    let ann = Speaker {
        role: Role::Customer,
        name: "Ann".to_owned(),
        agent_id: None,
    };
    let al = Speaker {
        role: Role::Agent,
        name: "Al".to_owned(),
        agent_id: Some("alice".to_owned()),
    };
    Transcript {
        interaction_id: LogId::from_bytes([0x11; 16]),
        up_to: 9,
        complete: true,
        lines: vec![
            line(4, "Text", Some(ann), None, "Hello \"* %\u{202e}\u{0}"),
            line(5, "Text", Some(al), Some("agents"), "VIP"),
            line(8, "Text", None, None, "Goodbye"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_canonical_form_is_this_and_no_other() {
        let id = LogId::from_bytes([0x11; 16]);
        let expected = [
            format!(r#"{{"interactionId":"{id}","upTo":9,"complete":true,"lines":["#),
            r#"{"n":4,"time":"2026-01-15T10:00:00.004Z","type":"Text","from":{"role":"Customer","name":"Ann"},"#.to_owned(),
            "\"text\":\"Hello \\\"* %\u{202e}\\u0000\"},".to_owned(),
            r#"{"n":5,"time":"2026-01-15T10:00:00.005Z","type":"Text","from":{"role":"Agent","name":"Al","#.to_owned(),
            r#""agentId":"alice"},"audience":"agents","text":"VIP"},"#.to_owned(),
            r#"{"n":8,"time":"2026-01-15T10:00:00.008Z","type":"Text","text":"Goodbye"}]}"#.to_owned(),
        ];
        assert_eq!(sample().canonical(), expected.concat());
    }

    proptest! {
        #[test]
        fn every_text_arrives_as_it_was_said(text: String) {
            let mut transcript = sample();
            transcript.lines[0].text = Some(text.clone());
            let read: serde_json::Value = serde_json::from_str(&transcript.canonical()).unwrap();
            prop_assert_eq!(read["lines"][0]["text"].as_str(), Some(text.as_str()));
        }
    }
}
