//! The operations, and what was recorded for each.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use nexus::model::{ChainHash, LogId, MessageId, Millis, ParticipantId, Position, Role, Spread, Visibility};
use nexus::net::websocket::encode_text;
use nexus::protocol::agent::{
    Message, MessageType, MessagesEvent, ParticipantView, Place, ServerFrame, decode_frame, timestamp,
};
use nexus::protocol::body::{JsonDecoder, Limits, decode_form};
use nexus::protocol::channel::{Account, CallbackRequest, provider};
use nexus::protocol::widget::SendMessage;
use serde_json::json;
use uuid::Uuid;

use super::MOST;
use super::chat::{Core, Keeps, REST};
use super::texts::{CUSTOMERS, Text};

const WORDS: &str = "Hello, I have a question about my order from last week: it has not arrived yet.";
const FORM: &[u8] = b"operationId=ca6c005844-9bceb-a97ef-344c2-84b99f010666dbc&data%5Btype%5D=Text\
    &data%5Btext%5D=Hello%2C+I+have+a+question+about+my+order+from+last+week%3A+it+has+not+arrived+yet.";
const PAIR: &str = "user:password";
const URL: &str = "https://digital.example.com/nexus/v3/aggregators/infobip/ch-1/inbound";
/// When all of this happens.
const AT: Millis = Millis(1_736_935_205_000);

/// Something the server does for one message.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// A text of a chat, as its widget sends it: the body to a message.
    WidgetText,
    /// The same as JSON.
    WidgetJson,
    /// A command of an agent: the text of a frame to a command.
    AgentIn,
    /// A message to an agent: encoded as an event, and framed.
    AgentOut,
    /// A text of an aggregator as JSON: its credential checked, its body read.
    Callback,
    /// A text of an aggregator as a form, from the head of its request to its answer: into an open session, in a store that takes no time.
    Text,
    /// A poll that brings nothing, from the head of its request to its answer.
    Poll,
}

/// An operation ready to be carried out.
pub type Run = Box<dyn FnMut()>;

impl Operation {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        [
            Self::WidgetText,
            Self::WidgetJson,
            Self::AgentIn,
            Self::AgentOut,
            Self::Callback,
            Self::Text,
            Self::Poll,
        ]
        .into_iter()
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::WidgetText => "widget/text/form",
            Self::WidgetJson => "widget/text/json",
            Self::AgentIn => "agent/command/in",
            Self::AgentOut => "agent/message/out",
            Self::Callback => "aggregator/text/json",
            Self::Text => "aggregator/text/whole",
            Self::Poll => "widget/poll/nothing-new",
        }
    }

    /// Allocations it was seen to make.
    pub fn allocations(self) -> u32 {
        match self {
            Self::WidgetText => 3,
            Self::WidgetJson => 3,
            Self::AgentIn => 0,
            Self::AgentOut => 2,
            Self::Callback => 20,
            Self::Text => 116,
            Self::Poll => 20,
        }
    }

    /// Instructions it was seen to take.
    pub fn instructions(self) -> u32 {
        match self {
            Self::WidgetText => 6_600,
            Self::WidgetJson => 4_900,
            Self::AgentIn => 7_500,
            Self::AgentOut => 9_500,
            Self::Callback => 18_500,
            Self::Text => 141_000,
            Self::Poll => 46_000,
        }
    }

    /// Everything it needs, made; and shown to work.
    pub fn ready(self) -> Result<Run> {
        Ok(match self {
            Self::WidgetText => {
                let read =
                    |body| SendMessage::read(&decode_form(body, &Limits::default()).unwrap_or_default());
                ensure!(read(BytesMut::from(FORM)).is_ok(), "the form cannot be read");
                Box::new(move || drop(black_box(read(BytesMut::from(FORM)))))
            }
            Self::WidgetJson => {
                let text = json!({"operationId": "ca6c005844-9bceb-a97ef-344c2-84b99f010666dbc",
                    "data": {"type": "Text", "text": WORDS}})
                .to_string();
                let mut decoder = JsonDecoder::new(Limits::default());
                let mut read = move || {
                    let body = BytesMut::from(text.as_bytes());
                    SendMessage::read(&decoder.decode(body).unwrap_or_default())
                };
                ensure!(read().is_ok(), "the document cannot be read");
                Box::new(move || drop(black_box(read())))
            }
            Self::AgentIn => {
                let text = json!({"cmd": "send-message", "cmdId": Uuid::from_u128(1), "session": log(), "message": WORDS,
                    "visibility": "All"})
                .to_string();
                ensure!(decode_frame(text.as_bytes()).is_ok(), "the frame cannot be read");
                Box::new(move || drop(black_box(decode_frame(black_box(text.as_bytes())))))
            }
            Self::AgentOut => {
                let (place, messages) = (place(), [message()]);
                Box::new(move || {
                    let event = MessagesEvent::new(place, black_box(&messages));
                    drop(black_box(encode_text(&ServerFrame::Messages(event).encode())));
                })
            }
            Self::Callback => callback()?,
            Self::Text => {
                let core = Core::start(Keeps::Memory)?;
                let mut texts = Text::many(CUSTOMERS + MOST as usize).into_iter();
                for first in texts.by_ref().take(CUSTOMERS) {
                    ensure!(core.take(&first)?.status().is_success(), "the text is refused");
                }
                core.idle(REST / 10);
                Box::new(move || {
                    let text = texts.next();
                    drop(black_box(text.map(|text| core.take(&text))));
                })
            }
            Self::Poll => {
                let core = Core::start(Keeps::Memory)?;
                let chat = core.chat()?;
                ensure!(core.poll(&chat)?.status().is_success(), "the poll is refused");
                Box::new(move || drop(black_box(core.poll(&chat))))
            }
        })
    }
}

fn callback() -> Result<Run> {
    let dialect = provider("infobip").context("no such provider")?;
    let account = Account {
        secrets: vec![PAIR.to_owned().into()],
        credentials: Some(json!({"apiKey": "k"}).to_string().into()),
        config: serde_json::Map::new(),
        url: None,
    };
    let proof = format!("Basic {}", STANDARD.encode(PAIR));
    let result = json!({"messageId": "1", "from": "12025550101", "to": "12025550199", "text": WORDS, "cleanText": WORDS,
        "receivedAt": "2025-01-15T10:00:05.000+0000", "smsCount": 1});
    let body = json!({"results": [result], "messageCount": 1, "pendingMessageCount": 0}).to_string();
    let body = Bytes::from(body);
    let take = move || {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", proof.as_str()),
        ];
        let request = CallbackRequest {
            method: "POST",
            url: URL,
            query: "",
            headers: &headers,
            body: &body,
            now: AT,
        };
        dialect.verify(&request, &account).is_ok() && black_box(dialect.inbound(&request)).is_ok()
    };
    ensure!(take(), "the callback is refused");
    Ok(Box::new(move || {
        black_box(take());
    }))
}

fn log() -> LogId {
    LogId::session(AT, [7; 10], Spread::of(&[b"costs"]))
}

fn place() -> Place {
    let at = Position {
        n: 42,
        hash: ChainHash([3; 8]),
    };
    Place::record(log(), at)
}

fn message() -> Message {
    Message {
        index: 42,
        message_id: Some(MessageId(Uuid::from_u128(2))),
        kind: MessageType::Text,
        text: Some(WORDS.to_owned()),
        erased: false,
        reason: None,
        file: None,
        delivery: None,
        visibility: Visibility::All,
        timestamp: timestamp(AT),
        timestamp_seconds: AT.0 / 1_000,
        from: Some(ParticipantView {
            participant_id: ParticipantId(Uuid::from_u128(3)),
            role: Role::Customer,
            nickname: "Ann".to_owned(),
            agent_id: None,
            visibility: Visibility::All,
        }),
    }
}
