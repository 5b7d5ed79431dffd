//! Where a reader stands in a log, and the chain that makes two histories distinguishable (DESIGN 3.1).

use std::fmt;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde::{Deserialize, Serialize};

/// SHA-256 of a record in which an erasable body stands by its own digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `parts`, one after the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…")
    }
}

/// The first eight bytes of the SHA-1 chain over all records of a log up to a number. All zero before the first.
///
/// SHA-1 because it is what the Redis function language offers; it tells histories apart, it does not authenticate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChainHash(pub [u8; 8]);

impl ChainHash {
    /// The hash after a record with this digest: the first 8 bytes of SHA-1(self, digest).
    #[must_use]
    pub fn then(self, next: &Digest) -> Self {
        let mut joined = [0; 40];
        joined[..8].copy_from_slice(&self.0);
        joined[8..].copy_from_slice(&next.0);
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &joined);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&sha1.as_ref()[..8]);
        Self(bytes)
    }

    /// Sixteen lower-case hexadecimal digits, the form on every wire.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.digits().map(char::from).into_iter().collect()
    }

    fn digits(self) -> [u8; 16] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 16];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0x0f)];
        }
        digits
    }

    /// Reads the form of [`Self::to_hex`]; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 16
            || !text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return None;
        }
        u64::from_str_radix(text, 16)
            .ok()
            .map(|bits| Self(bits.to_be_bytes()))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl Serialize for ChainHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Digits are text.
        serializer.serialize_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("expected 16 hexadecimal digits"))
    }
}

/// A place in one log: the number of a record and the chain up to and including it. The default is "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Position {
    /// Number of the record; 0 before the first.
    pub n: u64,
    /// The chain at that record.
    pub hash: ChainHash,
}

impl Position {
    /// The position after appending a record with this digest.
    #[must_use]
    pub fn then(self, next: &Digest) -> Self {
        Self {
            n: self.n + 1,
            hash: self.hash.then(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_histories_of_equal_length_have_different_positions() {
        let one = Position::default()
            .then(&Digest::of(&[b"a"]))
            .then(&Digest::of(&[b"b"]));
        let other = Position::default()
            .then(&Digest::of(&[b"b"]))
            .then(&Digest::of(&[b"a"]));
        assert_eq!(one.n, other.n);
        assert_ne!(one.hash, other.hash);
    }

    #[test]
    fn a_hash_reads_back_from_its_hexadecimal_form() {
        let hash = ChainHash::default().then(&Digest::of(&[b"x"]));
        assert_eq!(ChainHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(ChainHash::from_hex("00"), None);
        assert_eq!(ChainHash::from_hex("000000000000000G"), None);
    }
}
