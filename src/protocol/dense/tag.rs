//! What a byte says of what follows. Ranges end where the next begins.

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
