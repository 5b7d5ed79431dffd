//! What the status of a provider's answer means, as far as providers agree.

use std::time::Duration;

use super::fields::detail;
use super::outbound::SendAnswer;

/// The meaning of a status; `None` for 2xx, whose body decides.
///
/// A refused credential (401) is not the message's fault, nor is an account without money (402): it is tried again until an operator has
/// mended the account. So is a redirect, which is never followed.
#[must_use]
pub fn by_status(
    status: u16,
    retry_after: Option<Duration>,
    why: impl FnOnce() -> (Option<String>, Option<String>),
) -> Option<SendAnswer> {
    match status {
        200..=299 => None,
        400 | 403..=407 | 409..=424 | 426..=428 | 430..=499 => {
            let (code, words) = why();
            Some(refused(
                code.unwrap_or_else(|| status.to_string()),
                &words.unwrap_or_default(),
            ))
        }
        _ => Some(SendAnswer::Later { after: retry_after }),
    }
}

/// What a 2xx means by the id it gives. One without an id did not come from the provider, but from something that stands before it:
/// nobody has taken the message.
#[must_use]
pub fn accepted(reference: Option<String>, retry_after: Option<Duration>) -> SendAnswer {
    match reference {
        Some(id) => SendAnswer::Accepted { reference: Some(id) },
        None => SendAnswer::Later { after: retry_after },
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
mod tests;
