//! A record: what is written down in a log, once, for ever.

use bytes::Bytes;
use uuid::Uuid;

use super::time::Millis;

/// The erasable part of a record: words, names, attached data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Body {
    /// The record has none.
    #[default]
    None,
    /// As it was said.
    Present(Bytes),
    /// It was there and has been erased; the chain stays whole.
    Erased,
}

impl Body {
    /// A body of text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Present(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The same with no more memory than it needs: what arrived may share the buffer of a whole request.
    #[must_use]
    pub fn compact(self) -> Self {
        match self {
            Self::Present(bytes) => Self::Present(Bytes::copy_from_slice(&bytes)),
            other => other,
        }
    }

    /// The bytes, where there are any.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Present(bytes) => Some(bytes),
            Self::None | Self::Erased => None,
        }
    }

    /// The text; empty when there is none, when it was erased, or when it is not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes()
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }
}

/// One entry of a log, decoded. `E` is [`super::SessionEvent`], [`super::DeskEvent`] or [`super::FeedEvent`].
#[derive(Debug, Clone, PartialEq)]
pub struct Record<E> {
    /// When the appending node decided it; readers take the larger of this and the predecessor's.
    pub at: Millis,
    /// The agent command that caused it (`cmdId`): what makes a repeat of the command recognisable.
    pub cause: Option<Uuid>,
    /// What happened.
    pub event: E,
    /// What may be erased of it.
    pub body: Body,
}
