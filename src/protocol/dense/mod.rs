//! Plain data in few bytes, for what stays in this process: nobody else reads it and no later release does.
//!
//! **Owns** the form: self-describing, like JSON, so that whatever has a JSON form has this one; names that are known beforehand, words
//! and ids that came before take a byte or two, numbers as many as they need. **Leaves** to its callers what is written in which
//! order.
//!
//! **Must never happen**: a value that reads back as another; a form of this kind in a store or on a wire.

mod read;
mod words;
mod write;

pub use read::Reader;
pub use write::Writer;

/// The value has no such form, or the bytes are not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no dense form: {0}")]
pub struct Unfit(String);

impl serde::ser::Error for Unfit {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for Unfit {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// What a byte says of what follows. Ranges end where the next begins.
mod tag {
    pub(super) const NULL: u8 = 0x00;
    pub(super) const FALSE: u8 = 0x01;
    pub(super) const TRUE: u8 = 0x02;
    /// A length, then so many values.
    pub(super) const SEQUENCE: u8 = 0x03;
    /// A length, then so many pairs.
    pub(super) const MAP: u8 = 0x04;
    /// A length, then so many bytes of UTF-8.
    pub(super) const TEXT: u8 = 0x05;
    /// A length, then so many bytes.
    pub(super) const BYTES: u8 = 0x06;
    /// Sixteen bytes.
    pub(super) const ID: u8 = 0x07;
    /// A number, of which all bits are turned.
    pub(super) const NEGATIVE: u8 = 0x08;
    /// A number.
    pub(super) const NUMBER: u8 = 0x09;
    /// Eight bytes.
    pub(super) const FLOAT: u8 = 0x0a;
    /// The number of a word that came before.
    pub(super) const WORD: u8 = 0x0b;
    /// The number of an id that came before.
    pub(super) const KNOWN_ID: u8 = 0x0c;
    /// A small number.
    pub(super) const SMALL: u8 = 0x10;
    /// A map with few pairs.
    pub(super) const SMALL_MAP: u8 = 0x20;
    /// One of the first ids.
    pub(super) const FIRST_ID: u8 = 0x30;
    /// A short text.
    pub(super) const SHORT_TEXT: u8 = 0x40;
    /// One of the first words.
    pub(super) const FIRST_WORD: u8 = 0x60;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests;
