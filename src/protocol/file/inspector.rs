//! Judges a file while it passes, in constant memory.

use super::kind::{FileKind, is_plain};
use super::size::{JpegWalk, of_head};

/// Bytes kept from the beginning: enough for every header with a fixed place.
const HEAD: usize = 64;
/// Bytes that tell every type apart.
const TELLING: usize = 12;
/// Bytes kept from the end: a ZIP directory can hide in front of a comment of this length and no longer one.
const TAIL: usize = 4_096;
/// Pixels of one side, and of the whole picture: 200 MB when drawn.
const SIDE: u32 = 16_384;
const PIXELS: u64 = 50_000_000;

/// What makes a browser or an interpreter take a file for something to run, in lower case, when a blank, `>` or `/` follows:
/// without that one in a hundred large photographs would hold one by chance.
const MARKUP: [&[u8]; 7] = [
    b"<script",
    b"<html",
    b"<svg",
    b"<!doctype",
    b"<?php",
    b"<iframe",
    b"<body",
];
const LONGEST_MARK: usize = 10;

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No type of the table.
    #[error("the type of the file is not accepted")]
    Kind,
    /// It begins as a type of the table and does not go on as one.
    #[error("the file is damaged or is two types at once")]
    Impure,
    /// A scanner found something in it.
    #[error("the file is infected")]
    Infected,
    /// A picture with more pixels than a viewer should be asked for.
    #[error("the picture has too many pixels")]
    Pixels,
}

/// Takes the pieces of a file and says at the end what it is.
#[derive(Debug, Default)]
pub struct Inspector {
    head: Vec<u8>,
    tail: Vec<u8>,
    length: u64,
    kind: Option<FileKind>,
    jpeg: JpegWalk,
    markup: bool,
    pending_utf8: Vec<u8>,
}

impl Inspector {
    /// Nothing has passed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Refused`] as soon as it is certain.
    pub fn pass(&mut self, piece: &[u8]) -> Result<(), Refused> {
        let before = self.head.len();
        let missing = HEAD.saturating_sub(before).min(piece.len());
        self.head.extend_from_slice(&piece[..missing]);
        self.length += piece.len() as u64;
        if self.kind.is_none() && self.head.len() >= TELLING {
            self.kind = Some(FileKind::of_head(&self.head).ok_or(Refused::Kind)?);
            if self.kind == Some(FileKind::Text) {
                // What passed before the type was known is all in the head.
                let early = self.head[..before].to_vec();
                self.pass_text(&early)?;
            }
        }
        match self.kind {
            Some(FileKind::Text) => self.pass_text(piece)?,
            Some(FileKind::Jpeg) | None => self.jpeg.pass(piece),
            Some(_) => {}
        }
        self.look_for_markup(piece)?;
        self.keep_tail(piece);
        Ok(())
    }

    /// The file is complete.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn finish(self) -> Result<FileKind, Refused> {
        let kind = match self.kind {
            Some(kind) => kind,
            None => FileKind::of_head(&self.head).ok_or(Refused::Kind)?,
        };
        if self.kind.is_none() && kind == FileKind::Text && std::str::from_utf8(&self.head).is_err() {
            return Err(Refused::Kind);
        }
        let whole = match kind {
            FileKind::Png => self.tail.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"),
            FileKind::Gif => self.tail.ends_with(b";"),
            FileKind::Webp => self.riff_length() == Some(self.length),
            // Cameras append what they like behind a JPEG; an archive is not among it.
            FileKind::Jpeg => {
                self.tail.windows(2).any(|pair| pair == b"\xff\xd9") || self.length > TAIL as u64
            }
            FileKind::Pdf => self.tail.windows(5).any(|five| five == b"%%EOF"),
            FileKind::Text => self.pending_utf8.is_empty(),
        };
        let archive = self.tail.windows(4).any(|four| four == b"PK\x05\x06");
        if !whole || archive {
            return Err(Refused::Impure);
        }
        let pixels = match kind {
            FileKind::Jpeg => Some(self.jpeg.pixels().ok_or(Refused::Impure)?),
            _ if kind.is_image() => Some(of_head(kind, &self.head).ok_or(Refused::Impure)?),
            _ => None,
        };
        match pixels {
            Some((width, height)) if width == 0 || height == 0 => Err(Refused::Impure),
            Some((width, height))
                if width > SIDE || height > SIDE || u64::from(width) * u64::from(height) > PIXELS =>
            {
                Err(Refused::Pixels)
            }
            _ => Ok(kind),
        }
    }

    fn riff_length(&self) -> Option<u64> {
        let claimed = u32::from_le_bytes(self.head.get(4..8)?.try_into().ok()?);
        Some(u64::from(claimed) + 8)
    }

    /// Characters may be cut between two pieces.
    fn pass_text(&mut self, piece: &[u8]) -> Result<(), Refused> {
        if !piece.iter().all(|&byte| is_plain(byte)) {
            return Err(Refused::Impure);
        }
        self.pending_utf8.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&self.pending_utf8) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(Refused::Impure),
        };
        self.pending_utf8.drain(..whole);
        Ok(())
    }

    fn look_for_markup(&mut self, piece: &[u8]) -> Result<(), Refused> {
        let before = &self.tail[self.tail.len().saturating_sub(LONGEST_MARK - 1)..];
        let seam_end = piece.len().min(LONGEST_MARK - 1);
        let seam = [before, &piece[..seam_end]].concat();
        self.markup |= has_markup(&seam) || has_markup(piece);
        if self.markup { Err(Refused::Impure) } else { Ok(()) }
    }

    fn keep_tail(&mut self, piece: &[u8]) {
        if piece.len() >= TAIL {
            self.tail.clear();
        } else {
            let excess = (self.tail.len() + piece.len()).saturating_sub(TAIL);
            self.tail.drain(..excess);
        }
        self.tail
            .extend_from_slice(&piece[piece.len().saturating_sub(TAIL)..]);
    }
}

fn has_markup(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| byte == b'<') {
        rest = &rest[at..];
        let begins = |mark: &[u8]| {
            let ends = matches!(
                rest.get(mark.len()),
                Some(b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'/')
            );
            ends && rest[..mark.len()].eq_ignore_ascii_case(mark)
        };
        if MARKUP.iter().any(|mark| begins(mark)) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One pixel, as any editor writes it.
    pub(crate) const PNG: &[u8] =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
        \0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xae\x42\x60\x82";
    const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x01D\0;";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x0b\x08\0\x02\0\x03\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\x12\xff\xd9";

    fn webp() -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WEBPVP8L\x05\0\0\0\x2f\0\0\0\0\0".to_vec();
        let length = u32::try_from(file.len() - 8).unwrap();
        file[4..8].copy_from_slice(&length.to_le_bytes());
        file
    }

    fn judge(file: &[u8], piece: usize) -> Result<FileKind, Refused> {
        let mut inspector = Inspector::new();
        for piece in file.chunks(piece.max(1)) {
            inspector.pass(piece)?;
        }
        inspector.finish()
    }

    #[test]
    fn every_type_of_the_table_is_known_at_any_piece_size() {
        let webp = webp();
        let files: [(&[u8], FileKind); 6] = [
            (PNG, FileKind::Png),
            (GIF, FileKind::Gif),
            (JPEG, FileKind::Jpeg),
            (&webp, FileKind::Webp),
            (b"%PDF-1.7\n...\n%%EOF\n", FileKind::Pdf),
            ("Grüße, 1 < 2\n".as_bytes(), FileKind::Text),
        ];
        for (file, kind) in files {
            for piece in [1, 3, 13, 4_096] {
                assert_eq!(judge(file, piece), Ok(kind), "{kind:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_a_browser_could_run_is_refused() {
        let files: [&[u8]; 8] = [
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<?xml version=\"1.0\"?>\n<SVG/>",
            b"<!DOCTYPE html><p>hello</p>",
            b"hello <ScRiPt>alert(1)</script>",
            b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff",
            b"PK\x03\x04\x14\0\0\0\0\0\0\0",
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\0",
            b"",
        ];
        for file in files {
            for piece in [1, 5, 64] {
                assert!(judge(file, piece).is_err(), "{file:?}");
            }
        }
    }

    #[test]
    fn what_is_two_types_at_once_is_refused() {
        let with = |file: &[u8], more: &[u8]| [file, more].concat();
        for file in [
            with(PNG, b"<html><script>"),
            with(PNG, b"trailing"),
            with(GIF, b"PK\x05\x06;"),
            with(JPEG, b"PK\x03\x04....PK\x05\x06\0\0"),
            with(b"GIF89a/*\x01\0\x01\0", b"*/=1;<script>;"),
            with(&webp(), b"more"),
        ] {
            assert_eq!(judge(&file, 7), Err(Refused::Impure));
        }
    }

    #[test]
    fn markup_across_two_pieces_is_seen() {
        for cut in 1..8 {
            let mut inspector = Inspector::new();
            let file = b"plain words first <script>";
            let first = file.len() - cut;
            let judged = inspector
                .pass(&file[..first])
                .and_then(|()| inspector.pass(&file[first..]));
            assert_eq!(judged, Err(Refused::Impure), "{cut}");
        }
    }

    #[test]
    fn a_picture_that_asks_for_gigabytes_is_refused() {
        let mut png = PNG.to_vec();
        png[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        assert_eq!(judge(&png, 64), Err(Refused::Pixels));
        let mut gif = GIF.to_vec();
        gif[6..10].copy_from_slice(&[0x30, 0x75, 0x30, 0x75]);
        assert_eq!(judge(&gif, 64), Err(Refused::Pixels));
        let at = JPEG.windows(2).position(|pair| pair == b"\xff\xc0").unwrap() + 5;
        let mut jpeg = JPEG.to_vec();
        jpeg[at..at + 4].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
        assert_eq!(judge(&jpeg, 3), Err(Refused::Pixels));
        jpeg[at..at + 4].copy_from_slice(&[0; 4]);
        assert_eq!(judge(&jpeg, 3), Err(Refused::Impure));
    }

    #[test]
    fn a_picture_that_stops_in_the_middle_is_refused() {
        assert_eq!(judge(&PNG[..PNG.len() - 3], 16), Err(Refused::Impure));
        assert_eq!(judge(&JPEG[..12], 16), Err(Refused::Impure));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            start in prop_oneof![Just(PNG), Just(GIF), Just(JPEG), Just(&b"%PDF-"[..]), Just(&b""[..])],
            keep in 0_usize..80,
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            piece in 1_usize..50,
        ) {
            let file = [&start[..keep.min(start.len())], &bytes].concat();
            let _ = judge(&file, piece);
        }

        #[test]
        fn the_verdict_does_not_depend_on_the_pieces(
            start in prop_oneof![Just(PNG), Just(GIF), Just(JPEG), Just(&b"text "[..])],
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'<'), Just(b's')], 0..100),
            piece in 1_usize..50,
        ) {
            let file = [start, &bytes].concat();
            prop_assert_eq!(judge(&file, piece).ok(), judge(&file, 10_000).ok());
        }
    }
}
