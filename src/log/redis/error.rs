//! What Redis' and the client's errors mean for a caller.
//!
//! The question is always the same: can it have been written? Redis turns a call away before the function runs for every error
//! word in [`TURNED_AWAY`]. An answer that never came, or came for another call, leaves it open.

use fred::error::{Error, ErrorKind};

use crate::log::error::LogError;

/// First words of errors that a server gives before it runs anything.
///
/// `CLUSTERDOWN` is not among them: the client closes the connection on it and hands the same error to every call in flight there,
/// whether it had run or not.
const TURNED_AWAY: [&str; 12] = [
    "MISCONF",
    "OOM",
    "READONLY",
    "NOREPLICAS",
    "LOADING",
    "MASTERDOWN",
    "BUSY",
    "TRYAGAIN",
    "NOAUTH",
    "NOPERM",
    "WRONGPASS",
    "NOSCRIPT",
];

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It does not, so whatever failed may be asked again.
    Read,
    /// It does, and doing it twice may be wrong.
    Write,
}

/// Whether a server says that it does not know our functions: a restart without them, `FUNCTION FLUSH`, a new master.
pub(super) fn is_missing_function(text: &str) -> bool {
    text.starts_with("ERR Function not found")
}

/// What a server answered instead of a result.
pub(super) fn refused(text: &str, access: Access) -> LogError {
    let word = text.split_whitespace().next().unwrap_or_default();
    if TURNED_AWAY.contains(&word) || is_missing_function(text) {
        return LogError::unavailable(text);
    }
    if text.contains("NEXUS malformed") {
        return LogError::OutOfBounds {
            reason: text.to_owned(),
        };
    }
    // The last: a stream that is ahead of its head.
    if word == "WRONGTYPE"
        || text.contains("NEXUS damaged")
        || text.contains("equal or smaller than the target stream")
    {
        return LogError::Corrupt {
            reason: text.to_owned(),
        };
    }
    open(text.to_owned(), access)
}

/// What the client reports instead of an answer.
pub(super) fn cut(error: &Error, access: Access) -> LogError {
    match error.kind() {
        // Neither was ever handed to a connection.
        ErrorKind::Backpressure => LogError::unavailable("too many calls wait for the connection"),
        ErrorKind::InvalidArgument | ErrorKind::InvalidCommand => LogError::OutOfBounds {
            reason: error.to_string(),
        },
        _ => open(error.to_string(), access),
    }
}

/// It may or may not have happened.
pub(super) fn open(reason: String, access: Access) -> LogError {
    match access {
        Access::Read => LogError::unavailable(reason),
        Access::Write => LogError::Unknown { reason },
    }
}

/// An answer that no function of ours gives.
pub(super) fn damaged(what: &str) -> LogError {
    LogError::Corrupt {
        reason: format!("unexpected answer from redis: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_turned_away_was_not_written() {
        for text in [
            "MISCONF Errors writing to the AOF file: No space left on device",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "READONLY You can't write against a read only replica.",
            "NOREPLICAS Not enough good replicas to write.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down",
        ] {
            assert!(refused(text, Access::Write).is_retryable(), "{text}");
        }
    }

    #[test]
    fn a_write_without_an_answer_is_unknown_and_a_read_may_be_repeated() {
        let timeout = Error::new(ErrorKind::Timeout, "Request timed out.");
        assert!(matches!(cut(&timeout, Access::Write), LogError::Unknown { .. }));
        assert!(cut(&timeout, Access::Read).is_retryable());
        let down = Error::new(ErrorKind::Cluster, "CLUSTERDOWN Hash slot not served");
        assert!(matches!(cut(&down, Access::Write), LogError::Unknown { .. }));
    }

    #[test]
    fn a_key_of_a_wrong_type_is_damage() {
        let text = "WRONGTYPE Operation against a key holding the wrong kind of value";
        assert!(matches!(refused(text, Access::Write), LogError::Corrupt { .. }));
    }
}
