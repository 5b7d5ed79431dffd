//! A mail in MIME, taken apart within limits (RFC 2045 to 2047, 2231, 5322).
//!
//! The structure is cut here, so that depth, parts, headers and decoded bytes are counted before anything is made of them; headers,
//! encodings and character sets are read by `mail-parser`.

use bytes::Bytes;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use super::head::{Content, Head, count};
use super::html::text_of_html;
use super::multipart::{cut, head_and_body};
use crate::protocol::channel::{Attachment, AttachmentSource};

/// Bytes of a whole mail, and of all it decodes to.
pub(super) const LARGEST: usize = 25 * 1_024 * 1_024;
/// Multiparts within each other.
const DEEPEST: usize = 8;
/// Parts of a mail, multiparts too.
const MOST_PARTS: usize = 100;
/// Headers of a mail and of all its parts.
const MOST_HEADERS: usize = 1_000;
/// Bytes of a text that are shown; one that is longer is a file as well.
const LONGEST_TEXT: usize = 128 * 1_024;

/// Which limit a mail is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mail has {0}")]
pub struct TooMuch(pub &'static str);

/// One text of a mail, in one or two forms that say the same.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Block {
    /// As plain text.
    pub text: Option<String>,
    /// As HTML.
    pub html: Option<String>,
}

impl Block {
    /// The plain form, else the HTML reduced to text.
    #[must_use]
    pub fn words(&self) -> String {
        match (&self.text, &self.html) {
            (Some(text), _) if !text.trim().is_empty() => text.clone(),
            (_, Some(html)) => text_of_html(html, LONGEST_TEXT),
            (text, None) => text.clone().unwrap_or_default(),
        }
    }
}

/// A mail taken apart.
#[derive(Debug, Default)]
pub struct Mime {
    /// Its headers.
    pub head: Head,
    /// Its texts, in order; alternatives are one.
    pub blocks: Vec<Block>,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// Whether it reports on another mail (`multipart/report`).
    pub report: bool,
}

/// Takes a mail apart.
///
/// # Errors
/// [`TooMuch`]: deeper than 8, more than 100 parts, more than 1,000 headers, more than 25 MiB as it is or decoded.
pub fn parse(raw: &[u8]) -> Result<Mime, TooMuch> {
    if raw.len() > LARGEST {
        return Err(TooMuch("too many bytes"));
    }
    let (block, _) = head_and_body(raw);
    let head = Head::read(block, MOST_HEADERS).ok_or(TooMuch("too many headers"))?;
    let mut taken = Taken {
        mime: Mime {
            head,
            ..Mime::default()
        },
        parts: 0,
        headers: 0,
        decoded: 0,
    };
    taken.part(raw, 0, None)?;
    Ok(taken.mime)
}

struct Taken {
    mime: Mime,
    parts: usize,
    headers: usize,
    decoded: usize,
}

impl Taken {
    /// `block` is where the alternatives of one text go.
    fn part(&mut self, part: &[u8], depth: usize, block: Option<usize>) -> Result<(), TooMuch> {
        let (head, body) = head_and_body(part);
        self.headers += count(head);
        self.parts += 1;
        if self.headers > MOST_HEADERS {
            return Err(TooMuch("too many headers"));
        }
        if self.parts > MOST_PARTS {
            return Err(TooMuch("too many parts"));
        }
        let content = Content::read(head);
        if content.main == "multipart"
            && let Some(boundary) = &content.boundary
        {
            let cut = cut(body, boundary.as_bytes(), MOST_PARTS).ok_or(TooMuch("too many parts"))?;
            if !cut.parts.is_empty() {
                return self.multipart(&content, &cut.parts, depth + 1, block);
            }
        }
        self.leaf(&content, body, block)
    }

    fn multipart(
        &mut self,
        content: &Content,
        parts: &[&[u8]],
        depth: usize,
        block: Option<usize>,
    ) -> Result<(), TooMuch> {
        if depth > DEEPEST {
            return Err(TooMuch("too many levels"));
        }
        self.mime.report |= content.sub == "report";
        let block = match (content.sub.as_str(), block) {
            ("alternative", None) => {
                self.mime.blocks.push(Block::default());
                Some(self.mime.blocks.len() - 1)
            }
            (_, block) => block,
        };
        parts.iter().try_for_each(|part| self.part(part, depth, block))
    }

    fn leaf(&mut self, content: &Content, body: &[u8], block: Option<usize>) -> Result<(), TooMuch> {
        let bytes = decoded(&content.encoding, body);
        self.decoded += bytes.len();
        if self.decoded > LARGEST {
            return Err(TooMuch("too many decoded bytes"));
        }
        let kind = content.mime();
        // A multipart that has no parts is a text that somebody should see.
        let text = matches!(kind.as_str(), "" | "text" | "text/plain") || content.main == "multipart";
        let html = kind == "text/html";
        if content.attachment || content.name.is_some() || !(text || html) {
            self.attach(content, bytes);
            return Ok(());
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let shown = if text { LONGEST_TEXT } else { LONGEST_TEXT * 4 };
        let words = in_charset(content.charset.as_deref(), &bytes[..bytes.len().min(shown)]);
        let long = bytes.len() > shown;
        let index = block.unwrap_or_else(|| {
            self.mime.blocks.push(Block::default());
            self.mime.blocks.len() - 1
        });
        if let Some(block) = self.mime.blocks.get_mut(index) {
            let form = if html { &mut block.html } else { &mut block.text };
            match form {
                None => *form = Some(words),
                Some(before) => {
                    before.push_str("\n\n");
                    before.push_str(&words);
                }
            }
        }
        if long {
            self.attach(content, bytes);
        }
        Ok(())
    }

    fn attach(&mut self, content: &Content, bytes: Vec<u8>) {
        let mime = content.mime();
        self.mime.attachments.push(Attachment {
            source: AttachmentSource::Inline(Bytes::from(bytes)),
            name: content.name.clone(),
            mime: Some(mime).filter(|mime| !mime.is_empty()),
        });
    }
}

/// Undoes a transfer encoding; what is not in the encoding it claims stays as it is.
fn decoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let bytes = match encoding {
        "base64" => base64_decode(body),
        "quoted-printable" => quoted_printable_decode(body),
        _ => None,
    };
    bytes.unwrap_or_else(|| body.to_vec())
}

/// Bytes in a character set as text, line ends as `\n`. An unknown one is read as UTF-8; what does not fit is replaced.
#[must_use]
pub(super) fn in_charset(charset: Option<&str>, bytes: &[u8]) -> String {
    let decoder = charset
        .filter(|charset| !charset.eq_ignore_ascii_case("utf-8"))
        .and_then(|charset| charset_decoder(charset.as_bytes()));
    // Decoders of other sets know nothing of UTF-8, and plain ASCII is often called by their name.
    let text = match (std::str::from_utf8(bytes), decoder) {
        (Ok(text), None) => text.to_owned(),
        (Ok(text), Some(_)) if text.is_ascii() && !text.contains('\u{1b}') && !is_shifting(charset) => {
            text.to_owned()
        }
        (_, Some(decoder)) => decoder(bytes),
        (Err(_), None) => String::from_utf8_lossy(bytes).into_owned(),
    };
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    }
}

/// Sets that write other letters with ASCII bytes.
fn is_shifting(charset: Option<&str>) -> bool {
    charset.is_some_and(|charset| {
        let charset = charset.to_ascii_lowercase();
        charset.starts_with("utf") || charset.starts_with("hz") || charset.starts_with("iso-2022")
    })
}

#[cfg(test)]
mod tests;
