//! Judges the chunked coding of a request body, byte by byte, before the decoder sees it.
//!
//! Pure and split-invariant. Refuses what lenient decoders repair: signs and prefixes in sizes, bare line
//! feeds, stray carriage returns, endless extensions, and trailers that would change how a message is read
//! (RFC 9112 section 7.1).

use super::head::{is_field_byte, is_token};

/// Most bytes of chunk extensions and trailers together in one body.
const MAX_OVERHEAD: usize = 16 * 1024;
/// Most hexadecimal digits of a chunk size.
const MAX_SIZE_DIGITS: u8 = 15;
/// Longest trailer name remembered; no forbidden name is longer.
const NAME: usize = 24;

/// Trailers that could change framing, routing or rights (RFC 9110 section 6.5.1).
const FORBIDDEN: [&[u8]; 12] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"authorization",
    b"content-type",
    b"content-encoding",
    b"content-range",
    b"cookie",
    b"connection",
    b"expect",
    b"te",
    b"trailer",
];

/// The judge of one chunked body.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    at: At,
    overhead: usize,
    name: [u8; NAME],
    name_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size { digits: u8, size: u64 },
    Extension { size: u64, quoted: bool, escaped: bool },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataEnd,
    DataEndLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    LastLf,
}

/// What is known after the bytes seen so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of it is sound, and the body goes on.
    More,
    /// The body ended after so many bytes.
    Done(usize),
    /// The coding is broken after so many sound bytes.
    Broken(usize),
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            at: At::Size { digits: 0, size: 0 },
            overhead: 0,
            name: [0; NAME],
            name_len: 0,
        }
    }
}

impl Judge {
    /// Judges the next bytes of the body.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Verdict {
        let mut position = 0;
        while position < bytes.len() {
            if let At::Data { left } = self.at {
                let here = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len() - position);
                position += here;
                let left = left - here as u64;
                self.at = if left == 0 { At::DataEnd } else { At::Data { left } };
                continue;
            }
            if self.at == At::LastLf && bytes[position] == b'\n' {
                return Verdict::Done(position + 1);
            }
            match self.step(bytes[position]) {
                Some(next) => self.at = next,
                None => return Verdict::Broken(position),
            }
            position += 1;
        }
        Verdict::More
    }

    /// The state after `byte`, or `None` when it may not stand here.
    fn step(&mut self, byte: u8) -> Option<At> {
        match self.at {
            At::Size { digits, size } => match (byte, hex(byte)) {
                (_, Some(digit)) if digits < MAX_SIZE_DIGITS => Some(At::Size {
                    digits: digits + 1,
                    size: size * 16 + u64::from(digit),
                }),
                (b'\r', _) if digits > 0 => Some(At::SizeEnd { size }),
                (b';', _) if digits > 0 => Some(At::Extension {
                    size,
                    quoted: false,
                    escaped: false,
                }),
                _ => None,
            },
            At::Extension {
                size,
                quoted,
                escaped,
            } => {
                self.spend()?;
                match byte {
                    b'\r' if !quoted => Some(At::SizeEnd { size }),
                    _ if !is_field_byte(byte) => None,
                    _ if escaped => Some(At::Extension {
                        size,
                        quoted,
                        escaped: false,
                    }),
                    b'\\' if quoted => Some(At::Extension {
                        size,
                        quoted,
                        escaped: true,
                    }),
                    b'"' => Some(At::Extension {
                        size,
                        quoted: !quoted,
                        escaped: false,
                    }),
                    _ => Some(At::Extension {
                        size,
                        quoted,
                        escaped: false,
                    }),
                }
            }
            At::SizeEnd { size } => {
                let next = if size == 0 {
                    At::TrailerStart
                } else {
                    At::Data { left: size }
                };
                (byte == b'\n').then_some(next)
            }
            At::Data { .. } => Some(self.at),
            At::DataEnd => (byte == b'\r').then_some(At::DataEndLf),
            At::DataEndLf => (byte == b'\n').then_some(At::Size { digits: 0, size: 0 }),
            At::TrailerStart if byte == b'\r' => Some(At::LastLf),
            At::TrailerStart => {
                self.name_len = 0;
                self.name_byte(byte)
            }
            At::TrailerName if byte == b':' => (!self.is_forbidden()).then_some(At::TrailerValue),
            At::TrailerName => self.name_byte(byte),
            At::TrailerValue => {
                self.spend()?;
                match byte {
                    b'\r' => Some(At::TrailerEnd),
                    _ => is_field_byte(byte).then_some(At::TrailerValue),
                }
            }
            At::TrailerEnd => (byte == b'\n').then_some(At::TrailerStart),
            At::LastLf => None,
        }
    }

    fn name_byte(&mut self, byte: u8) -> Option<At> {
        self.spend()?;
        if !is_token(byte) {
            return None;
        }
        if let Some(place) = self.name.get_mut(self.name_len) {
            *place = if byte == b'_' {
                b'-'
            } else {
                byte.to_ascii_lowercase()
            };
        }
        self.name_len += 1;
        Some(At::TrailerName)
    }

    fn is_forbidden(&self) -> bool {
        self.name
            .get(..self.name_len)
            .is_some_and(|name| FORBIDDEN.contains(&name))
    }

    fn spend(&mut self) -> Option<()> {
        self.overhead += 1;
        (self.overhead <= MAX_OVERHEAD).then_some(())
    }
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judge(bytes: &[u8]) -> Verdict {
        Judge::default().advance(bytes)
    }

    #[test]
    fn sound_bodies_end_where_they_end() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00005;a=b;c=\"d;\\\"e\"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
            "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        ] {
            let next = format!("{body}GET / HTTP/1.1");
            assert_eq!(judge(next.as_bytes()), Verdict::Done(body.len()), "{body:?}");
        }
    }

    #[test]
    fn broken_bodies_are_refused() {
        let long_extension = format!("5;{}\r\nhello\r\n", "x".repeat(MAX_OVERHEAD + 1));
        for body in [
            "0x1\r\n",
            "+1\r\n",
            "-1\r\n",
            "1_0\r\n",
            "\r\n",
            ";a\r\n",
            "12345678901234567\r\n",
            "5 \r\n",
            " 5\r\n",
            "5g\r\n",
            "5\nhello",
            "5\r\nhelloX",
            "5\r\nhello\n",
            "5\r\nhello\rX",
            "5;a\rb\r\n",
            "5;a\nb",
            "5;\0\r\n",
            "5\r\r\n",
            "0\r\nContent-Length: 5\r\n",
            "0\r\nHost: a\r\n",
            "0\r\nAuthorization: x\r\n",
            "0\r\nTransfer_Encoding: x\r\n",
            "0\r\n: x\r\n",
            "0\r\n folded\r\n",
            "0\r\nX: a\nb",
            "0\r\n\rX",
            "0\r\n\n",
            long_extension.as_str(),
        ] {
            assert!(matches!(judge(body.as_bytes()), Verdict::Broken(_)), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_anywhere_changes_nothing(body in "[0-9a-f;\r\n :A-Hx\"]{0,60}", cut in 0_usize..60) {
            let bytes = body.as_bytes();
            let cut = cut.min(bytes.len());
            let whole = judge(bytes);
            let mut judge = Judge::default();
            let split = match judge.advance(&bytes[..cut]) {
                Verdict::More => match judge.advance(&bytes[cut..]) {
                    Verdict::Done(at) => Verdict::Done(cut + at),
                    Verdict::Broken(at) => Verdict::Broken(cut + at),
                    Verdict::More => Verdict::More,
                },
                early => early,
            };
            prop_assert_eq!(whole, split);
        }
    }
}
