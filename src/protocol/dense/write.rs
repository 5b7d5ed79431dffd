//! Writing.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde::ser::{self, Error as _};

use super::words::{KNOWN, NUMBERS};
use super::{Unfit, tag};

/// Bytes in the making.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    words: HashMap<Box<str>, usize>,
    ids: HashMap<[u8; 16], usize>,
}

impl Writer {
    /// A number in as many bytes as it needs, seven bits each.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.out.push(number.to_le_bytes()[0]);
    }

    /// A length, then so many bytes.
    pub fn block(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A value.
    ///
    /// # Errors
    /// [`Unfit`]: it has no JSON form either, or says how long it is only at its end.
    pub fn value(&mut self, value: &impl Serialize) -> Result<(), Unfit> {
        value.serialize(self)
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    fn word(&mut self, word: &str) {
        let known = NUMBERS.get(word).or_else(|| self.words.get(word)).copied();
        if let Some(number) = known {
            return self.sized(tag::FIRST_WORD..=u8::MAX, tag::WORD, number);
        }
        let number = KNOWN.len() + self.words.len();
        self.words.insert(word.into(), number);
        self.sized(tag::SHORT_TEXT..=tag::FIRST_WORD - 1, tag::TEXT, word.len());
        self.out.extend_from_slice(word.as_bytes());
    }

    fn id(&mut self, id: [u8; 16]) {
        if let Some(number) = self.ids.get(&id).copied() {
            return self.sized(tag::FIRST_ID..=tag::SHORT_TEXT - 1, tag::KNOWN_ID, number);
        }
        let number = self.ids.len();
        self.ids.insert(id, number);
        self.out.push(tag::ID);
        self.out.extend_from_slice(&id);
    }

    /// A size by one of the tags `short` where there are enough of them, else after the tag `long`.
    fn sized(&mut self, short: RangeInclusive<u8>, long: u8, size: usize) {
        let tag = u8::try_from(size)
            .ok()
            .and_then(|size| short.start().checked_add(size));
        if let Some(tag) = tag.filter(|tag| short.contains(tag)) {
            self.out.push(tag);
        } else {
            self.out.push(long);
            self.number(size as u64);
        }
    }

    fn map(&mut self, pairs: usize) {
        self.sized(tag::SMALL_MAP..=tag::FIRST_ID - 1, tag::MAP, pairs);
    }

    fn sequence(&mut self, values: usize) {
        self.out.push(tag::SEQUENCE);
        self.number(values as u64);
    }

    fn named(&mut self, variant: &str) {
        self.map(1);
        self.word(variant);
    }
}

type Written = Result<(), Unfit>;

impl ser::Serializer for &mut Writer {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.out.push(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Written {
        if let Ok(value) = u64::try_from(value) {
            return self.serialize_u64(value);
        }
        self.out.push(tag::NEGATIVE);
        self.number((!value).cast_unsigned());
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Written {
        if value < (tag::SMALL_MAP - tag::SMALL).into() {
            self.out.push(tag::SMALL + value.to_le_bytes()[0]);
        } else {
            self.out.push(tag::NUMBER);
            self.number(value);
        }
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.out.push(tag::FLOAT);
        self.out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        self.word(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        if let Ok(id) = value.try_into() {
            self.id(id);
        } else {
            self.out.push(tag::BYTES);
            self.block(value);
        }
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.push(tag::NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.named(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Unfit> {
        self.sequence(length.ok_or_else(|| Unfit::custom("a sequence of unknown length"))?);
        Ok(self)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self, Unfit> {
        self.sequence(length);
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Self, Unfit> {
        self.serialize_tuple(length)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self, Unfit> {
        self.named(variant);
        self.serialize_tuple(length)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Unfit> {
        self.map(length.ok_or_else(|| Unfit::custom("a map of unknown length"))?);
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Self, Unfit> {
        self.map(length);
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self, Unfit> {
        self.named(variant);
        self.map(length);
        Ok(self)
    }
}

impl ser::SerializeSeq for &mut Writer {
    type Ok = ();
    type Error = Unfit;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeTuple for &mut Writer {
    type Ok = ();
    type Error = Unfit;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeTupleStruct for &mut Writer {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeTupleVariant for &mut Writer {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeMap for &mut Writer {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Written {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeStruct for &mut Writer {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Written {
        self.word(name);
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

impl ser::SerializeStructVariant for &mut Writer {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Written {
        self.word(name);
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}
