//! Values that may stand in a header, by type: none can break a line.

/// Bytes of a header value; a longer line than 998 must not travel (RFC 5322 2.1.1).
const LONGEST: usize = 900;
/// Bytes of a mailbox (RFC 5321 4.5.3.1.3, without the angle brackets).
const LONGEST_MAILBOX: usize = 254;

/// A text without any character that could end or disturb a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderValue(String);

/// A text that cannot be what it was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct NotAHeader(pub &'static str);

impl HeaderValue {
    /// Takes a text as it is: for what must not be changed, such as ids.
    ///
    /// # Errors
    /// [`NotAHeader`]: a control character or a line separator, or more than 900 bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, NotAHeader> {
        let text = text.into();
        if text.len() <= LONGEST && !text.contains(breaks) {
            Ok(Self(text))
        } else {
            Err(NotAHeader("header value"))
        }
    }

    /// Makes a text harmless: for what people read, such as subjects and names. What could break a line becomes a space, runs of
    /// spaces become one, and what is too long is cut.
    #[must_use]
    pub fn flattened(text: &str) -> Self {
        let mut flat = String::with_capacity(text.len().min(LONGEST));
        for word in text.split(|char: char| breaks(char) || char.is_whitespace()) {
            if word.is_empty() {
                continue;
            }
            let space = usize::from(!flat.is_empty());
            let room = LONGEST.saturating_sub(flat.len() + space);
            if room == 0 {
                break;
            }
            if space == 1 {
                flat.push(' ');
            }
            flat.push_str(&word[..word.floor_char_boundary(room)]);
        }
        // An encoded word would be decoded on its way, and could hold again what has just been taken out.
        while flat.contains("=?") {
            flat = flat.replace("=?", "=");
        }
        Self(flat)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<HeaderValue> for String {
    fn from(value: HeaderValue) -> Self {
        value.0
    }
}

fn breaks(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A mailbox such as `anna@example.com`: in lower case, without name and without brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox(String);

impl Mailbox {
    /// Reads a bare address. Local parts that need quotes are refused: nobody has one, and they carry what headers are made of.
    ///
    /// # Errors
    /// [`NotAHeader`].
    pub fn new(text: &str) -> Result<Self, NotAHeader> {
        let text = text.trim();
        let text = text
            .strip_prefix('<')
            .and_then(|text| text.strip_suffix('>'))
            .unwrap_or(text);
        let not = NotAHeader("mailbox");
        let (local, domain) = text.rsplit_once('@').ok_or(not)?;
        let bad = |char: char| {
            breaks(char)
                || char.is_whitespace()
                || matches!(
                    char,
                    '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\' | '[' | ']' | '@'
                )
        };
        let dots = |text: &str| text.starts_with('.') || text.ends_with('.') || text.contains("..");
        let good = !local.is_empty()
            && !domain.is_empty()
            && text.len() <= LONGEST_MAILBOX
            && !local.contains(bad)
            && !domain.contains(bad)
            && !dots(domain);
        if good {
            Ok(Self(text.to_lowercase()))
        } else {
            Err(not)
        }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What people try to put into headers.
    const INJECTIONS: [&str; 10] = [
        "x\r\nBcc: all@example.com",
        "x\nBcc: all@example.com",
        "x\rBcc: all@example.com",
        "x\r\n\r\nbody",
        "x\0",
        "x\u{2028}Bcc: a@example.com",
        "x\u{2029}Bcc: a@example.com",
        "x\u{85}Bcc: a@example.com",
        "x\u{b}Bcc: a@example.com",
        "x\u{1b}[2J",
    ];

    #[test]
    fn no_injection_stays_one() {
        for text in INJECTIONS {
            assert!(HeaderValue::new(text).is_err(), "{text:?}");
            assert!(
                Mailbox::new(&format!("a@example.com{}", &text[1..])).is_err(),
                "{text:?}"
            );
            let flat = HeaderValue::flattened(text);
            assert!(
                flat.as_str().starts_with('x') && !flat.as_str().contains(char::is_control),
                "{text:?}"
            );
        }
        assert_eq!(HeaderValue::flattened(" a \r\n\t b ").as_str(), "a b");
    }

    #[test]
    fn mailboxes_are_bare_and_of_one_spelling() {
        assert_eq!(
            Mailbox::new(" <Anna.B+x@Example.COM> ").unwrap().as_str(),
            "anna.b+x@example.com"
        );
        assert_eq!(
            Mailbox::new("jörg@müller.example").unwrap().domain(),
            "müller.example"
        );
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b@c",
            "a,b@c",
            "\"a b\"@c",
            "A <a@b>",
            "a@b..c",
            "a@.b",
            "a@b;c",
            "a@[127.0.0.1]",
        ] {
            assert!(Mailbox::new(bad).is_err(), "{bad}");
        }
        assert!(Mailbox::new(&format!("{}@example.com", "a".repeat(300))).is_err());
    }

    proptest! {
        #[test]
        fn flattened_text_is_always_a_value(text in any::<String>()) {
            let flat = HeaderValue::flattened(&text);
            prop_assert!(HeaderValue::new(flat.as_str()).is_ok());
            prop_assert_eq!(HeaderValue::flattened(flat.as_str()), flat);
        }
    }
}
