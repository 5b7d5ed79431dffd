//! What a server says is wrong: `code:args:text`.

use std::fmt;

/// The longest text kept, in characters.
const MAX_TEXT: usize = 200;

/// A server's error. Its arguments are left out: they may name a client id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// Three digits; 0 when the server named none.
    pub code: u16,
    /// The server's words, without control characters, at most 200 characters.
    pub text: String,
}

impl Fault {
    /// Reads the `error` of a reply; whatever has another form is all text.
    pub(super) fn read(error: &str) -> Self {
        let mut parts = error.splitn(3, ':');
        let code = parts.next().and_then(|code| code.trim().parse::<u16>().ok());
        let text = match (code, parts.nth(1)) {
            (Some(_), text) => text.unwrap_or_default(),
            (None, _) => error,
        };
        Self {
            code: code.unwrap_or(0),
            text: text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect(),
        }
    }

    /// Whether the server no longer knows us. Servers use 401 and 402 for this, and 402 also for a missing parameter.
    pub(super) fn says_unknown(&self) -> bool {
        matches!(self.code, 401 | 402) && self.text.to_ascii_lowercase().contains("unknown")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_words_of_two_servers_for_a_lost_session_mean_the_same() {
        assert!(Fault::read("402::session_unknown").says_unknown());
        assert!(Fault::read("401:abc:Unknown client").says_unknown());
        assert!(!Fault::read("402:subscription:Missing required parameter").says_unknown());
        assert!(!Fault::read("403::subscribe_denied").says_unknown());
    }

    #[test]
    fn a_client_id_is_not_kept() {
        assert!(
            !Fault::read("401:secret-id:Unknown client")
                .to_string()
                .contains("secret-id")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(error in ".{0,400}") {
            prop_assert!(Fault::read(&error).text.chars().count() <= 200);
        }
    }
}
