//! `application/x-www-form-urlencoded`, flat and in order: what providers sign and what they are sent.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// More fields than any provider sends.
const MOST: usize = 1_000;

const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name and a value, decoded.
pub type Pair<'t> = (Cow<'t, str>, Cow<'t, str>);

/// The fields of a form or a query, in order, repeats kept. A `%` without two digits stands for itself, as browsers read it.
///
/// `None` for bytes that are not UTF-8 and for more than a thousand fields.
#[must_use]
pub fn pairs(text: &[u8]) -> Option<Vec<Pair<'_>>> {
    let text = std::str::from_utf8(text).ok()?;
    let fields = text.split('&').filter(|field| !field.is_empty());
    let mut found = Vec::new();
    for field in fields {
        if found.len() == MOST {
            return None;
        }
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        found.push((decoded(name)?, decoded(value)?));
    }
    Some(found)
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().ok();
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(|text| Cow::Owned(text.into_owned()))
}

/// Writes a form or a query; a space becomes `%20`, which both take.
#[must_use]
pub fn encode(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, KEPT));
        text.push('=');
        text.extend(utf8_percent_encode(value, KEPT));
    }
    text
}

/// One segment of a path.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spaces_escapes_repeats_and_empty_values_are_kept_in_order() {
        let found = pairs(b"b=1+2&a=%C3%A9&b=&c&&d=x%3Dy&e=50%").unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            found,
            [
                ("b", "1 2"),
                ("a", "é"),
                ("b", ""),
                ("c", ""),
                ("d", "x=y"),
                ("e", "50%")
            ]
        );
    }

    #[test]
    fn bytes_that_are_no_text_and_floods_of_fields_are_refused() {
        assert_eq!(pairs(b"a=%ff"), None);
        assert_eq!(pairs(b"a=\xff"), None);
        assert!(pairs("a=1&".repeat(MOST).as_bytes()).is_some());
        assert_eq!(pairs("a=1&".repeat(MOST + 1).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(fields in proptest::collection::vec((".+", ".*"), 0..8)) {
            let plain: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
            let text = encode(&plain);
            let read = pairs(text.as_bytes()).unwrap();
            let read: Vec<(&str, &str)> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
            prop_assert_eq!(read, plain);
        }

        #[test]
        fn no_bytes_break_the_reader(bytes: Vec<u8>) {
            let _ = pairs(&bytes);
        }
    }
}
