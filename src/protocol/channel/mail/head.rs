//! The headers of a mail or of a part, read by `mail-parser`, within limits.

use mail_parser::{Address, HeaderName, HeaderValue as Parsed, Message, MessageParser, MimeHeaders};

use super::header::{HeaderValue, Mailbox};
use crate::model::Millis;
use crate::protocol::channel::Thread;

/// Bytes of one block of headers.
const LONGEST: usize = 256 * 1_024;
/// Ids kept of `References`.
const MOST_REFERENCES: usize = 100;
/// Addresses read of one header.
const MOST_ADDRESSES: usize = 100;

/// The headers of a mail.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Head {
    /// All of them in order: name in lower case, value unfolded and not decoded.
    pub fields: Vec<(String, String)>,
    /// Who wrote.
    pub from: Option<Mailbox>,
    /// The name beside it.
    pub from_name: Option<String>,
    /// Where answers are wanted.
    pub reply_to: Option<Mailbox>,
    /// To whom.
    pub to: Vec<Mailbox>,
    /// Who else got it.
    pub cc: Vec<Mailbox>,
    /// Decoded.
    pub subject: Option<String>,
    /// Where it stands among others.
    pub thread: Thread,
    /// `Date`.
    pub at: Option<Millis>,
}

impl Head {
    /// Reads a block of headers; `None` where it has more than `most` lines that begin one, or 256 KiB.
    #[must_use]
    pub fn read(block: &[u8], most: usize) -> Option<Self> {
        if count(block) > most || block.len() > LONGEST {
            return None;
        }
        let Some(message) = parsed(block) else {
            return Some(Self::default());
        };
        let from = message.from().and_then(Address::first);
        let all = |address: Option<&Address<'_>>| {
            let each = address.into_iter().flat_map(Address::iter);
            let boxes = each
                .take(MOST_ADDRESSES)
                .filter_map(|each| Mailbox::new(each.address()?).ok());
            boxes.collect::<Vec<_>>()
        };
        let flat =
            |text: &str| Some(String::from(HeaderValue::flattened(text))).filter(|text| !text.is_empty());
        Some(Self {
            fields: fields(&message, block),
            from: from.and_then(|from| Mailbox::new(from.address()?).ok()),
            from_name: from.and_then(|from| flat(from.name()?)),
            reply_to: all(message.reply_to()).into_iter().next(),
            to: all(message.to()),
            cc: all(message.cc()),
            subject: message.subject().and_then(flat),
            thread: Thread {
                message_id: message.message_id().and_then(id),
                in_reply_to: ids(message.in_reply_to()).into_iter().next(),
                references: ids(message.references()),
            },
            at: message
                .date()
                .and_then(|date| u64::try_from(date.to_timestamp()).ok())
                .and_then(|seconds| seconds.checked_mul(1_000))
                .map(Millis),
        })
    }

    /// The first value of a header; the name in lower case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What a part is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Content {
    /// `text`, `multipart` and so on; empty where nothing is said.
    pub main: String,
    /// `plain`, `mixed` and so on.
    pub sub: String,
    /// Of a multipart.
    pub boundary: Option<String>,
    /// Of a text.
    pub charset: Option<String>,
    /// File name.
    pub name: Option<String>,
    /// Whether it is to be a file whatever its type.
    pub attachment: bool,
    /// `content-transfer-encoding` in lower case.
    pub encoding: String,
    /// `name` of a form's field.
    pub field: Option<String>,
}

impl Content {
    /// Reads the block of headers of a part; the limits are those of [`Head::read`], which the caller has applied to the whole mail.
    #[must_use]
    pub(super) fn read(block: &[u8]) -> Self {
        let Some(message) = parsed(&block[..block.len().min(LONGEST)]) else {
            return Self::default();
        };
        let kind = message.content_type();
        let disposition = message.content_disposition();
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            main: kind
                .map(|kind| kind.ctype().to_ascii_lowercase())
                .unwrap_or_default(),
            sub: kind
                .and_then(|kind| kind.subtype())
                .map(str::to_ascii_lowercase)
                .unwrap_or_default(),
            boundary: kind.and_then(|kind| kind.attribute("boundary")).and_then(text),
            charset: kind.and_then(|kind| kind.attribute("charset")).and_then(text),
            name: message.attachment_name().and_then(text),
            attachment: disposition.is_some_and(|kind| kind.ctype().eq_ignore_ascii_case("attachment")),
            encoding: message
                .content_transfer_encoding()
                .map(|encoding| encoding.trim().to_ascii_lowercase())
                .unwrap_or_default(),
            field: disposition
                .and_then(|kind| kind.attribute("name"))
                .map(str::to_owned),
        }
    }

    /// `text/plain` and so on; empty where nothing is said.
    #[must_use]
    pub(super) fn mime(&self) -> String {
        match (self.main.is_empty(), self.sub.is_empty()) {
            (true, _) => String::new(),
            (false, true) => self.main.clone(),
            (false, false) => format!("{}/{}", self.main, self.sub),
        }
    }
}

/// Lines that begin a header.
#[must_use]
pub(super) fn count(block: &[u8]) -> usize {
    block
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| !matches!(line.first(), Some(b' ' | b'\t' | b'\r' | b'\n') | None))
        .count()
}

fn parsed(block: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse_headers(block)
}

fn fields(message: &Message<'_>, block: &[u8]) -> Vec<(String, String)> {
    let each = message.headers().iter().map(|header| {
        let range = header.offset_start() as usize..header.offset_end() as usize;
        let value = String::from_utf8_lossy(block.get(range).unwrap_or_default());
        let value: String = value
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        (header.name().to_ascii_lowercase(), value.trim().to_owned())
    });
    each.collect()
}

fn ids(value: &Parsed<'_>) -> Vec<String> {
    match value {
        Parsed::Text(text) => id(text).into_iter().collect(),
        Parsed::TextList(list) => {
            let skipped = list.len().saturating_sub(MOST_REFERENCES);
            list.iter().skip(skipped).filter_map(|text| id(text)).collect()
        }
        _ => Vec::new(),
    }
}

/// A message id without brackets; `None` for what could not stand in a header again.
fn id(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    let good = (1..=500).contains(&text.len())
        && text
            .chars()
            .all(|char| !char.is_control() && !char.is_whitespace() && !matches!(char, '<' | '>'));
    good.then(|| text.to_owned())
}

/// One header in the form that [`Head::read`] takes, from a provider that gives names and values.
pub(super) fn push_field(block: &mut String, name: &str, value: &str) {
    let token = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || !name.bytes().all(token) || HeaderName::parse(name).is_none() {
        return;
    }
    block.push_str(name);
    block.push_str(": ");
    block.extend(
        value
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char }),
    );
    block.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: &str = "Received: from a\r\n by b\r\nFrom: =?utf-8?q?J=C3=B6rg?= <Joerg@Example.com>\r\nTo: a@b.example, C <c@d.example>\r\n\
        Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n =?utf-8?q?_aus_Wien?=\r\nDate: Tue, 14 Nov 2023 23:13:20 +0100\r\n\
        Message-ID: <1@x.example>\r\nIn-Reply-To: <0@x.example>\r\nReferences: <a@x.example>\r\n <0@x.example>\r\n\r\n";

    #[test]
    fn a_head_is_read_and_decoded() {
        let head = Head::read(BLOCK.as_bytes(), 1_000).unwrap();
        assert_eq!(head.from.as_ref().unwrap().as_str(), "joerg@example.com");
        assert_eq!(head.from_name.as_deref(), Some("Jörg"));
        assert_eq!(head.subject.as_deref(), Some("Grüße aus Wien"));
        assert_eq!(
            head.to.iter().map(Mailbox::as_str).collect::<Vec<_>>(),
            ["a@b.example", "c@d.example"]
        );
        assert_eq!(head.at, Some(Millis(1_700_000_000_000)));
        assert_eq!(head.thread.message_id.as_deref(), Some("1@x.example"));
        assert_eq!(head.thread.in_reply_to.as_deref(), Some("0@x.example"));
        assert_eq!(head.thread.references, ["a@x.example", "0@x.example"]);
        assert_eq!(head.field("received"), Some("from a   by b"));
    }

    #[test]
    fn the_number_of_headers_is_bounded_before_they_are_read() {
        let block = |count: usize| "x: y\r\n more\r\n".repeat(count) + "\r\n";
        assert!(Head::read(block(1_000).as_bytes(), 1_000).is_some());
        assert!(Head::read(block(1_001).as_bytes(), 1_000).is_none());
        let long = format!("x: {}\r\n\r\n", "y".repeat(LONGEST));
        assert!(Head::read(long.as_bytes(), 1_000).is_none());
    }

    #[test]
    fn a_part_says_what_it_is() {
        let content = Content::read(
            b"Content-Type: Application/PDF; name*=utf-8''%e2%82%ac.pdf\r\nContent-Disposition: attachment\r\n\
              Content-Transfer-Encoding: BASE64\r\n\r\n",
        );
        assert_eq!(content.mime(), "application/pdf");
        assert_eq!(content.name.as_deref(), Some("€.pdf"));
        assert!(content.attachment);
        assert_eq!(content.encoding, "base64");
        assert_eq!(Content::read(b"\r\n"), Content::default());
    }

    #[test]
    fn a_value_cannot_bring_a_header_of_its_own() {
        let mut block = String::new();
        push_field(&mut block, "Subject", "a\r\nBcc: b@c.example");
        push_field(&mut block, "X-Y\r\nZ", "a");
        push_field(&mut block, "", "a");
        assert_eq!(block, "Subject: a  Bcc: b@c.example\r\n");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(block in any::<Vec<u8>>(), tail in "[A-Za-z:;=\\r\\n \"<>@,?*'%-]{0,200}") {
            let mut bytes = b"From: ".to_vec();
            bytes.extend_from_slice(tail.as_bytes());
            bytes.extend_from_slice(&block);
            let _ = Head::read(&bytes, 1_000);
            let _ = Content::read(&[b"Content-Type: ", &bytes[..]].concat());
        }
    }
}
