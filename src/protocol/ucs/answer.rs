//! What an answer of a contact service means.

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// It had been done before: what was to be created exists, what was to be stopped is stopped.
    Before,
    /// The interaction, or the address, is not known there.
    Unknown,
    /// Not now: overloaded, away, or an answer that is none.
    Later,
    /// It never will be.
    Refused {
        /// The status or the service's own code; without personal data.
        code: String,
    },
}

/// Whom a contact service found, or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// One contact, by its id.
    One(String),
    /// Several fit. Nobody is picked: an agent decides.
    Several,
}

/// Bytes of a contact's id.
const ID_MAX: usize = 128;

/// What a status says by itself; `None` for 2xx, where the body has the word.
pub(super) fn of_status(status: u16) -> Option<Answer> {
    Some(match status {
        200..=299 => return None,
        404 | 410 => Answer::Unknown,
        409 => Answer::Before,
        // A token that has run out is replaced, and credentials are repaired, before 72 h are over.
        401 | 408 | 425 | 429 | 500..=599 => Answer::Later,
        _ => refused(status),
    })
}

pub(super) fn refused(code: impl ToString) -> Answer {
    Answer::Refused {
        code: code.to_string(),
    }
}

/// Whether a text can be the id of a contact.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_is_waited_for_and_a_redirect_is_not_followed() {
        for status in [401, 408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(of_status(status), Some(Answer::Later), "{status}");
        }
        assert_eq!(of_status(404), Some(Answer::Unknown));
        assert_eq!(of_status(409), Some(Answer::Before));
        assert_eq!(of_status(302), Some(refused(302)));
        assert_eq!(of_status(400), Some(refused(400)));
        assert_eq!(of_status(201), None);
    }
}
