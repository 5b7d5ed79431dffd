//! How a text is sent as short messages: its alphabet, and where it is cut (3GPP TS 23.038 and 23.040).
//!
//! The aggregators cut themselves; this counts as they do, so that a cost is known before and a bound can be kept.

/// The alphabet of a whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Seven bits a character; those of the extension table take two.
    Gsm7,
    /// Sixteen bits a unit of UTF-16.
    Ucs2,
}

/// The basic table without its escape, in order of code.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The extension table: an escape and a character.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

impl Encoding {
    /// The cheapest alphabet that has every character.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.chars().all(|c| septets(c).is_some()) {
            Self::Gsm7
        } else {
            Self::Ucs2
        }
    }

    /// What one message holds alone: 160 septets or 70 units.
    #[must_use]
    pub const fn alone(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// What each of several messages holds beside its header of six bytes: 153 septets or 67 units.
    #[must_use]
    pub const fn each(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// What a character takes, in septets or units. A character outside GSM 7-bit counts there as a `?`.
    #[must_use]
    pub fn size(self, c: char) -> usize {
        match self {
            Self::Gsm7 => septets(c).unwrap_or(1),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

fn septets(c: char) -> Option<usize> {
    match c {
        // Most of what is written, without a search.
        'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' => Some(1),
        _ if BASIC.contains(c) => Some(1),
        _ if EXTENSION.contains(c) => Some(2),
        _ => None,
    }
}

/// A text as it will be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments<'t> {
    /// The alphabet of all of them.
    pub encoding: Encoding,
    /// The parts, in order; one empty part for an empty text. Joined they are the text.
    pub parts: Vec<&'t str>,
}

/// Cuts a text. No cut falls inside an escape pair or a surrogate pair.
#[must_use]
pub fn segments(text: &str) -> Segments<'_> {
    let encoding = Encoding::of(text);
    let size = |part: &str| part.chars().map(|c| encoding.size(c)).sum::<usize>();
    if size(text) <= encoding.alone() {
        return Segments {
            encoding,
            parts: vec![text],
        };
    }
    let (mut parts, mut start, mut taken) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        let more = encoding.size(c);
        if taken + more > encoding.each() {
            parts.push(&text[start..at]);
            (start, taken) = (at, 0);
        }
        taken += more;
    }
    parts.push(&text[start..]);
    Segments { encoding, parts }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(text: &str) -> (Encoding, usize) {
        let cut = segments(text);
        (cut.encoding, cut.parts.len())
    }

    #[test]
    fn the_tables_have_every_code_once() {
        let mut basic: Vec<char> = BASIC.chars().collect();
        assert_eq!(basic.len(), 127);
        basic.sort_unstable();
        basic.dedup();
        assert_eq!(basic.len(), 127);
        assert_eq!(EXTENSION.chars().count(), 10);
        assert_eq!(septets('`'), None);
        assert_eq!(septets('ç'), None);
        assert_eq!(septets('['), Some(2));
    }

    #[test]
    fn the_edges_of_both_alphabets() {
        for (text, parts) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 76 pairs fit in 153 septets; the 77th would be torn.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
        ] {
            assert_eq!(
                counted(&text),
                (Encoding::Gsm7, parts),
                "{} characters",
                text.chars().count()
            );
        }
        for (text, parts) in [
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("ж".repeat(134), 2),
            ("ж".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
        ] {
            assert_eq!(
                counted(&text),
                (Encoding::Ucs2, parts),
                "{} characters",
                text.chars().count()
            );
        }
        assert_eq!(counted(""), (Encoding::Gsm7, 1));
    }

    proptest! {
        #[test]
        fn the_parts_are_the_text_and_each_fits(text in ".{0,400}|[a-z€\\[]{0,700}") {
            let cut = segments(&text);
            prop_assert_eq!(cut.parts.concat(), text.as_str());
            let most = if cut.parts.len() == 1 { cut.encoding.alone() } else { cut.encoding.each() };
            for part in &cut.parts {
                let size: usize = part.chars().map(|c| cut.encoding.size(c)).sum();
                prop_assert!(size <= most);
                prop_assert!(cut.parts.len() == 1 || !part.is_empty());
            }
        }
    }
}
