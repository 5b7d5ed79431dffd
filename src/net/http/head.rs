//! Judges the head of an HTTP/1 request before anything else may act on it.
//!
//! A pure machine over raw bytes: it is given the head from its first byte, again and again as more arrives,
//! and answers *more*, *refuse* or *done* with what follows the head. It judges whole lines in order, and
//! sizes before content, so the verdict does not depend on where the bytes were cut. It allocates nothing.
//!
//! It is stricter than the parser behind it wherever two implementations could read one message in two ways
//! (RFC 9112 sections 2.2, 3, 5.1, 6). It must never pass a head that the parser behind it reads differently.

use memchr::memchr;

use super::authority;
use super::refusal::Refusal;

/// The bounds of a head, in bytes and in fields.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Longest request line, without its line end.
    pub request_line: usize,
    /// Most bytes of the whole head.
    pub bytes: usize,
    /// Most header fields.
    pub fields: usize,
}

/// What is known after the bytes seen so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The head is not complete.
    More,
    /// The head is complete and sound.
    Done(Head),
    /// The request is refused; nothing after it may be answered.
    Refuse(Refusal),
}

/// What a sound head says about the bytes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Length of the head, with its empty line.
    pub(crate) len: usize,
    /// What follows.
    pub(crate) body: Framing,
    /// The peer asks to leave HTTP on this connection.
    pub(crate) upgrade: bool,
}

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body, or a `Content-Length` of zero.
    None,
    /// So many bytes.
    Length(u64),
    /// The chunked coding.
    Chunked,
}

/// The judge of one head. A fresh one for each head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    /// Everything before this was searched for a line end.
    scanned: usize,
    line_start: usize,
    request: Option<RequestLine>,
    skipped_empty_line: bool,
    fields: usize,
    host: Option<Span>,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    connection_upgrade: bool,
    underscored: bool,
}

#[derive(Clone, Copy, Debug)]
struct RequestLine {
    target: Span,
    minor_version: u8,
    head_method: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start..self.end).unwrap_or_default()
    }
}

type Judged = Result<(), Refusal>;

const fn malformed(rule: &'static str) -> Refusal {
    Refusal::Malformed(rule)
}

impl Judge {
    /// Judges `head`, which starts at the first byte of the request and holds everything seen of it.
    pub(crate) fn advance(&mut self, head: &[u8], limits: &HeadLimits) -> Verdict {
        loop {
            let unread = head.get(self.scanned..).unwrap_or_default();
            let Some(at) = memchr(b'\n', unread) else {
                self.scanned = head.len();
                return match self.check_size(head.len(), limits) {
                    Ok(()) => Verdict::More,
                    Err(refusal) => Verdict::Refuse(refusal),
                };
            };
            let end = self.scanned + at;
            if let Err(refusal) = self.check_size(end, limits) {
                return Verdict::Refuse(refusal);
            }
            let start = std::mem::replace(&mut self.line_start, end + 1);
            self.scanned = end + 1;
            match self.line(head, Span { start, end }, limits) {
                Ok(None) => {}
                Ok(Some(done)) => return Verdict::Done(done),
                Err(refusal) => return Verdict::Refuse(refusal),
            }
        }
    }

    /// Where in the head the request target stands, once it is known.
    pub(crate) fn target<'a>(&self, head: &'a [u8]) -> Option<&'a str> {
        self.request
            .and_then(|request| std::str::from_utf8(request.target.of(head)).ok())
    }

    /// Whether the request was a sound `HEAD`, whose answer has no body.
    pub(crate) fn is_head_method(&self) -> bool {
        self.request.is_some_and(|request| request.head_method)
    }

    /// Checks the sizes of what ends, or has not yet ended, at `end`.
    fn check_size(&self, end: usize, limits: &HeadLimits) -> Judged {
        // One byte of grace for the carriage return, which is not part of the line.
        if self.request.is_none() && end - self.line_start > limits.request_line + 1 {
            return Err(Refusal::TargetTooLong);
        }
        if end >= limits.bytes {
            return Err(Refusal::FieldsTooLarge);
        }
        Ok(())
    }

    /// Judges the line `span`, which ends before a line feed. `Some` when it was the empty line.
    fn line(&mut self, head: &[u8], span: Span, limits: &HeadLimits) -> Result<Option<Head>, Refusal> {
        let Some((b'\r', line)) = span.of(head).split_last() else {
            return Err(malformed("bare line feed"));
        };
        let Some(request) = self.request else {
            if line.is_empty() && !std::mem::replace(&mut self.skipped_empty_line, true) {
                return Ok(None);
            }
            self.request = Some(request_line(line, span.start)?);
            return Ok(None);
        };
        if line.is_empty() {
            return self.finish(head, request, span.end + 1).map(Some);
        }
        self.fields += 1;
        if self.fields > limits.fields {
            return Err(Refusal::FieldsTooLarge);
        }
        self.field(line, span.start, request)?;
        Ok(None)
    }

    fn field(&mut self, line: &[u8], start: usize, request: RequestLine) -> Judged {
        if matches!(line[0], b' ' | b'\t') {
            return Err(malformed("folded header line"));
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(malformed("header line without a colon"));
        };
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(malformed("header name is not a token"));
        }
        let raw = &line[colon + 1..];
        // All of it whatever is found: that way many bytes are looked at at once.
        if !raw.iter().fold(true, |sound, byte| sound & is_field_byte(*byte)) {
            return Err(malformed("control byte in a header value"));
        }
        let value = trim(raw);
        if name.contains(&b'_') {
            self.underscored = true;
            if names_match(name, b"content-length") || names_match(name, b"transfer-encoding") {
                return Err(malformed("framing header spelt with an underscore"));
            }
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host.is_some() {
                    return Err(malformed("more than one host"));
                }
                if !authority::is_valid(value) {
                    return Err(malformed("invalid host"));
                }
                let offset = raw.iter().take_while(|byte| is_space(**byte)).count();
                let from = start + colon + 1 + offset;
                self.host = Some(Span {
                    start: from,
                    end: from + value.len(),
                });
            }
            6 if name.eq_ignore_ascii_case(b"expect") && !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(Refusal::Expectation);
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection_upgrade |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"upgrade"));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(malformed("more than one content length"));
                }
                if raw.last().is_some_and(|byte| is_space(*byte)) {
                    return Err(malformed("invalid content length"));
                }
                self.length = Some(content_length(value).ok_or(malformed("invalid content length"))?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked {
                    return Err(malformed("more than one transfer encoding"));
                }
                if request.minor_version == 0 {
                    return Err(malformed("transfer encoding in HTTP/1.0"));
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(malformed("transfer encoding other than chunked"));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Judges what only the whole head can tell.
    fn finish(&self, head: &[u8], request: RequestLine, len: usize) -> Result<Head, Refusal> {
        if self.chunked && self.length.is_some() {
            return Err(malformed("content length together with transfer encoding"));
        }
        match self.host {
            None if request.minor_version >= 1 => return Err(malformed("no host")),
            Some(host) => {
                let named = absolute_authority(request.target.of(head));
                if named.is_some_and(|named| !named.eq_ignore_ascii_case(host.of(head))) {
                    return Err(malformed("target and host disagree"));
                }
            }
            None => {}
        }
        if self.underscored && has_twins(head.get(..len).unwrap_or_default()) {
            return Err(malformed("header names that differ only in an underscore"));
        }
        let body = match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, Some(0) | None) => Framing::None,
            (false, Some(length)) => Framing::Length(length),
        };
        if self.upgrade && body != Framing::None {
            return Err(malformed("upgrade with a body"));
        }
        Ok(Head {
            len,
            body,
            upgrade: self.upgrade && self.connection_upgrade,
        })
    }
}

fn request_line(line: &[u8], start: usize) -> Result<RequestLine, Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("request line is not three parts"));
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(malformed("method is not a token"));
    }
    let minor_version = match version {
        b"HTTP/1.1" => 1,
        b"HTTP/1.0" => 0,
        _ => return Err(malformed("unknown protocol version")),
    };
    check_target(method, target)?;
    let from = start + method.len() + 1;
    let target = Span {
        start: from,
        end: from + target.len(),
    };
    Ok(RequestLine {
        target,
        minor_version,
        head_method: method == b"HEAD",
    })
}

fn check_target(method: &[u8], target: &[u8]) -> Judged {
    if !target.iter().all(|byte| is_target_byte(*byte)) {
        return Err(malformed("invalid byte in the request target"));
    }
    match target {
        [b'/', ..] => Ok(()),
        b"*" if method == b"OPTIONS" => Ok(()),
        _ if method == b"CONNECT" => Err(malformed("tunnels are not served")),
        _ => match absolute_authority(target) {
            Some(authority) if authority::is_valid(authority) => Ok(()),
            _ => Err(malformed("invalid request target")),
        },
    }
}

/// The authority of an absolute-form target.
fn absolute_authority(target: &[u8]) -> Option<&[u8]> {
    let after = |scheme: &[u8]| {
        let (first, rest) = target.split_at_checked(scheme.len())?;
        first.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = after(b"http://").or_else(|| after(b"https://"))?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Digits without a sign or a leading zero, below 2^63.
fn content_length(value: &[u8]) -> Option<u64> {
    let plain = value.iter().all(u8::is_ascii_digit) && (value.len() == 1 || value.first() != Some(&b'0'));
    if value.is_empty() || value.len() > 19 || !plain {
        return None;
    }
    let number = value
        .iter()
        .fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number <= i64::MAX as u64).then_some(number)
}

/// Whether two header names of `head` are the same once `_` reads as `-`, but not byte for byte.
fn has_twins(head: &[u8]) -> bool {
    let names = || head.split(|byte| *byte == b'\n').skip(1).filter_map(name_of);
    names()
        .filter(|name| name.contains(&b'_'))
        .any(|name| names().any(|other| !name.eq_ignore_ascii_case(other) && names_match(name, other)))
}

fn name_of(line: &[u8]) -> Option<&[u8]> {
    line.iter()
        .position(|byte| *byte == b':')
        .map(|colon| &line[..colon])
}

fn names_match(left: &[u8], right: &[u8]) -> bool {
    let folded = |byte: &u8| {
        if *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    left.len() == right.len() && left.iter().map(folded).eq(right.iter().map(folded))
}

fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_space(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_space(*last)
    {
        value = rest;
    }
    value
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `tchar` of RFC 9110 section 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    static TOKEN: Set = set(b"!#$%&'*+-.^_`|~");
    TOKEN[usize::from(byte)]
}

/// Visible, space, tab, or above ASCII.
pub(crate) fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// What a request target may hold: RFC 3986, and the few other visible bytes that browsers leave bare.
fn is_target_byte(byte: u8) -> bool {
    static TARGET: Set = set(b"-._~!$&'()*+,;=:@/?%[]|{}");
    TARGET[usize::from(byte)]
}

/// By byte, whether it is one of some.
type Set = [bool; 256];

/// Letters, digits and `others`.
const fn set(others: &[u8]) -> Set {
    let mut set = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        set[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        set[others[at] as usize] = true;
        at += 1;
    }
    set
}

#[cfg(test)]
mod tests;
