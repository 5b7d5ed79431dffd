//! What a server's answer says. Lenient where servers differ, strict where leniency would cost memory or trust.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::protocol::depth;

use super::fault::Fault;

/// The longest answer that is read, in bytes.
pub const MAX_BODY: usize = 4 << 20;
/// How deep an answer may nest.
pub const MAX_DEPTH: usize = 64;
/// The longest client id.
const MAX_CLIENT_ID: usize = 512;

/// An answer that is no array of messages, too long or too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// One message of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
    #[serde(default)]
    id: Value,
    #[serde(default, rename = "clientId")]
    client_id: Value,
    #[serde(default)]
    successful: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    pub(super) advice: Option<Value>,
    #[serde(default)]
    ext: Value,
    #[serde(default)]
    pub(super) subscription: Value,
    #[serde(default, rename = "supportedConnectionTypes")]
    connection_types: Value,
    #[serde(default, borrow)]
    pub(super) data: Option<&'a RawValue>,
}

impl Message<'_> {
    /// Whether this is the reply to a request with this id. One without an id is taken for it.
    pub(super) fn replies_to(&self, id: u64) -> bool {
        match &self.id {
            Value::String(text) => text.parse() == Ok(id),
            Value::Number(number) => number.as_u64() == Some(id),
            Value::Null => true,
            _ => false,
        }
    }

    /// Whether it names another client than this one.
    pub(super) fn is_for_another(&self, client_id: &str) -> bool {
        self.client_id.as_str().is_some_and(|other| other != client_id)
    }

    /// The id of a handshake's reply, if it is one that we would send back.
    pub(super) fn client_id(&self) -> Option<&str> {
        let id = self.client_id.as_str()?;
        let sound = !id.is_empty() && id.len() <= MAX_CLIENT_ID && !id.chars().any(char::is_control);
        sound.then_some(id)
    }

    pub(super) fn is_successful(&self) -> bool {
        self.successful == Value::Bool(true)
    }

    pub(super) fn fault(&self) -> Fault {
        self.error.as_str().map(Fault::read).unwrap_or_default()
    }

    /// Whether the server offers to keep and number batches.
    pub(super) fn offers_acks(&self) -> bool {
        self.ext["ack"] == Value::Bool(true)
    }

    /// The number of the batch this answer carries.
    pub(super) fn batch(&self) -> Option<u64> {
        self.ext["ack"].as_u64()
    }

    /// Whether long polling is among what a handshake agreed on; a server that names nothing does not object.
    pub(super) fn allows_long_polling(&self) -> bool {
        match &self.connection_types {
            Value::Array(types) => types.iter().any(|kind| kind == "long-polling"),
            _ => true,
        }
    }
}

/// An answer in parts.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) messages: Vec<Message<'a>>,
    /// Some elements are no messages: something may have been lost.
    pub(super) damaged: bool,
}

/// Reads an answer: an array of messages, or one message alone.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, Malformed> {
    if body.len() > MAX_BODY || !depth::within(body, MAX_DEPTH) {
        return Err(Malformed);
    }
    if let Ok(messages) = serde_json::from_slice(body) {
        return Ok(Answer {
            messages,
            damaged: false,
        });
    }
    if let Ok(message) = serde_json::from_slice(body) {
        return Ok(Answer {
            messages: vec![message],
            damaged: false,
        });
    }
    let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| Malformed)?;
    let messages = elements.iter().map(|element| serde_json::from_str(element.get()));
    Ok(Answer {
        messages: messages.filter_map(Result::ok).collect(),
        damaged: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_message_is_passed_over_and_remembered() {
        let answer =
            decode(br#"[{"channel":"/a","data":{"n":1}},7,{"channel":"/b","channel":"/c"}]"#).unwrap();
        assert_eq!(answer.messages.len(), 1);
        assert!(answer.damaged);
    }

    #[test]
    fn an_answer_that_nests_too_deeply_is_refused() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(decode(deep(64).as_bytes()).is_ok());
        assert_eq!(decode(deep(65).as_bytes()).unwrap_err(), Malformed);
    }

    #[test]
    fn a_reply_is_known_by_a_text_or_a_number_or_by_having_no_id() {
        for (reply, expected) in [
            (r#"{"channel":"/meta/connect","id":"7"}"#, true),
            (r#"{"channel":"/meta/connect","id":7}"#, true),
            (r#"{"channel":"/meta/connect"}"#, true),
            (r#"{"channel":"/meta/connect","id":"8"}"#, false),
        ] {
            assert_eq!(
                decode(reply.as_bytes()).unwrap().messages[0].replies_to(7),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn json_like_bytes_do_not_either(text in r#"[\[{]("(channel|id|ext|advice|data)":("/a"|7|null|\{\}|\[\]),?){0,6}[}\]]{1,2}"#) {
            let _ = decode(text.as_bytes());
        }
    }
}
