//! The fields of a callback that is sent as `multipart/form-data` (RFC 7578) or as a plain form.

use bytes::Bytes;

use super::head::Content;
use super::mime::in_charset;
use super::multipart::{cut, head_and_body};
use crate::protocol::body::boundary;
use crate::protocol::channel::form;
use crate::protocol::channel::{CallbackRequest, Unreadable};

/// More fields and files than any provider sends.
const MOST: usize = 300;
/// Bytes of the headers of one part.
const LONGEST_HEAD: usize = 16 * 1_024;

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub name: String,
    /// Its file name, where it is a file.
    pub file_name: Option<String>,
    /// Its type, where it says one.
    pub mime: Option<String>,
    /// Its value; of a file a part of the body, not a copy.
    pub value: Bytes,
}

/// The fields in order, repeats kept.
#[derive(Debug)]
pub(super) struct FormData(Vec<Field>);

impl FormData {
    /// Reads the body of a callback.
    ///
    /// # Errors
    /// [`Unreadable`]: neither kind of form, cut short, or more than 300 fields.
    pub(super) fn of(request: &CallbackRequest<'_>) -> Result<Self, Unreadable> {
        let content_type = request.header("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let pairs = form::pairs(request.body).ok_or(Unreadable("not a form"))?;
            let fields = pairs.into_iter().map(|(name, value)| Field {
                name: name.into_owned(),
                file_name: None,
                mime: None,
                value: Bytes::from(value.into_owned()),
            });
            return Ok(Self(fields.collect()));
        }
        let boundary = boundary(Some(content_type)).map_err(|_| Unreadable("no form"))?;
        let cut = cut(request.body, boundary.as_bytes(), MOST).ok_or(Unreadable("too many fields"))?;
        if !cut.closed {
            return Err(Unreadable("a form without end"));
        }
        let mut fields = Vec::with_capacity(cut.parts.len());
        for part in cut.parts {
            let (head, value) = head_and_body(part);
            if head.len() > LONGEST_HEAD {
                return Err(Unreadable("a field with too many headers"));
            }
            let content = Content::read(head);
            let mime = content.mime();
            fields.push(Field {
                name: content.field.ok_or(Unreadable("a field without name"))?,
                file_name: content.name,
                mime: Some(mime).filter(|mime| !mime.is_empty()),
                value: request.body.slice_ref(value),
            });
        }
        Ok(Self(fields))
    }

    /// The last field of a name: of what is repeated it is the one that providers wrote and no sender.
    #[must_use]
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.0.iter().rev().find(|field| field.name == name)
    }

    /// Its text in UTF-8 or the given character set; `None` where it is absent.
    #[must_use]
    pub(super) fn text_in(&self, name: &str, charset: Option<&str>) -> Option<String> {
        self.field(name).map(|field| in_charset(charset, &field.value))
    }

    /// Its text; `None` where it is absent or empty.
    #[must_use]
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.text_in(name, None).filter(|text| !text.trim().is_empty())
    }

    /// All of them.
    #[must_use]
    pub(super) fn fields(&self) -> &[Field] {
        &self.0
    }
}
