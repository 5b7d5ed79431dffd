//! What the status of a provider's answer means, as far as providers agree.

use std::time::Duration;

use super::fields::detail;
use super::outbound::SendAnswer;

/// The meaning of a status; `None` for 2xx, whose body decides.
///
/// A refused credential (401) is not the message's fault: it is tried again until an operator has mended the account.
/// So is a redirect, which is never followed.
#[must_use]
pub fn by_status(
    status: u16,
    retry_after: Option<Duration>,
    why: impl FnOnce() -> (Option<String>, Option<String>),
) -> Option<SendAnswer> {
    match status {
        200..=299 => None,
        400 | 402..=407 | 409..=424 | 426..=428 | 430..=499 => {
            let (code, words) = why();
            Some(refused(
                code.unwrap_or_else(|| status.to_string()),
                &words.unwrap_or_default(),
            ))
        }
        _ => Some(SendAnswer::Later { after: retry_after }),
    }
}

/// A refusal with the provider's code and words, cut to what is kept.
#[must_use]
pub fn refused(code: impl Into<String>, words: &str) -> SendAnswer {
    SendAnswer::Refused {
        code: code.into(),
        detail: detail(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_will_never_be_taken_is_refused() {
        let meaning = |status| by_status(status, Some(Duration::from_secs(7)), || (None, Some("no".into())));
        assert_eq!(meaning(202), None);
        for later in [0, 301, 401, 408, 425, 429, 500, 503, 599] {
            let after = Some(Duration::from_secs(7));
            assert_eq!(meaning(later), Some(SendAnswer::Later { after }), "{later}");
        }
        for never in [400, 403, 404, 422] {
            assert_eq!(meaning(never), Some(refused(never.to_string(), "no")), "{never}");
        }
    }
}
