//! Why a body was not taken. All of these are the sender's fault; the same body never passes later.

use crate::protocol::envelope::{Code, Fault};

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Neither form nor JSON, or for an upload not `multipart/form-data` with a boundary.
    #[error("unsupported content type")]
    ContentType,
    /// Not JSON.
    #[error("malformed json")]
    Json,
    /// JSON, but not an object.
    #[error("the body is not a json object")]
    NotAnObject,
    /// A `%` that no two hexadecimal digits follow.
    #[error("malformed percent escape")]
    Escape,
    /// Bytes that are not UTF-8.
    #[error("the body is not utf-8")]
    NotUtf8,
    /// See [`super::Limits::depth`].
    #[error("nested too deeply")]
    TooDeep,
    /// See [`super::Limits::keys`].
    #[error("too many keys")]
    TooManyKeys,
    /// See [`super::Limits::string`].
    #[error("a string is too long")]
    StringTooLong,
    /// See [`super::Limits::number`], or a number no double can hold.
    #[error("a number is too long")]
    NumberTooLong,
    /// Multipart that breaks its own format, or ends early.
    #[error("malformed multipart")]
    Multipart,
    /// The file of an upload is longer than allowed.
    #[error("the file is too large")]
    FileTooLarge,
    /// The body ended because the connection did, or because it is longer than allowed.
    #[error("the body could not be read")]
    Unreadable,
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::ContentType => Code::UnsupportedType,
            BodyError::FileTooLarge => Code::FileTooLarge,
            BodyError::StringTooLong => Code::TooLarge,
            BodyError::Json
            | BodyError::NotAnObject
            | BodyError::Escape
            | BodyError::NotUtf8
            | BodyError::TooDeep
            | BodyError::TooManyKeys
            | BodyError::NumberTooLong
            | BodyError::Multipart
            | BodyError::Unreadable => Code::Malformed,
        };
        Self::new(code).detail(error.to_string())
    }
}
