//! Whose mailbox: the names of boxes and the addresses of customers.

/// The provider of a channel whose other side is a mailbox of ours.
pub const PROVIDER: &str = "securemail";
/// The member of a channel's `config` that names its box.
pub const SECUREBOX: &str = "securebox";

/// Bytes of an address.
const ADDRESS: usize = 254;

/// Whether a text may name a box: 3 to 16 letters and digits.
#[must_use]
pub fn is_securebox(name: &str) -> bool {
    (3..=16).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A customer's address, in the one form in which it names a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Reads an address: something on both sides of one `@`, without spaces; capitals do not count. `None`: it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.split_once('@')?;
        let sound = !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && text.len() <= ADDRESS
            && !text.chars().any(|char| char.is_whitespace() || char.is_control());
        sound.then(|| Self(text.to_lowercase()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_mailbox_has_one_name() {
        let ann = Address::read(" Ann@Mail.Example ").unwrap();
        assert_eq!(ann.as_str(), "ann@mail.example");
        for none in ["", "ann", "@b", "a@", "a@b@c", "a b@c", "a@b\nc"] {
            assert_eq!(Address::read(none), None, "{none}");
        }
        assert_eq!(Address::read(&format!("{}@b", "a".repeat(254))), None);
    }

    #[test]
    fn a_box_is_named_with_3_to_16_letters_and_digits() {
        assert!(is_securebox("abc") && is_securebox("Bank01") && is_securebox(&"x".repeat(16)));
        for wrong in ["", "ab", "a-b-c", "äbc", &"x".repeat(17)] {
            assert!(!is_securebox(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_reads_the_same_again(text in "\\PC{0,80}") {
            if let Some(address) = Address::read(&text) {
                prop_assert_eq!(Address::read(address.as_str()), Some(address));
            }
        }
    }
}
