//! Who writes and who is written to: numbers in one form.
//!
//! A number is `+` and 7 to 15 digits (E.164), a short code 3 to 6 digits, a sender name up to 11 letters and digits. What a
//! messenger behind the same aggregator calls its people (`whatsapp:+…`) is kept as it is.

/// The address of a text message, as every part of the service writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// `+` and digits.
    Number(String),
    /// A number of one operator or country, without a country code; never given one.
    ShortCode(String),
    /// A name that cannot be answered, or a messenger's id of somebody.
    Opaque(String),
}

impl Address {
    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Number(text) | Self::ShortCode(text) | Self::Opaque(text) => text,
        }
    }

    /// The digits of a number or a short code, as those providers want it that know no `+`; else the text.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.as_str().strip_prefix('+').unwrap_or(self.as_str())
    }

    /// Whether an answer can reach it. Nobody reads what is sent to a sender name.
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        !matches!(self, Self::Opaque(text) if !text.contains(':'))
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        match address {
            Address::Number(text) | Address::ShortCode(text) | Address::Opaque(text) => text,
        }
    }
}

/// The text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address")]
pub struct NotAnAddress;

/// Reads an address as providers and people write it: `+1 (202) 555-0101`, `0012025550101`, `12025550101`, `40404`, `ACME`.
///
/// Seven digits and more are taken with their country code, which is how every provider but national ones writes them.
///
/// # Errors
/// [`NotAnAddress`]: empty, longer than 64 bytes, with control characters, or a number of an impossible length.
pub fn address(text: &str) -> Result<Address, NotAnAddress> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 || text.chars().any(char::is_control) {
        return Err(NotAnAddress);
    }
    let separator = |c: char| {
        matches!(
            c,
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2010}'..='\u{2015}'
        )
    };
    let bare: String = text.chars().filter(|c| !separator(*c)).collect();
    let (international, digits) = match bare.strip_prefix('+') {
        Some(digits) => (true, digits),
        None => match bare.strip_prefix("00") {
            Some(digits) if digits.len() >= 7 => (true, digits),
            _ => (false, &*bare),
        },
    };
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return if bare.starts_with('+') || !text.chars().any(char::is_alphanumeric) {
            Err(NotAnAddress)
        } else {
            Ok(Address::Opaque(text.to_owned()))
        };
    }
    match digits.len() {
        // No country code begins with a zero.
        7..=15 if !digits.starts_with('0') => Ok(Address::Number(format!("+{digits}"))),
        3..=6 if !international => Ok(Address::ShortCode(digits.to_owned())),
        _ => Err(NotAnAddress),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_to_write_a_number_gives_the_same() {
        for text in [
            "+12025550101",
            "12025550101",
            "0012025550101",
            " +1 (202) 555-0101 ",
            "+1.202.555.0101",
            "+1\u{a0}202\u{2011}555\u{2011}0101",
        ] {
            assert_eq!(
                address(text),
                Ok(Address::Number("+12025550101".into())),
                "{text}"
            );
        }
    }

    #[test]
    fn short_codes_and_names_are_kept() {
        assert_eq!(address("40404"), Ok(Address::ShortCode("40404".into())));
        assert_eq!(address("ACME Ltd"), Ok(Address::Opaque("ACME Ltd".into())));
        let messenger = address("whatsapp:+12025550101");
        assert_eq!(messenger, Ok(Address::Opaque("whatsapp:+12025550101".into())));
        assert!(messenger.unwrap().is_answerable());
        assert!(!address("ACME").unwrap().is_answerable());
        assert_eq!(address("+12025550101").unwrap().digits(), "12025550101");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for text in [
            "",
            " ",
            "+",
            "+1",
            "12",
            "0123456789",
            "+1234567890123456",
            "+12o25550101",
            "()",
            "a\nb",
        ] {
            assert_eq!(address(text), Err(NotAnAddress), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_what_was_read_changes_nothing(text in "\\PC{0,20}|[+0]?[0-9 ().-]{0,20}") {
            if let Ok(once) = address(&text) {
                prop_assert_eq!(address(once.as_str()), Ok(once.clone()));
            }
        }
    }
}
