//! What a bot is asked, whatever its dialect.

use serde_json::{Map, Value};

use crate::model::{LogId, Media, Millis};

/// One turn of a conversation: it is the bot's.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Whose conversation.
    pub session: LogId,
    /// Number of the record that is answered. With the session it names the turn.
    pub n: u64,
    /// The bot's name in this tenant.
    pub bot: String,
    /// What kind of conversation.
    pub media: Media,
    /// The customer's language, a BCP 47 tag.
    pub locale: Option<String>,
    /// What it is asked to answer.
    pub said: Said,
    /// What is attached to the session.
    pub user_data: Map<String, Value>,
    /// The last lines before this turn that the customer could see, oldest first.
    pub history: Vec<Line>,
}

impl Turn {
    /// The turn's id over all attempts: the session and the number, ASCII without dots.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.session.uuid().simple(), self.n)
    }

    /// What cloud bots keep the conversation under: 36 characters, the most they take.
    pub(super) fn conversation(&self) -> String {
        self.session.uuid().hyphenated().to_string()
    }
}

/// What a bot is asked to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet: it is to greet.
    Start,
    /// The customer's words.
    Text(String),
    /// One of the choices the bot had offered.
    Choice {
        /// As the customer read it.
        label: String,
        /// As the bot knows it.
        payload: String,
    },
}

impl Said {
    /// What a bot that only reads words is told; `None`: nothing was said yet.
    pub(super) fn words(&self) -> Option<&str> {
        match self {
            Self::Start => None,
            Self::Text(text) => Some(text),
            Self::Choice { payload, .. } => Some(payload),
        }
    }
}

/// A line of the conversation so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who said it.
    pub voice: Voice,
    /// The words.
    pub text: String,
    /// When.
    pub at: Millis,
}

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The customer.
    Customer,
    /// A bot.
    Bot,
    /// An agent.
    Agent,
    /// The service itself.
    Service,
}

impl Voice {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Bot => "bot",
            Self::Agent => "agent",
            Self::Service => "service",
        }
    }
}
