//! A mail of ours, checked once for all providers, and put in MIME by `mail-builder` where a provider takes it so.

use aws_lc_rs::digest;
use bytes::Bytes;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};

use super::header::{HeaderValue, Mailbox};
use super::loops::marks;
use super::thread::message_id;
use crate::protocol::channel::{AttachmentSource, Outbound, hex};

/// A mail whose every header is one.
#[derive(Debug)]
pub struct Draft<'m> {
    /// Our id of it.
    pub id: &'m str,
    /// From where.
    pub from: Mailbox,
    /// The name beside it.
    pub from_name: Option<HeaderValue>,
    /// To whom.
    pub to: Mailbox,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Mailbox>,
    /// About what.
    pub subject: HeaderValue,
    /// The words, with the addresses of files that are elsewhere.
    pub text: String,
    /// HTML, where the message brings its own.
    pub html: Option<&'m str>,
    /// The mail's own id, without brackets.
    pub message_id: HeaderValue,
    /// What it answers, without brackets.
    pub in_reply_to: Option<HeaderValue>,
    /// All before it, without brackets.
    pub references: Vec<HeaderValue>,
    /// Marks for programs.
    pub marks: Vec<(&'static str, HeaderValue)>,
    /// Files: name, type, bytes.
    pub files: Vec<(HeaderValue, HeaderValue, &'m Bytes)>,
}

impl<'m> Draft<'m> {
    /// Checks a message.
    ///
    /// # Errors
    /// A text for the operator: an address that is none, an id that no header can carry.
    pub fn of(message: &'m Outbound) -> Result<Self, String> {
        let from = Mailbox::new(&message.from).map_err(|_| "the sender is no mailbox")?;
        let to = Mailbox::new(&message.to).map_err(|_| "the recipient is no mailbox")?;
        let reply_to = message.reply_to.as_deref().map(Mailbox::new).transpose();
        let reply_to = reply_to.map_err(|_| "the address for answers is no mailbox")?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if message.id.is_empty() || message.id.len() > 64 || !message.id.bytes().all(token) {
            return Err("the id of the message is not one".into());
        }
        let id = |text: &String| {
            let safe = !text.is_empty() && !text.contains(['<', '>', ' ', '\t']) && !text.contains("=?");
            HeaderValue::new(text.as_str()).ok().filter(|_| safe)
        };
        let own = message.thread.message_id.clone();
        let own = own.unwrap_or_else(|| message_id(&message.id, &from));
        let in_reply_to = message.thread.in_reply_to.as_ref().and_then(id);
        let mut text = message.text.clone();
        let mut files = Vec::new();
        for attachment in &message.attachments {
            let name = HeaderValue::flattened(attachment.name.as_deref().unwrap_or("file"));
            match &attachment.source {
                AttachmentSource::Inline(bytes) => {
                    let kind = attachment.mime.as_deref().filter(|kind| is_type(kind));
                    files.push((
                        name,
                        HeaderValue::flattened(kind.unwrap_or("application/octet-stream")),
                        bytes,
                    ));
                }
                AttachmentSource::Url(url) => {
                    text.push_str("\n\n");
                    text.push_str(HeaderValue::flattened(url).as_str());
                }
                AttachmentSource::Media(_) => return Err("a file has not been read yet".into()),
            }
        }
        Ok(Self {
            id: &message.id,
            from_name: message.from_name.as_deref().map(HeaderValue::flattened),
            to,
            reply_to,
            subject: HeaderValue::flattened(message.subject.as_deref().unwrap_or_default()),
            text,
            html: message.html.as_deref(),
            message_id: id(&own).ok_or("the id of the mail is not one")?,
            references: message.thread.references.iter().filter_map(id).collect(),
            marks: marks(&from, message.automatic, in_reply_to.is_some()),
            in_reply_to,
            files,
            from,
        })
    }

    /// The headers that no interface of a provider has a field for: threading and marks.
    #[must_use]
    pub fn more_headers(&self) -> Vec<(&'static str, String)> {
        let angled = |id: &HeaderValue| format!("<{}>", id.as_str());
        let mut headers = vec![("Message-ID", angled(&self.message_id))];
        headers.extend(self.in_reply_to.iter().map(|id| ("In-Reply-To", angled(id))));
        if !self.references.is_empty() {
            let all: Vec<String> = self.references.iter().map(angled).collect();
            headers.push(("References", all.join(" ")));
        }
        headers.extend(
            self.marks
                .iter()
                .map(|(name, value)| (*name, value.as_str().to_owned())),
        );
        headers
    }

    /// The sender as one text: `"Name" <mailbox>`.
    #[must_use]
    pub fn sender(&self) -> String {
        match &self.from_name {
            Some(name) if !name.as_str().is_empty() => {
                let name = name.as_str().replace(['"', '\\'], "");
                format!("\"{name}\" <{}>", self.from.as_str())
            }
            _ => self.from.as_str().to_owned(),
        }
    }

    /// A text that occurs in no mail but this, and is the same at each attempt.
    #[must_use]
    pub fn boundary(&self, use_of_it: &str) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [use_of_it, self.id, &self.text, self.html.unwrap_or_default()] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        format!("=_{}", hex(&context.finish().as_ref()[..16]))
    }
}

/// `type/subtype` and nothing else.
fn is_type(kind: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_'))
    };
    kind.split_once('/')
        .is_some_and(|(main, sub)| token(main) && token(sub) && main != "multipart" && main != "message")
}

/// Puts a mail in MIME. The same message becomes the same bytes, whenever and wherever.
///
/// # Errors
/// As [`Draft::of`].
pub fn compose(message: &Outbound) -> Result<Vec<u8>, String> {
    let draft = Draft::of(message)?;
    let mut body = MimePart::new("text/plain", BodyPart::Text(draft.text.as_str().into()));
    if let Some(html) = draft.html {
        let html = MimePart::new("text/html", BodyPart::Text(html.into()));
        body = multipart(
            "multipart/alternative",
            draft.boundary("alternative"),
            vec![body, html],
        );
    }
    if !draft.files.is_empty() {
        let mut parts = vec![body];
        parts.extend(draft.files.iter().map(|(name, kind, bytes)| {
            MimePart::new(kind.as_str(), BodyPart::Binary(bytes.as_ref().into())).attachment(name.as_str())
        }));
        body = multipart("multipart/mixed", draft.boundary("mixed"), parts);
    }
    let name = draft.from_name.as_ref().map(|name| name.as_str().to_owned());
    let ids = |ids: &[&HeaderValue]| MessageId::new_list(ids.iter().map(|id| id.as_str().to_owned()));
    let mut headers: Vec<(&'static str, HeaderType<'_>)> = vec![
        ("From", Address::new_address(name, draft.from.as_str()).into()),
        ("To", Address::new_address(None::<&str>, draft.to.as_str()).into()),
        ("Subject", Text::new(draft.subject.as_str()).into()),
        ("Message-ID", ids(&[&draft.message_id]).into()),
    ];
    if let Some(at) = message.at {
        let seconds = i64::try_from(at.0 / 1_000).unwrap_or_default();
        headers.push(("Date", mail_builder::headers::date::Date::new(seconds).into()));
    }
    if let Some(reply_to) = &draft.reply_to {
        let address = Address::new_address(None::<&str>, reply_to.as_str());
        headers.push(("Reply-To", address.into()));
    }
    headers.extend(
        draft
            .in_reply_to
            .as_ref()
            .map(|id| ("In-Reply-To", ids(&[id]).into())),
    );
    if !draft.references.is_empty() {
        headers.push((
            "References",
            ids(&draft.references.iter().collect::<Vec<_>>()).into(),
        ));
    }
    headers.extend(
        draft
            .marks
            .iter()
            .map(|(name, value)| (*name, Raw::new(value.as_str()).into())),
    );
    headers.push(("MIME-Version", Raw::new("1.0").into()));
    let own = std::mem::take(&mut body.headers);
    body.headers = headers
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .chain(own)
        .collect();
    let mut bytes = Vec::new();
    body.write_part(&mut bytes);
    Ok(bytes)
}

fn multipart<'x>(kind: &'x str, boundary: String, parts: Vec<MimePart<'x>>) -> MimePart<'x> {
    let kind = ContentType::new(kind).attribute("boundary", boundary);
    MimePart::new(kind, BodyPart::Multipart(parts))
}

#[cfg(test)]
mod tests;
