//! The protocol of clamd, as far as a stream is looked at: `INSTREAM`, chunks that say how long they are, one line of answer.

/// What begins a stream; the `z` asks for an answer that ends with a zero byte.
pub const INSTREAM: &[u8] = b"zINSTREAM\0";
/// Bytes of one chunk at most.
pub const CHUNK: usize = 64 * 1_024;
/// Bytes of an answer at most.
pub const ANSWER: usize = 1_024;

/// What the scanner found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing.
    Clean,
    /// Something that nobody should open.
    Infected,
}

/// The scanner did not say what it found: it met a limit of its own, or is no scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scanner gave no finding")]
pub struct NoFinding;

/// What stands before a chunk of so many bytes; before the end of the stream it is that of none.
#[must_use]
pub fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// Reads an answer, with or without its zero byte.
///
/// # Errors
/// [`NoFinding`]. What is not clearly clean never counts as clean.
pub fn finding(answer: &[u8]) -> Result<Finding, NoFinding> {
    let line = answer.strip_suffix(b"\0").unwrap_or(answer);
    let line = std::str::from_utf8(line).map_err(|_| NoFinding)?.trim_end();
    match line.strip_prefix("stream: ").ok_or(NoFinding)? {
        "OK" => Ok(Finding::Clean),
        found if found.ends_with(" FOUND") => Ok(Finding::Infected),
        _ => Err(NoFinding),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_answers_of_a_scanner_are_told_apart() {
        assert_eq!(finding(b"stream: OK\0"), Ok(Finding::Clean));
        assert_eq!(finding(b"stream: OK\n"), Ok(Finding::Clean));
        assert_eq!(
            finding(b"stream: Win.Test.EICAR_HDB-1 FOUND\0"),
            Ok(Finding::Infected)
        );
        for unclear in [
            &b""[..],
            b"INSTREAM size limit exceeded. ERROR\0",
            b"stream: Can't allocate memory ERROR\0",
            b"stream: OK then\0",
            b"OK\0",
            b"UNKNOWN COMMAND\0",
            b"stream: \xff FOUND\0",
        ] {
            assert_eq!(finding(unclear), Err(NoFinding), "{unclear:?}");
        }
        assert_eq!((length(0), length(65_536)), ([0; 4], [0, 1, 0, 0]));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_and_one_alone_is_clean(answer in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_ne!(finding(&answer), Ok(Finding::Clean));
        }
    }
}
