//! Why a call has no answer: little for a tenant, everything for the operator.

use std::fmt;

/// What a tenant may hear. An address that was denied, a name that is not known and a port that is closed sound
/// the same: an error must not be a map of the inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The URL is none we use: not well formed, whatever lies behind it.
    Url,
    /// No connection came about.
    Connection,
    /// The peer's certificate or its TLS is not good.
    Tls,
    /// The deadline passed.
    Deadline,
    /// The connection broke, or what came is not HTTP.
    Answer,
    /// The answer is longer than was asked for.
    TooLarge,
    /// We have too many calls open ourselves.
    Busy,
}

impl ErrorClass {
    /// The class in one word, for metrics and stored results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Deadline => "deadline",
            Self::Answer => "answer",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
        }
    }
}

/// A call without an answer. Its `Display` is fit for a tenant; [`CallError::detail`] is for the operator's log alone.
#[derive(Clone, Debug)]
pub struct CallError {
    class: ErrorClass,
    reached: bool,
    denied: bool,
    detail: String,
}

impl CallError {
    pub(super) fn new(class: ErrorClass, detail: impl fmt::Display) -> Self {
        Self {
            class,
            reached: false,
            denied: false,
            detail: detail.to_string(),
        }
    }

    pub(super) fn denied(detail: impl fmt::Display) -> Self {
        Self {
            denied: true,
            ..Self::new(ErrorClass::Connection, detail)
        }
    }

    pub(super) fn reached(self, reached: bool) -> Self {
        Self { reached, ..self }
    }

    /// What a tenant may hear.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// Whether the peer may have got the request, in part or in full. When it did not, saying it again is not
    /// a repetition.
    pub fn may_have_reached(&self) -> bool {
        self.reached
    }

    /// Whether the same call may do better later. Only a URL that is none and an answer that is too large stay
    /// what they are.
    pub fn is_worth_a_retry(&self) -> bool {
        !matches!(self.class, ErrorClass::Url | ErrorClass::TooLarge)
    }

    /// Whether our own rules kept the call from leaving. For the operator: a tenant must not learn it.
    pub fn is_denied(&self) -> bool {
        self.denied
    }

    /// What happened, with addresses. For the operator's log: a tenant must not see it.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.class {
            ErrorClass::Url => "the URL cannot be used",
            ErrorClass::Connection => "no connection",
            ErrorClass::Tls => "no secure connection",
            ErrorClass::Deadline => "no answer in time",
            ErrorClass::Answer => "no sound answer",
            ErrorClass::TooLarge => "the answer is too large",
            ErrorClass::Busy => "too many calls at once",
        })
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_and_refused_sound_the_same_to_a_tenant() {
        let denied = CallError::denied("10.0.0.1 is not public");
        let refused = CallError::new(ErrorClass::Connection, "connection refused");
        assert_eq!(denied.to_string(), refused.to_string());
        assert_eq!(denied.class(), refused.class());
        assert_eq!(denied.is_worth_a_retry(), refused.is_worth_a_retry());
        assert_eq!(denied.may_have_reached(), refused.may_have_reached());
    }
}
