//! Reading.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Error as _, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::words::KNOWN;
use super::{Unfit, tag};

/// Bytes that a [`Writer`](super::Writer) wrote, and how far they were read.
#[derive(Debug)]
pub struct Reader<'de> {
    rest: &'de [u8],
    words: Vec<&'de str>,
    ids: Vec<&'de [u8]>,
}

impl<'de> Reader<'de> {
    /// At their beginning.
    #[must_use]
    pub const fn new(bytes: &'de [u8]) -> Self {
        Self {
            rest: bytes,
            words: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn number(&mut self) -> Result<u64, Unfit> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unfit::custom("a number without an end"))
    }

    /// A length, and so many bytes.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn block(&mut self) -> Result<&'de [u8], Unfit> {
        let length = self.size()?;
        self.raw(length)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn raw(&mut self, length: usize) -> Result<&'de [u8], Unfit> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(ended)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Unfit> {
        self.raw(N)?.try_into().map_err(|_| ended())
    }

    /// A value.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn value<T: Deserialize<'de>>(&mut self) -> Result<T, Unfit> {
        T::deserialize(self)
    }

    /// What is not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'de [u8] {
        self.rest
    }

    fn byte(&mut self) -> Result<u8, Unfit> {
        let (byte, rest) = self.rest.split_first().ok_or_else(ended)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn size(&mut self) -> Result<usize, Unfit> {
        usize::try_from(self.number()?).map_err(Unfit::custom)
    }

    fn text(&mut self, length: usize) -> Result<&'de str, Unfit> {
        let text = std::str::from_utf8(self.raw(length)?).map_err(Unfit::custom)?;
        self.words.push(text);
        Ok(text)
    }

    fn word(&self, number: usize) -> Result<&'de str, Unfit> {
        let known = KNOWN.get(number);
        let word = known.or_else(|| self.words.get(number.checked_sub(KNOWN.len())?));
        word.copied()
            .ok_or_else(|| Unfit::custom("a word that never came"))
    }

    /// The text that begins with this tag, if it is one.
    fn text_of(&mut self, tag: u8) -> Result<Option<&'de str>, Unfit> {
        Ok(Some(match tag {
            tag::TEXT => {
                let length = self.size()?;
                self.text(length)?
            }
            tag::WORD => {
                let number = self.size()?;
                self.word(number)?
            }
            tag::SHORT_TEXT..tag::FIRST_WORD => self.text(usize::from(tag - tag::SHORT_TEXT))?,
            tag::FIRST_WORD.. => self.word(usize::from(tag - tag::FIRST_WORD))?,
            _ => return Ok(None),
        }))
    }

    fn id(&self, number: usize) -> Result<&'de [u8], Unfit> {
        let id = self.ids.get(number).copied();
        id.ok_or_else(|| Unfit::custom("an id that never came"))
    }
}

fn ended() -> Unfit {
    Unfit::custom("it ends too early")
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unfit;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let tag = self.byte()?;
        if let Some(text) = self.text_of(tag)? {
            return visitor.visit_borrowed_str(text);
        }
        match tag {
            tag::NULL => visitor.visit_unit(),
            tag::FALSE => visitor.visit_bool(false),
            tag::TRUE => visitor.visit_bool(true),
            tag::SEQUENCE => {
                let left = self.size()?;
                visitor.visit_seq(Several { reader: self, left })
            }
            tag::MAP => {
                let left = self.size()?;
                visitor.visit_map(Several { reader: self, left })
            }
            tag::BYTES => visitor.visit_borrowed_bytes(self.block()?),
            tag::ID => {
                let id = self.raw(16)?;
                self.ids.push(id);
                visitor.visit_borrowed_bytes(id)
            }
            tag::NEGATIVE => visitor.visit_i64(!self.number()?.cast_signed()),
            tag::NUMBER => visitor.visit_u64(self.number()?),
            tag::FLOAT => visitor.visit_f64(f64::from_le_bytes(self.array()?)),
            tag::KNOWN_ID => {
                let number = self.size()?;
                visitor.visit_borrowed_bytes(self.id(number)?)
            }
            tag::SMALL..tag::SMALL_MAP => visitor.visit_u64((tag - tag::SMALL).into()),
            tag::SMALL_MAP..tag::FIRST_ID => {
                let left = usize::from(tag - tag::SMALL_MAP);
                visitor.visit_map(Several { reader: self, left })
            }
            tag::FIRST_ID..tag::SHORT_TEXT => {
                visitor.visit_borrowed_bytes(self.id(usize::from(tag - tag::FIRST_ID))?)
            }
            _ => Err(Unfit::custom("nothing begins so")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.rest.split_first() {
            Some((&tag::NULL, rest)) => {
                self.rest = rest;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let tag = self.byte()?;
        if let Some(variant) = self.text_of(tag)? {
            return visitor.visit_enum(BorrowedStrDeserializer::new(variant));
        }
        if tag == tag::SMALL_MAP + 1 {
            visitor.visit_enum(Named(self))
        } else {
            Err(Unfit::custom("no variant begins so"))
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// Values of a sequence or pairs of a map.
struct Several<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Several<'_, 'de> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for Several<'_, 'de> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant that holds something.
struct Named<'a, 'de>(&'a mut Reader<'de>);

impl<'de> de::EnumAccess<'de> for Named<'_, 'de> {
    type Error = Unfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Unfit> {
        let variant = seed.deserialize(&mut *self.0)?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Named<'_, 'de> {
    type Error = Unfit;

    fn unit_variant(self) -> Result<(), Unfit> {
        self.0.value()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Unfit> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unfit> {
        self.0.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.0.deserialize_any(visitor)
    }
}
