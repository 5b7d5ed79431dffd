//! The bodies of chat v3 requests (`contracts/chat-v3.md` 2.3, 2.6, 2.8, 2.9), from either encoding.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::protocol::body::Fields;
use crate::protocol::envelope::{Code, Fault};

/// Characters of a name.
const NAME: usize = 128;
/// Bytes of an `operationId`.
const OPERATION: usize = 256;

/// Opens a chat, or resumes one when a token comes along.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateChat {
    /// The caller's correlation id.
    pub operation: Option<String>,
    /// What the customer is called: the nickname, else the first name. A resume has none.
    pub nickname: Option<String>,
    /// Name of the endpoint; `None` means the tenant's default.
    pub endpoint: Option<String>,
    /// Name of the stream.
    pub stream: Option<String>,
    /// Every field of the form under its own name, and `userData` as an object.
    pub profile: Map<String, Value>,
}

impl CreateChat {
    /// Reads `data[…]`.
    ///
    /// # Errors
    /// 400 with the field's name.
    pub fn read(fields: &Fields) -> Result<Self, Fault> {
        let name = match text(fields, &["data", "nickname"])? {
            Some(nickname) => Some(nickname),
            None => text(fields, &["data", "firstName"])?,
        };
        let nickname = name.map(clean_name).filter(|name| !name.is_empty());
        if nickname.as_ref().is_some_and(|name| name.chars().count() > NAME) {
            return Err(Fault::new(Code::BadValue).detail("data.nickname"));
        }
        let owned = |key| text(fields, &["data", key]).map(|value| value.map(str::to_owned));
        let (endpoint, stream) = (owned("endpoint")?, owned("stream")?);
        let mut profile = fields.object(&["data"]);
        profile.remove("endpoint");
        profile.remove("stream");
        profile.insert(
            "userData".to_owned(),
            Value::Object(fields.object(&["data", "userData"])),
        );
        Ok(Self {
            operation: operation(fields)?,
            nickname,
            endpoint,
            stream,
            profile,
        })
    }
}

/// Says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendMessage {
    /// The caller's correlation id.
    pub operation: Option<String>,
    /// What.
    pub sent: Sent,
}

/// What a customer may send. Nothing else of the body is read, so nothing else can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Words, never empty. The bytes are those of the body.
    Text(Bytes),
    /// The customer types; the text so far.
    TypingStarted(Bytes),
    /// The customer has paused.
    TypingStopped(Bytes),
}

impl SendMessage {
    /// Reads `data[type]` and `data[text]`.
    ///
    /// # Errors
    /// 400 with the field's name.
    pub fn read(fields: &Fields) -> Result<Self, Fault> {
        let said = fields
            .shared_text(&["data", "text"])
            .map_err(|_| Fault::new(Code::BadValue).detail("data.text"))?;
        let sent = match text(fields, &["data", "type"])? {
            Some("Text" | "Message") => {
                Sent::Text(said.ok_or(Fault::new(Code::MissingField).detail("data.text"))?)
            }
            Some("TypingStarted") => Sent::TypingStarted(said.unwrap_or_default()),
            Some("TypingStopped") => Sent::TypingStopped(said.unwrap_or_default()),
            Some(_) => return Err(Fault::new(Code::BadValue).detail("data.type")),
            None => return Err(Fault::new(Code::MissingField).detail("data.type")),
        };
        Ok(Self {
            operation: operation(fields)?,
            sent,
        })
    }
}

/// Changes attached data.
#[derive(Debug, Clone, PartialEq)]
pub struct UserData {
    /// The caller's correlation id.
    pub operation: Option<String>,
    /// The keys and their new values.
    pub data: Map<String, Value>,
}

impl UserData {
    /// Reads `data[…]`.
    ///
    /// # Errors
    /// 400 when there is nothing to change.
    pub fn read(fields: &Fields) -> Result<Self, Fault> {
        let data = fields.object(&["data"]);
        if data.is_empty() {
            return Err(Fault::new(Code::MissingField).detail("data"));
        }
        Ok(Self {
            operation: operation(fields)?,
            data,
        })
    }
}

/// Leaves the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// The caller's correlation id.
    pub operation: Option<String>,
}

impl Leave {
    /// Reads the `operationId`, which may be absent with everything else.
    ///
    /// # Errors
    /// 400 when it is unusable.
    pub fn read(fields: &Fields) -> Result<Self, Fault> {
        Ok(Self {
            operation: operation(fields)?,
        })
    }
}

fn operation(fields: &Fields) -> Result<Option<String>, Fault> {
    correlation(text(fields, &["operationId"])?)
}

/// The correlation id: any text of at most 256 bytes.
pub(super) fn correlation(id: Option<&str>) -> Result<Option<String>, Fault> {
    match id {
        Some(id) if id.len() > OPERATION => Err(Fault::new(Code::BadValue).detail("operationId")),
        id => Ok(id.map(str::to_owned)),
    }
}

/// A text at a path; whatever is there that is no text is named in the refusal.
pub(super) fn text<'f>(fields: &'f Fields, path: &[&str]) -> Result<Option<&'f str>, Fault> {
    fields
        .text(path)
        .map_err(|_| Fault::new(Code::BadValue).detail(path.join(".")))
}

/// A name without what cannot be seen or turns the reading direction of what stands beside it.
fn clean_name(name: &str) -> String {
    let kept = name.chars().filter(|char| {
        !char.is_control()
            && !matches!(char, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    });
    kept.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use serde_json::json;

    use super::*;
    use crate::protocol::body::{JsonDecoder, Limits, decode_form};

    fn form(text: &str) -> Fields {
        decode_form(BytesMut::from(text), &Limits::default()).unwrap()
    }

    fn json(value: &Value) -> Fields {
        let body = BytesMut::from(value.to_string().as_bytes());
        JsonDecoder::new(Limits::default()).decode(body).unwrap()
    }

    const CREATE: &str = "data%5BfirstName%5D=Ann&data%5BlastName%5D=Lee&data%5Bnickname%5D=Ann\
        &data%5Bendpoint%5D=ep1&data%5Bstream%5D=live&data%5Bemail%5D=ann%40example.com&data%5Bsubject%5D=Help+me\
        &data%5Bcolour%5D=blue&data%5BuserData%5D%5Bk1%5D=v1&data%5BuserData%5D%5B_genesys_source%5D=web\
        &data%5BuserData%5D%5B_genesys_referrer%5D=&operationId=ca6c-9b-a9";

    #[test]
    fn the_create_form_of_the_widget_is_read_whole() {
        let create = CreateChat::read(&form(CREATE)).unwrap();
        assert_eq!(create.nickname.as_deref(), Some("Ann"));
        assert_eq!(create.endpoint.as_deref(), Some("ep1"));
        assert_eq!(create.stream.as_deref(), Some("live"));
        assert_eq!(create.operation.as_deref(), Some("ca6c-9b-a9"));
        assert_eq!(
            Value::Object(create.profile),
            json!({
                "firstName": "Ann", "lastName": "Lee", "nickname": "Ann", "email": "ann@example.com",
                "subject": "Help me", "colour": "blue",
                "userData": {"k1": "v1", "_genesys_source": "web", "_genesys_referrer": ""},
            })
        );
    }

    #[test]
    fn a_json_create_reads_as_the_form_does() {
        let body = json!({
            "operationId": "ca6c-9b-a9",
            "data": {
                "firstName": "Ann", "lastName": "Lee", "nickname": "Ann", "endpoint": "ep1", "stream": "live",
                "email": "ann@example.com", "subject": "Help me", "colour": "blue",
                "userData": {"k1": "v1", "_genesys_source": "web", "_genesys_referrer": ""},
            },
        });
        assert_eq!(CreateChat::read(&json(&body)), CreateChat::read(&form(CREATE)));
    }

    #[test]
    fn without_a_nickname_the_first_name_counts() {
        let create = |body| CreateChat::read(&form(body)).unwrap().nickname;
        assert_eq!(
            create("data[nickname]=&data[firstName]=Ann").as_deref(),
            Some("Ann")
        );
        assert_eq!(create("data[endpoint]=x"), None);
        assert_eq!(create("data[nickname]=+%00+"), None);
    }

    #[test]
    fn a_name_cannot_turn_the_line_it_stands_in() {
        let create = CreateChat::read(&form("data[nickname]=A%E2%80%AEnn%0A")).unwrap();
        assert_eq!(create.nickname.as_deref(), Some("Ann"));
    }

    #[test]
    fn an_operation_id_is_not_required_anywhere() {
        assert_eq!(
            CreateChat::read(&form("data[ChatProfile]=x")).unwrap().operation,
            None
        );
        assert_eq!(Leave::read(&form("")).unwrap().operation, None);
    }

    #[test]
    fn texts_and_typing_are_told_apart() {
        let sent = |body| SendMessage::read(&form(body)).unwrap().sent;
        assert_eq!(
            sent("operationId=1&data[type]=Text&data[text]=hello+you"),
            Sent::Text("hello you".into())
        );
        assert_eq!(
            sent("data[type]=TypingStarted&data[text]=h"),
            Sent::TypingStarted("h".into())
        );
        assert_eq!(
            sent("data[type]=TypingStopped&data[text]="),
            Sent::TypingStopped(Bytes::new())
        );
    }

    #[test]
    fn a_send_names_the_field_that_is_wrong() {
        let refused = |body| SendMessage::read(&form(body)).unwrap_err();
        assert_eq!(refused("data[text]=x").detail.as_deref(), Some("data.type"));
        assert_eq!(refused("data[type]=Image&data[text]=x").code, Code::BadValue);
        assert_eq!(
            refused("data[type]=Text&data[text]=").detail.as_deref(),
            Some("data.text")
        );
        let number = json!({"data": {"type": "Text", "text": 5}});
        assert_eq!(
            SendMessage::read(&json(&number)).unwrap_err().code,
            Code::BadValue
        );
    }

    #[test]
    fn user_data_may_be_nested_and_may_not_be_nothing() {
        let read = UserData::read(&form("data[a]=1&data[b][c]=2&operationId=x")).unwrap();
        assert_eq!(Value::Object(read.data), json!({"a": "1", "b": {"c": "2"}}));
        assert_eq!(
            UserData::read(&form("operationId=x")).unwrap_err().code,
            Code::MissingField
        );
    }

    #[test]
    fn an_overlong_name_or_operation_id_is_refused() {
        let name = format!("data[nickname]={}", "x".repeat(129));
        assert_eq!(CreateChat::read(&form(&name)).unwrap_err().code, Code::BadValue);
        let operation = format!("operationId={}", "x".repeat(257));
        assert_eq!(Leave::read(&form(&operation)).unwrap_err().code, Code::BadValue);
    }
}
