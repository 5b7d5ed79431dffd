//! The External Service Protocol over HTTP: `POST /<service>/<method>` with `{"Parameters": {…}, "UserData": {…}}`, and one
//! flat JSON answer, `{"Result": "ok", …}` or `{"FaultCode": …, "FaultString": …}` (`contracts/connections.md` section 5).

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{LogId, MessageKind, Visibility};
use crate::protocol::body::Fields;
use crate::protocol::envelope::{Code, Fault};

/// The methods of service `Chat`.
pub const METHODS: [&str; 7] = [
    "Message",
    "Notice",
    "GetMessages",
    "Close",
    "SetNickname",
    "AttachUserData",
    "TransferToAgent",
];

/// The longest wait for messages.
pub const WAIT_MAX: Duration = Duration::from_secs(25);
/// Characters of a text.
const TEXT_MAX: usize = 4_096;

/// What a strategy asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Says something.
    Message(Words),
    /// The strategy types, or no longer does.
    Typing(bool),
    /// Waits for what is said.
    GetMessages {
        /// Nothing up to this number is wanted.
        after: u64,
        /// How long to wait where there is nothing yet; at most [`WAIT_MAX`].
        wait: Duration,
    },
    /// Ends the chat, or does not.
    Close(AfterAction),
    /// Gives the strategy a name that the customer sees.
    SetNickname(String),
    /// Attaches data.
    AttachUserData(Map<String, Value>),
    /// Sends the session on.
    TransferToAgent(Transfer),
}

/// Words of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What they are.
    pub kind: MessageKind,
    /// The words or the address.
    pub text: String,
    /// A plain line of the service, whatever the strategy's name.
    pub system: bool,
    /// Who may see them.
    pub visibility: Visibility,
}

/// What becomes of a chat that the strategy is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterAction {
    /// It ends if no agent holds it.
    #[default]
    CloseIfNoAgents,
    /// It ends.
    ForceClose,
    /// It goes on.
    KeepAlive,
}

/// Whom a session is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What is named: `AgentId`, `AgentGroup`, `Skill` or `Queue`.
    pub kind: TransferKind,
    /// Its name.
    pub name: String,
    /// Larger is served first; absent takes the queue's.
    pub priority: Option<i32>,
    /// How long an agent has to accept; absent takes the queue's.
    pub timeout: Option<Duration>,
}

/// What a transfer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferKind {
    /// An agent by login.
    Agent,
    /// A group of agents.
    Group,
    /// A skill.
    Skill,
    /// A queue.
    Queue,
}

/// The chat a call is about: user data `ChatSessionId`, else `InteractionId`.
///
/// # Errors
/// 400 where neither is given, 404 where it is none of ours.
pub fn session(fields: &Fields) -> Result<LogId, Fault> {
    for name in ["ChatSessionId", "InteractionId"] {
        let text = fields
            .text(&["UserData", name])
            .map_err(|_| bad("UserData.ChatSessionId"))?;
        match (name, text.map(str::parse)) {
            (_, Some(Ok(session))) => return Ok(session),
            ("InteractionId", Some(Err(_))) => return Err(Code::NotFound.into()),
            // The platform's own number of the interaction may stand there, and ours beside it.
            (_, Some(Err(_)) | None) => {}
        }
    }
    Err(Fault::new(Code::MissingField).detail("UserData.ChatSessionId"))
}

impl Method {
    /// Reads a call of service `Chat`. Parameters that are not known are left alone: strategies written for the classic
    /// server send more.
    ///
    /// # Errors
    /// 404 for a method that is not there, 400 naming the parameter.
    pub fn read(name: &str, fields: &Fields) -> Result<Self, Fault> {
        let parameters = Parameters(fields);
        Ok(match name {
            "Message" => Self::Message(parameters.words(MessageKind::Text, "MessageText")?),
            "Notice" => parameters.notice()?,
            "GetMessages" => {
                let wait = parameters.number("WaitSec", 0, WAIT_MAX.as_secs())?.unwrap_or(0);
                Self::GetMessages {
                    after: parameters.number("AfterIndex", 0, u64::MAX)?.unwrap_or(0),
                    wait: Duration::from_secs(wait),
                }
            }
            "Close" => Self::Close(match parameters.text("AfterAction")?.unwrap_or("") {
                "" | "CloseIfNoAgents" => AfterAction::CloseIfNoAgents,
                "ForceClose" => AfterAction::ForceClose,
                "KeepAlive" => AfterAction::KeepAlive,
                _ => return Err(bad("Parameters.AfterAction")),
            }),
            "SetNickname" => Self::SetNickname(parameters.required("Nickname")?.to_owned()),
            "AttachUserData" => {
                let data = fields.object(&["Parameters"]);
                if data.is_empty() {
                    return Err(missing("Parameters"));
                }
                Self::AttachUserData(data)
            }
            "TransferToAgent" => Self::TransferToAgent(parameters.transfer()?),
            _ => return Err(Code::NotFound.into()),
        })
    }
}

struct Parameters<'a>(&'a Fields);

impl<'a> Parameters<'a> {
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, Fault> {
        let text = self.0.text(&["Parameters", name]);
        text.map_err(|_| bad(name))
    }

    fn required(&self, name: &'static str) -> Result<&'a str, Fault> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A whole number or its digits: key-value lists know both.
    fn number(&self, name: &'static str, least: u64, most: u64) -> Result<Option<u64>, Fault> {
        let value = match self.0.object(&["Parameters"]).remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        let value = value.filter(|value| (least..=most).contains(value));
        value.map(Some).ok_or_else(|| bad(name))
    }

    fn words(&self, kind: MessageKind, name: &'static str) -> Result<Words, Fault> {
        let text = self.required(name)?;
        if text.chars().count() > TEXT_MAX {
            return Err(Fault::new(Code::TooLarge).detail(name));
        }
        if !matches!(self.text("MessageType")?, None | Some("text")) {
            return Err(bad("MessageType"));
        }
        Ok(Words {
            kind,
            text: text.to_owned(),
            system: match self.text("TreatAs")? {
                None | Some("Normal") => false,
                Some("System") => true,
                Some(_) => return Err(bad("TreatAs")),
            },
            visibility: match self.text("Visibility")? {
                None | Some("All") => Visibility::All,
                Some("Agent" | "Int") => Visibility::Agent,
                Some("Supervisor" | "Vip") => Visibility::Supervisor,
                Some(_) => return Err(bad("Visibility")),
            },
        })
    }

    fn notice(&self) -> Result<Method, Fault> {
        let kind = match self.required("NoticeType")? {
            "USER_PUSHED_URL" => MessageKind::PushUrl,
            "USER_TYPING_STARTED" => return Ok(Method::Typing(true)),
            "USER_TYPING_STOPPED" => return Ok(Method::Typing(false)),
            "USER_NOTICE" => MessageKind::Notice,
            "USER_CUSTOM_NOTICE" => MessageKind::CustomNotice,
            _ => return Err(bad("NoticeType")),
        };
        let words = self.words(kind, "NoticeText")?;
        let address = ["https://", "http://"]
            .iter()
            .any(|scheme| words.text.starts_with(scheme));
        if kind == MessageKind::PushUrl && !address {
            return Err(bad("NoticeText"));
        }
        Ok(Method::Message(words))
    }

    fn transfer(&self) -> Result<Transfer, Fault> {
        const NAMES: [(&str, TransferKind); 4] = [
            ("AgentId", TransferKind::Agent),
            ("AgentGroup", TransferKind::Group),
            ("Skill", TransferKind::Skill),
            ("Queue", TransferKind::Queue),
        ];
        let mut found = None;
        for (name, kind) in NAMES {
            if let Some(text) = self.text(name)?
                && found.replace((kind, text.to_owned())).is_some()
            {
                return Err(bad("one of AgentId, AgentGroup, Skill, Queue"));
            }
        }
        let (kind, name) = found.ok_or_else(|| missing("one of AgentId, AgentGroup, Skill, Queue"))?;
        let priority = self.number("Priority", 0, 1_000_000)?;
        let timeout = self.number("TimeoutSec", 3, 3_600)?;
        Ok(Transfer {
            kind,
            name,
            priority: priority.and_then(|priority| i32::try_from(priority).ok()),
            timeout: timeout.map(Duration::from_secs),
        })
    }
}

fn missing(name: &'static str) -> Fault {
    Fault::new(Code::MissingField).detail(name)
}

fn bad(name: &'static str) -> Fault {
    Fault::new(Code::BadValue).detail(name)
}

/// The body of a fault: the HTTP status as a number, and what is wrong in words.
#[must_use]
pub fn fault(fault: &Fault) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Told<'a> {
        fault_code: u16,
        fault_string: &'a str,
    }
    let message = fault.code.message();
    let named = fault.detail.as_ref().map(|detail| format!("{message} {detail}"));
    let told = Told {
        fault_code: fault.code.status(),
        fault_string: named.as_deref().unwrap_or(message),
    };
    // Texts and numbers into memory cannot fail.
    Bytes::from(serde_json::to_vec(&told).unwrap_or_default())
}

/// The body of a success: `{"Result": "ok"}` and what else there is to say.
#[must_use]
pub fn done(mut more: Map<String, Value>) -> Bytes {
    more.insert("Result".to_owned(), "ok".into());
    Bytes::from(Value::Object(more).to_string())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::body::{JsonDecoder, Limits};

    fn fields(json: &Value) -> Fields {
        let text = json.to_string();
        JsonDecoder::new(Limits::default())
            .decode(BytesMut::from(text.as_str()))
            .unwrap()
    }

    fn read(name: &str, parameters: Value) -> Result<Method, Fault> {
        Method::read(name, &fields(&json!({"Parameters": parameters})))
    }

    #[test]
    fn the_documented_message_is_understood() {
        let parameters = json!({"MessageText": "An agent will be with you shortly", "MessageType": "text",
            "TreatAs": "System", "Visibility": "All"});
        let words = Words {
            kind: MessageKind::Text,
            text: "An agent will be with you shortly".to_owned(),
            system: true,
            visibility: Visibility::All,
        };
        assert_eq!(read("Message", parameters), Ok(Method::Message(words)));
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (method, parameters, code, name) in [
            ("Message", json!({}), Code::MissingField, "MessageText"),
            (
                "Message",
                json!({"MessageText": 7}),
                Code::BadValue,
                "MessageText",
            ),
            (
                "Message",
                json!({"MessageText": "x", "TreatAs": "King"}),
                Code::BadValue,
                "TreatAs",
            ),
            (
                "Notice",
                json!({"NoticeType": "USER_PUSHED_URL", "NoticeText": "javascript:x"}),
                Code::BadValue,
                "NoticeText",
            ),
            ("GetMessages", json!({"WaitSec": 26}), Code::BadValue, "WaitSec"),
            (
                "GetMessages",
                json!({"AfterIndex": "x"}),
                Code::BadValue,
                "AfterIndex",
            ),
            (
                "TransferToAgent",
                json!({"AgentId": "a", "Queue": "q"}),
                Code::BadValue,
                "one of AgentId, AgentGroup, Skill, Queue",
            ),
        ] {
            let fault = read(method, parameters).unwrap_err();
            assert_eq!(
                (fault.code, fault.detail.as_deref()),
                (code, Some(name)),
                "{method}"
            );
        }
        assert_eq!(read("Dance", json!({"a": "b"})).unwrap_err().code, Code::NotFound);
    }

    #[test]
    fn the_chat_is_named_by_either_id_and_the_platforms_own_number_is_passed_over() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let of = |data: Value| session(&fields(&json!({"UserData": data})));
        assert_eq!(
            of(json!({"ChatSessionId": id, "InteractionId": "000A1aDEMO001"})),
            Ok(id.parse().unwrap())
        );
        assert_eq!(of(json!({"InteractionId": id})), Ok(id.parse().unwrap()));
        assert_eq!(
            of(json!({"InteractionId": "000A1a"})).unwrap_err().code,
            Code::NotFound
        );
        assert_eq!(of(json!({"Other": "x"})).unwrap_err().code, Code::MissingField);
    }

    #[test]
    fn a_fault_is_flat_and_has_the_status_as_its_code() {
        let told: Value =
            serde_json::from_slice(&fault(&Fault::new(Code::Conflict).detail("the chat is over"))).unwrap();
        assert_eq!(told["FaultCode"], 409);
        assert!(
            told["FaultString"]
                .as_str()
                .unwrap()
                .ends_with("the chat is over")
        );
        assert_eq!(told.as_object().unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn any_call_is_read_calmly(method in 0..METHODS.len(), name in "[A-Za-z]{1,12}", text in "\\PC{0,40}", number: i64) {
            for value in [json!(text), json!(number), json!([text]), json!({"a": text})] {
                let mut parameters = Map::new();
                parameters.insert(name.clone(), value);
                let body = fields(&json!({"Parameters": parameters, "UserData": parameters}));
                let _ = Method::read(METHODS[method], &body);
                let _ = session(&body);
            }
        }

        #[test]
        fn a_text_comes_through_as_it_was_sent(text in "\\PC{1,200}") {
            let method = read("Message", json!({"MessageText": text}));
            let Ok(Method::Message(words)) = method else { return Err(TestCaseError::fail("not a message")) };
            prop_assert_eq!(words.text, text);
        }
    }
}
