//! How many short messages something is: what it will cost, and whether it is too much.

use super::segments::{Encoding, segments};
use super::words::words;
use crate::protocol::channel::Outbound;

/// The size of a text as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The alphabet of all its parts.
    pub encoding: Encoding,
    /// How many parts; at least one.
    pub segments: usize,
}

impl Size {
    /// Of a text alone.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let cut = segments(text);
        Self {
            encoding: cut.encoding,
            segments: cut.parts.len(),
        }
    }

    /// Of a message with its choices, and with the addresses of its files among the words unless the provider fetches files.
    #[must_use]
    pub fn as_sent(message: &Outbound, fetches_files: bool) -> Self {
        Self::of(&words(message, !fetches_files))
    }
}

impl Encoding {
    /// Its name in metrics and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::channel::{Attachment, AttachmentSource};

    #[test]
    fn the_address_of_a_file_counts_where_it_is_sent_as_words() {
        let message = Outbound {
            text: "a".repeat(150),
            attachments: vec![Attachment {
                source: AttachmentSource::Url("https://files.example.com/a".into()),
                name: None,
                mime: None,
            }],
            ..Outbound::default()
        };
        assert_eq!(Size::as_sent(&message, true).segments, 1);
        assert_eq!(Size::as_sent(&message, false).segments, 2);
        let one = Size {
            encoding: Encoding::Ucs2,
            segments: 1,
        };
        assert_eq!(Size::of("ж"), one);
    }
}
