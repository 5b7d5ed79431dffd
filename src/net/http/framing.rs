//! Where one request ends and the next begins: heads, bodies, and what must not follow.
//!
//! Pure. Told the bytes of a connection in order, it says how many may pass on to the parser behind it.

use super::chunked;
use super::head::{self, Framing as BodyFraming, HeadLimits};
use super::refusal::Refusal;

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// So many bytes are sound and may pass; one complete head, or part of a body.
    Pass(usize),
    /// Not a complete head yet; nothing may pass.
    More,
    /// The request is refused. Nothing after this may pass, ever.
    Refuse(Refusal),
    /// The body is broken after so many sound bytes. Nothing after this may pass, ever.
    Broken(usize),
}

/// The framing of one connection.
#[derive(Debug)]
pub(crate) struct Framing {
    limits: HeadLimits,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(head::Judge),
    Length(u64),
    Chunked(chunked::Judge),
    /// After an upgrade request; this connection carries no more HTTP requests.
    Upgrading,
    Ended,
}

impl Framing {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            state: State::Head(head::Judge::default()),
        }
    }

    /// Judges `bytes`. Of an incomplete head, everything seen so far has to be given again.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Verdict {
        match &mut self.state {
            State::Head(judge) => match judge.advance(bytes, &self.limits) {
                head::Verdict::More => Verdict::More,
                head::Verdict::Refuse(refusal) => Verdict::Refuse(refusal),
                head::Verdict::Done(head) if head.upgrade && bytes.len() > head.len => {
                    Verdict::Refuse(Refusal::Malformed("data after an upgrade request"))
                }
                head::Verdict::Done(head) => {
                    self.state = match head.body {
                        _ if head.upgrade => State::Upgrading,
                        BodyFraming::None => State::Head(head::Judge::default()),
                        BodyFraming::Length(length) => State::Length(length),
                        BodyFraming::Chunked => State::Chunked(chunked::Judge::default()),
                    };
                    Verdict::Pass(head.len)
                }
            },
            State::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                if *left == 0 {
                    self.state = State::Head(head::Judge::default());
                }
                Verdict::Pass(here)
            }
            State::Chunked(judge) => match judge.advance(bytes) {
                chunked::Verdict::More => Verdict::Pass(bytes.len()),
                chunked::Verdict::Done(end) => {
                    self.state = State::Head(head::Judge::default());
                    Verdict::Pass(end)
                }
                chunked::Verdict::Broken(at) => {
                    self.state = State::Ended;
                    Verdict::Broken(at)
                }
            },
            State::Upgrading | State::Ended => Verdict::More,
        }
    }

    /// Whether the next byte starts a head, or is in one.
    pub(crate) fn in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Whether this connection reads no more requests.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Upgrading | State::Ended)
    }

    /// Reads nothing more. The judge of the head that was refused is handed back: it may know the target.
    pub(crate) fn end(&mut self) -> Option<head::Judge> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Head(judge) => Some(judge),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits {
        request_line: 8 * 1024,
        bytes: 16 * 1024,
        fields: 100,
    };

    /// How many bytes pass, and what ends the passing, when the connection's bytes come in such pieces.
    fn passed(bytes: &[u8], pieces: &[usize]) -> (usize, Option<Verdict>) {
        let mut framing = Framing::new(LIMITS);
        let (mut from, mut seen, mut turn) = (0, 0, 0);
        loop {
            while from < seen {
                match framing.advance(&bytes[from..seen]) {
                    Verdict::Pass(count) => from += count,
                    Verdict::More => break,
                    Verdict::Broken(count) => return (from + count, Some(Verdict::Broken(0))),
                    refuse @ Verdict::Refuse(_) => return (from, Some(refuse)),
                }
            }
            if seen == bytes.len() {
                return (from, None);
            }
            seen = bytes.len().min(seen + pieces[turn % pieces.len()]);
            turn += 1;
        }
    }

    fn any_request() -> impl Strategy<Value = String> {
        let head = |fields: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        prop_oneof![
            Just(head("")),
            "[a-z]{0,9}".prop_map(move |body| head(&format!("Content-Length: {}\r\n", body.len())) + &body),
            "[a-z]{1,9}".prop_map(move |body| {
                let chunk = format!("{:x};q\r\n{body}\r\n0\r\nX: y\r\n\r\n", body.len());
                head("Transfer-Encoding: chunked\r\n") + &chunk
            }),
            "[a-f0-9;\r\n]{1,12}".prop_map(move |body| head("Transfer-Encoding: chunked\r\n") + &body),
            "[A-Z /\r\n.:1]{1,20}",
        ]
    }

    proptest! {
        #[test]
        fn a_connection_cut_anywhere_passes_the_same_bytes(
            requests in proptest::collection::vec(any_request(), 1..5),
            pieces in proptest::collection::vec(1_usize..40, 1..6),
        ) {
            let bytes = requests.concat().into_bytes();
            prop_assert_eq!(passed(&bytes, &[bytes.len()]), passed(&bytes, &pieces));
        }
    }

    #[test]
    fn nothing_passes_behind_an_upgrade_or_a_refusal() {
        let mut framing = Framing::new(LIMITS);
        let upgrade = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
        assert_eq!(framing.advance(upgrade), Verdict::Pass(upgrade.len()));
        assert!(framing.is_over());
        assert_eq!(
            framing.advance(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            Verdict::More
        );
    }
}
