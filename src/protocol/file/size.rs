//! The pixel size that a picture's header claims.

use super::kind::FileKind;

/// Width and height.
pub(super) type Pixels = (u32, u32);

/// The size in the first bytes of a picture whose header has a fixed place; JPEG has none.
pub(super) fn of_head(kind: FileKind, head: &[u8]) -> Option<Pixels> {
    match kind {
        FileKind::Png => Some((big(head, 16)?, big(head, 20)?)),
        FileKind::Gif => Some((little16(head, 6)?.into(), little16(head, 8)?.into())),
        FileKind::Webp => webp(head),
        FileKind::Jpeg | FileKind::Pdf | FileKind::Text => None,
    }
}

fn webp(head: &[u8]) -> Option<Pixels> {
    match head.get(12..16)? {
        b"VP8 " => Some((
            (little16(head, 26)? & 0x3fff).into(),
            (little16(head, 28)? & 0x3fff).into(),
        )),
        b"VP8L" => {
            let bits = u32::from_le_bytes(head.get(21..25)?.try_into().ok()?);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => {
            let side = |at: usize| {
                let bytes = head.get(at..at + 3)?;
                Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1)
            };
            Some((side(24)?, side(27)?))
        }
        _ => None,
    }
}

fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn little16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Walks the segments of a JPEG as its bytes pass, up to the one that holds its size.
#[derive(Debug, Default)]
pub(super) struct JpegWalk {
    state: Jpeg,
    seen: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Jpeg {
    /// The two bytes that begin the file.
    #[default]
    Start,
    /// A marker and, behind it, a length.
    Segment,
    /// So many bytes of a segment nobody asks for.
    Skip(u16),
    /// The frame header.
    Frame,
    /// The size is known.
    Known(Pixels),
    /// No JPEG.
    Broken,
}

impl JpegWalk {
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match self.state {
                Jpeg::Known(_) | Jpeg::Broken => return,
                Jpeg::Skip(left) => {
                    let step = usize::from(left).min(rest.len());
                    rest = &rest[step..];
                    let left = left - u16::try_from(step).unwrap_or(left);
                    self.state = if left == 0 {
                        Jpeg::Segment
                    } else {
                        Jpeg::Skip(left)
                    };
                }
                Jpeg::Start | Jpeg::Segment | Jpeg::Frame => {
                    self.seen.push(byte);
                    self.step();
                    rest = after;
                }
            }
        }
    }

    fn step(&mut self) {
        let next = match (self.state, self.seen.as_slice()) {
            (Jpeg::Start, [0xff, 0xd8]) => Jpeg::Segment,
            (Jpeg::Segment, [0xff]) | (Jpeg::Segment, [0xff, 0x01..=0xfe]) | (Jpeg::Segment, [_, _, _]) => {
                return;
            }
            // Fill bytes before a marker.
            (Jpeg::Segment, [0xff, 0xff]) => {
                self.seen.pop();
                return;
            }
            (Jpeg::Segment, [0xff, marker, high, low]) => {
                let length = u16::from_be_bytes([*high, *low]);
                match (marker, length.checked_sub(2)) {
                    (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, Some(5..)) => Jpeg::Frame,
                    // Picture data before any frame header, or a segment shorter than its own length.
                    (0xd9 | 0xda, _) | (_, None) => Jpeg::Broken,
                    (_, Some(0)) => Jpeg::Segment,
                    (_, Some(left)) => Jpeg::Skip(left),
                }
            }
            (Jpeg::Frame, [_, h0, h1, w0, w1]) => Jpeg::Known((
                u16::from_be_bytes([*w0, *w1]).into(),
                u16::from_be_bytes([*h0, *h1]).into(),
            )),
            (Jpeg::Start, [_]) | (Jpeg::Frame, [] | [_] | [_, _] | [_, _, _] | [_, _, _, _]) => return,
            _ => Jpeg::Broken,
        };
        self.seen.clear();
        self.state = next;
    }

    pub(super) fn pixels(&self) -> Option<Pixels> {
        match self.state {
            Jpeg::Known(pixels) => Some(pixels),
            _ => None,
        }
    }
}
