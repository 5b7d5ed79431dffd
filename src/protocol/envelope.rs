//! The envelope of every answer, in its two dialects, and the table of everything that can be refused.
//!
//! String codes (`SUCCESS`, `INVALID_SESSION` …) under `/nexus/v3/chat`, `/chat/v3` and `/nexus/v3/securemail`
//! (`contracts/chat-v3.md` 2.2); numeric codes elsewhere (`contracts/connections.md` 1.2). The dialect is fixed by path.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

/// How an answer is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// String codes.
    Chat,
    /// Numeric codes.
    Numeric,
}

impl Dialect {
    /// The dialect spoken under a path, whether or not a route exists there.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        const CHAT: [&str; 3] = ["/nexus/v3/chat", "/chat/v3", "/nexus/v3/securemail"];
        let speaks_chat = CHAT.iter().any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        });
        if speaks_chat { Self::Chat } else { Self::Numeric }
    }
}

/// Why a request was refused. Each has one HTTP status and one code per dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body or the query could not be read at all.
    Malformed,
    /// A required field is absent.
    MissingField,
    /// A field has a value it may not have.
    BadValue,
    /// Chat: no name given.
    InvalidNickname,
    /// Chat: no such endpoint.
    InvalidEndpoint,
    /// Neither key nor token.
    NoCredentials,
    /// Unknown, disabled or expired API key.
    BadApiKey,
    /// Unknown, expired or forged token.
    BadToken,
    /// Chat: the endpoint wants an authenticated customer.
    AuthenticationRequired,
    /// The signature over the body is absent or wrong.
    BadSignature,
    /// The credentials are good and do not permit this.
    Forbidden,
    /// No such resource, or another tenant's.
    NotFound,
    /// Chat: no such session, or it is over.
    InvalidSession,
    /// Chat: no such participant in this session.
    InvalidParticipant,
    /// The resource exists and does not know this method.
    MethodNotAllowed,
    /// The state of the resource does not permit this now.
    Conflict,
    /// Something with this id exists.
    Duplicate,
    /// The idempotency key was used with another body.
    KeyReused,
    /// The body is larger than allowed.
    TooLarge,
    /// Chat: the file is larger than allowed.
    FileTooLarge,
    /// Chat: the session has taken all the files it may.
    TooManyFiles,
    /// The type of body or file is not taken.
    UnsupportedType,
    /// Too many requests.
    Throttled,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The request line is too long.
    UriTooLong,
    /// The header is too large or has too many fields.
    HeadersTooLarge,
    /// An `Expect` other than `100-continue`.
    ExpectationFailed,
    /// The WebSocket version is not 13.
    UpgradeRequired,
    /// Our fault.
    Internal,
    /// A peer answered nonsense.
    BadGateway,
    /// The log, or what else this needs, is away.
    Unavailable,
    /// A peer did not answer in time.
    GatewayTimeout,
}

impl Code {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 32] = [
        Self::Malformed,
        Self::MissingField,
        Self::BadValue,
        Self::InvalidNickname,
        Self::InvalidEndpoint,
        Self::NoCredentials,
        Self::BadApiKey,
        Self::BadToken,
        Self::AuthenticationRequired,
        Self::BadSignature,
        Self::Forbidden,
        Self::NotFound,
        Self::InvalidSession,
        Self::InvalidParticipant,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::Duplicate,
        Self::KeyReused,
        Self::TooLarge,
        Self::FileTooLarge,
        Self::TooManyFiles,
        Self::UnsupportedType,
        Self::Throttled,
        Self::RequestTimeout,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::ExpectationFailed,
        Self::UpgradeRequired,
        Self::Internal,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
    ];

    /// The numeric code; its first three digits are the HTTP status.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Malformed => 40001,
            Self::MissingField | Self::InvalidNickname => 40002,
            Self::BadValue | Self::InvalidEndpoint => 40003,
            Self::NoCredentials | Self::AuthenticationRequired => 40101,
            Self::BadApiKey => 40102,
            Self::BadToken => 40103,
            Self::BadSignature => 40104,
            Self::Forbidden => 40301,
            Self::NotFound | Self::InvalidSession | Self::InvalidParticipant => 40401,
            Self::MethodNotAllowed => 40501,
            Self::RequestTimeout => 40801,
            Self::Conflict => 40901,
            Self::Duplicate => 40902,
            Self::TooLarge | Self::FileTooLarge | Self::TooManyFiles => 41301,
            Self::UriTooLong => 41401,
            Self::UnsupportedType => 41501,
            Self::ExpectationFailed => 41701,
            Self::KeyReused => 42201,
            Self::UpgradeRequired => 42601,
            Self::Throttled => 42901,
            Self::HeadersTooLarge => 43101,
            Self::Internal => 50001,
            Self::BadGateway => 50201,
            Self::Unavailable => 50301,
            Self::GatewayTimeout => 50401,
        }
    }

    /// The string code of chat v3.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed | Self::MissingField | Self::BadValue => "INVALID_PARAMETER",
            Self::InvalidNickname => "INVALID_NICKNAME",
            Self::InvalidEndpoint => "INVALID_ENDPOINT",
            Self::NoCredentials | Self::BadApiKey => "INVALID_CONTACT_CENTER",
            Self::BadToken => "INVALID_CLIENT_TOKEN",
            Self::AuthenticationRequired => "AUTHENTICATION_REQUIRED",
            Self::InvalidSession => "INVALID_SESSION",
            Self::InvalidParticipant => "INVALID_PARTICIPANT",
            Self::FileTooLarge => "LIMIT_FILE_SIZE",
            Self::TooManyFiles => "LIMIT_FILE_COUNT",
            Self::UnsupportedType => "INVALID_FILE_TYPE",
            Self::BadSignature
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Conflict
            | Self::Duplicate
            | Self::KeyReused
            | Self::TooLarge
            | Self::Throttled
            | Self::RequestTimeout
            | Self::UriTooLong
            | Self::HeadersTooLarge
            | Self::ExpectationFailed
            | Self::UpgradeRequired
            | Self::Internal
            | Self::BadGateway
            | Self::Unavailable
            | Self::GatewayTimeout => "FAILURE",
        }
    }

    /// The HTTP status.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "three digits fit")]
    pub const fn status(self) -> u16 {
        (self.number() / 100) as u16
    }

    /// What a person reads; during a chat the widget shows it to the customer word for word.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "The request could not be read.",
            Self::MissingField => "A required field is missing.",
            Self::BadValue => "A field has a value that is not allowed.",
            Self::InvalidNickname => "Please give your first name.",
            Self::InvalidEndpoint => "This chat is not available.",
            Self::NoCredentials => "An API key or a token is required.",
            Self::BadApiKey => "The API key is not valid.",
            Self::BadToken => "The token is not valid.",
            Self::AuthenticationRequired => "Please sign in to chat.",
            Self::BadSignature => "The signature is missing or wrong.",
            Self::Forbidden => "This is not permitted.",
            Self::NotFound => "There is nothing here.",
            Self::InvalidSession => "This chat has ended or does not exist.",
            Self::InvalidParticipant => "This participant is not in the chat.",
            Self::MethodNotAllowed => "This method is not allowed here.",
            Self::Conflict => "This is not possible in the present state.",
            Self::Duplicate => "Something with this id already exists.",
            Self::KeyReused => "The idempotency key was used for another request.",
            Self::TooLarge => "The request is too large.",
            Self::FileTooLarge => "The file is too large.",
            Self::TooManyFiles => "No more files can be sent in this chat.",
            Self::UnsupportedType => "This type of file or body is not accepted.",
            Self::Throttled => "Too many requests. Please wait a moment.",
            Self::RequestTimeout => "The request did not arrive in time.",
            Self::UriTooLong => "The address is too long.",
            Self::HeadersTooLarge => "The request header is too large.",
            Self::ExpectationFailed => "This expectation cannot be met.",
            Self::UpgradeRequired => "WebSocket version 13 is required.",
            Self::Internal => "Something went wrong on our side.",
            Self::BadGateway => "A service behind this one gave a bad answer.",
            Self::Unavailable => "The service is not available right now. Please try again.",
            Self::GatewayTimeout => "A service behind this one did not answer in time.",
        }
    }
}

/// A refusal as it is told to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub code: Code,
    /// Which field, which limit: for developers. Never holds what the caller sent, never a secret.
    pub detail: Option<Cow<'static, str>>,
    /// When to come back.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A refusal without detail.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            retry_after: None,
        }
    }

    /// Says which field or limit.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub const fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The log, or what else this needs, is away for a moment.
    #[must_use]
    pub const fn unavailable(after: Duration) -> Self {
        Self::new(Code::Unavailable).retry_after(after)
    }

    /// Too many requests; one more is welcome after this.
    #[must_use]
    pub const fn throttled(after: Duration) -> Self {
        Self::new(Code::Throttled).retry_after(after)
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self, dialect: Dialect, ids: &CallIds<'_>) -> Bytes {
        encode(dialect, ids, self.code, self.detail.as_deref(), None::<&()>)
    }
}

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

/// What identifies one call.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallIds<'a> {
    /// Ours, in every log line of the call.
    pub reference: &'a str,
    /// The caller's `operationId`, given back as it came.
    pub operation: Option<&'a str>,
}

/// The body of a success. `code` 1 of the numeric dialect is [`accepted`].
#[must_use]
pub fn success<T: Serialize>(dialect: Dialect, ids: &CallIds<'_>, data: &T) -> Bytes {
    let status = match dialect {
        Dialect::Chat => Status {
            code: Spelled::Name("SUCCESS"),
            message: None,
            detail: None,
        },
        Dialect::Numeric => Status {
            code: Spelled::Number(0),
            message: Some("OK"),
            detail: None,
        },
    };
    write(dialect, ids, status, Some(data))
}

/// The body of a numeric "accepted, the result follows as an event".
#[must_use]
pub fn accepted<T: Serialize>(ids: &CallIds<'_>, data: Option<&T>) -> Bytes {
    let status = Status {
        code: Spelled::Number(1),
        message: Some("accepted"),
        detail: None,
    };
    write(Dialect::Numeric, ids, status, data)
}

fn encode<T: Serialize>(
    dialect: Dialect,
    ids: &CallIds<'_>,
    code: Code,
    detail: Option<&str>,
    data: Option<&T>,
) -> Bytes {
    let spelled = match dialect {
        Dialect::Chat => Spelled::Name(code.name()),
        Dialect::Numeric => Spelled::Number(code.number()),
    };
    write(
        dialect,
        ids,
        Status {
            code: spelled,
            message: Some(code.message()),
            detail,
        },
        data,
    )
}

fn write<T: Serialize>(dialect: Dialect, ids: &CallIds<'_>, status: Status<'_>, data: Option<&T>) -> Bytes {
    let reference = (dialect == Dialect::Chat).then_some(ids.reference);
    let answer = Answer {
        reference_id: reference,
        operation_id: ids.operation,
        status,
        data,
    };
    // Serialising plain data into memory fails only if `data` has a map with keys that are not text.
    Bytes::from(serde_json::to_vec(&answer).unwrap_or_default())
}

#[derive(Serialize)]
struct Answer<'a, T> {
    #[serde(rename = "referenceId", skip_serializing_if = "Option::is_none")]
    reference_id: Option<&'a str>,
    #[serde(rename = "operationId", skip_serializing_if = "Option::is_none")]
    operation_id: Option<&'a str>,
    status: Status<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a T>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: Spelled,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Spelled {
    Name(&'static str),
    Number(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: CallIds<'_> = CallIds {
        reference: "r-1",
        operation: Some("op-1"),
    };

    #[test]
    fn the_dialect_follows_the_path_even_of_unknown_routes() {
        assert_eq!(Dialect::of_path("/nexus/v3/chat/nowhere"), Dialect::Chat);
        assert_eq!(Dialect::of_path("/chat/v3/sessions"), Dialect::Chat);
        assert_eq!(Dialect::of_path("/nexus/v3/chatter"), Dialect::Numeric);
        assert_eq!(Dialect::of_path("/nexus/v3/apikeys"), Dialect::Numeric);
    }

    #[test]
    fn a_chat_refusal_reads_as_the_widget_expects() {
        let body = Fault::new(Code::InvalidSession).body(Dialect::Chat, &IDS);
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["status"]["code"], "INVALID_SESSION");
        assert_eq!(json["referenceId"], "r-1");
        assert_eq!(json["operationId"], "op-1");
        assert!(json["status"]["message"].is_string());
    }

    #[test]
    fn a_numeric_refusal_names_its_field() {
        let fault = Fault::new(Code::MissingField).detail("data.name");
        let json: serde_json::Value = serde_json::from_slice(&fault.body(Dialect::Numeric, &IDS)).unwrap();
        assert_eq!(json["status"]["code"], 40002);
        assert_eq!(json["status"]["detail"], "data.name");
    }

    #[test]
    fn every_code_has_an_http_status_of_the_error_classes() {
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
        }
    }

    #[test]
    fn success_carries_its_data_in_both_dialects() {
        let chat = success(Dialect::Chat, &IDS, &serde_json::json!({"a": 1}));
        let json: serde_json::Value = serde_json::from_slice(&chat).unwrap();
        assert_eq!(
            (&json["status"]["code"], &json["data"]["a"]),
            (&"SUCCESS".into(), &1.into())
        );
        let numeric = success(Dialect::Numeric, &IDS, &serde_json::json!([]));
        assert!(numeric.starts_with(br#"{"operationId":"op-1","status":{"code":0"#));
    }
}
