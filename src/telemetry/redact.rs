//! What stands in a log line instead of what must not.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{hmac, rand};

/// A value that is carried but never shown: message text, names, tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Redacted<T>(pub T);

impl<T> Redacted<T> {
    /// The value, for the one place that uses it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Names for phone numbers and addresses under which one contact can be followed through the log, but not found
/// out: a keyed hash and the last two characters. Cheap to clone.
#[derive(Clone)]
pub struct Pseudonyms(Arc<hmac::Key>);

impl Pseudonyms {
    /// Under a key that all nodes share, so that their logs compare.
    pub fn under(key: &str) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))
    }

    /// Under a key of this process only.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| NoRandomness)?;
        Ok(Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &key))))
    }

    /// The name of `contact`: `~` and 12 hexadecimal digits, `..` and its last two characters if it has more than six.
    pub fn of(&self, contact: &str) -> String {
        let tag = hmac::sign(&self.0, contact.as_bytes());
        let mut name = String::with_capacity(20);
        name.push('~');
        for byte in &tag.as_ref()[..6] {
            name.push(hex(byte >> 4));
            name.push(hex(byte & 15));
        }
        if contact.chars().count() > 6 {
            let last: Vec<char> = contact.chars().rev().take(2).collect();
            name.push_str("..");
            name.extend(last.into_iter().rev());
        }
        name
    }
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_value_is_never_shown() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "read by Debug only")]
        struct Login {
            token: Redacted<String>,
        }
        let login = Login {
            token: Redacted("hunter2".to_owned()),
        };
        assert_eq!(format!("{login:?}"), "Login { token: *** }");
        assert_eq!(Redacted("hunter2").to_string(), "***");
    }

    #[test]
    fn one_contact_has_one_name_under_one_key_and_another_under_another() {
        let names = Pseudonyms::under("key");
        let name = names.of("+4915112345607");
        assert_eq!(name, names.of("+4915112345607"));
        assert_ne!(name, names.of("+4915112345707"));
        assert_ne!(name, Pseudonyms::random().unwrap().of("+4915112345607"));
        assert!(name.ends_with("..07") && !name.contains("151123456"), "{name}");
    }

    #[test]
    fn a_short_contact_shows_nothing_of_itself() {
        assert!(!Pseudonyms::under("key").of("12345").contains(".."));
    }
}
