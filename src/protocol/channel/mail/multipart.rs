//! A multipart body, of a mail or of a form, cut at its boundary (RFC 2046 5.1).

/// What lies between the boundaries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut<'b> {
    /// The parts, headers and all, without the line break that belongs to the boundary after them.
    pub parts: Vec<&'b [u8]>,
    /// Whether the last boundary says that it is the last.
    pub closed: bool,
}

/// Cuts a body in one pass; `None` as soon as there are more than `most` parts. A boundary stands alone on its line, after
/// any kind of line break; a part that is never closed reaches to the end.
#[must_use]
pub(super) fn cut<'b>(body: &'b [u8], boundary: &[u8], most: usize) -> Option<Cut<'b>> {
    let mut parts = Vec::new();
    let mut open = None;
    let mut next = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let start = next;
        next += line.len();
        let Some(last) = delimiter(line, boundary) else {
            continue;
        };
        if let Some(begin) = open.take() {
            parts.push(without_break(&body[begin..start]));
        }
        if last {
            return Some(Cut { parts, closed: true });
        }
        if parts.len() == most {
            return None;
        }
        open = Some(next);
    }
    parts.extend(open.map(|begin| &body[begin..]));
    Some(Cut { parts, closed: false })
}

/// Whether a line is a boundary, and then whether it is the last.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (rest, last) = match rest.strip_prefix(b"--") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    rest.iter().all(u8::is_ascii_whitespace).then_some(last)
}

fn without_break(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// The headers of a part, with the empty line that ends them, and what follows. A part that begins with the empty line has no headers;
/// one without it is all headers.
#[must_use]
pub(super) fn head_and_body(part: &[u8]) -> (&[u8], &[u8]) {
    let mut next = 0;
    for line in part.split_inclusive(|&byte| byte == b'\n') {
        next += line.len();
        if line == b"\r\n" || line == b"\n" {
            return part.split_at(next);
        }
    }
    (part, b"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(body: &str) -> (Vec<&str>, bool) {
        let cut = cut(body.as_bytes(), b"b", 3).unwrap();
        let parts = cut.parts.iter().map(|part| std::str::from_utf8(part).unwrap());
        (parts.collect(), cut.closed)
    }

    #[test]
    fn parts_lie_between_lines_that_are_the_boundary() {
        assert_eq!(
            parts("pre\r\n--b\r\nA\r\n\r\n--b \t\r\nB\n--b--\r\npost"),
            (vec!["A\r\n", "B"], true)
        );
        assert_eq!(parts("--b\n--b\n--b--"), (vec!["", ""], true));
        assert_eq!(
            parts("--b\nA --b\n--bc\nx--b--\n"),
            (vec!["A --b\n--bc\nx--b--\n"], false)
        );
        assert_eq!(parts("nothing"), (vec![], false));
    }

    #[test]
    fn more_parts_than_allowed_end_the_work() {
        assert!(cut(b"--b\n1\n--b\n2\n--b\n3\n--b--", b"b", 3).is_some());
        assert!(cut(b"--b\n1\n--b\n2\n--b\n3\n--b\n4\n--b--", b"b", 3).is_none());
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        assert_eq!(head_and_body(b"a: b\r\n\r\nc"), (&b"a: b\r\n\r\n"[..], &b"c"[..]));
        assert_eq!(head_and_body(b"\nc"), (&b"\n"[..], &b"c"[..]));
        assert_eq!(head_and_body(b"a: b"), (&b"a: b"[..], &b""[..]));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(body in proptest::collection::vec(prop_oneof![Just(b'-'), Just(b'b'), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200)) {
            if let Some(cut) = cut(&body, b"b", 100) {
                let total: usize = cut.parts.iter().map(|part| part.len()).sum();
                prop_assert!(total <= body.len());
            }
        }
    }
}
