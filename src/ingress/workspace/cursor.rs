//! Where a reader stands in one log, and what it is owed. Pure: numbers and hashes in, a decision out.

use crate::model::Position;
use crate::protocol::agent::GapReason;

/// Something with a place in a log.
pub(super) trait Placed {
    /// The position after it.
    fn position(&self) -> Position;
}

/// What a reader at some position is owed, given the newest picture.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owed<'a, R> {
    /// These records, in order; none: the reader is at the top.
    Records(&'a [R]),
    /// The picture does not reach back so far: records from this number on are wanted, the reader's own first, so that
    /// its hash can be compared.
    Page(u64),
    /// The reader stands where the picture does not reach: the picture lags behind what another node told, or the reader has read
    /// another history. Records from the reader's own number on are wanted, which say so.
    Ahead(u64),
    /// The reader has read another history.
    Gap(GapReason),
}

/// Compares the reader's position with the picture: `top`, and the records just below it without a hole.
pub(super) fn owed<R: Placed>(at: Position, top: Position, tail: &[R]) -> Owed<'_, R> {
    if at == top {
        return Owed::Records(&[]);
    }
    if at.n >= top.n {
        return Owed::Ahead(at.n);
    }
    let oldest = tail.first().map_or(top.n + 1, |record| record.position().n);
    if at.n == 0 && oldest == 1 {
        return Owed::Records(tail);
    }
    if at.n < oldest {
        return Owed::Page(at.n.max(1));
    }
    after(at, tail).map_or(Owed::Gap(GapReason::OtherHistory), Owed::Records)
}

/// What follows the reader's position in a page that begins there.
///
/// # Errors
/// Why the page does not continue what the reader has read.
pub(super) fn continued<R: Placed>(at: Position, page: &[R]) -> Result<&[R], GapReason> {
    let Some(first) = page.first().map(Placed::position) else {
        return Err(GapReason::OtherHistory);
    };
    match (at.n, first.n) {
        (0, 1) => Ok(page),
        (0, _) => Err(GapReason::Expired),
        (n, first) if first > n => Err(GapReason::Expired),
        _ => after(at, page).ok_or(GapReason::OtherHistory),
    }
}

/// The records behind the one at `at`, if that one is there with the same hash.
fn after<R: Placed>(at: Position, records: &[R]) -> Option<&[R]> {
    let first = records.first()?.position().n;
    let index = usize::try_from(at.n.checked_sub(first)?).ok()?;
    (records.get(index)?.position() == at).then(|| &records[index + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChainHash, Digest};

    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    struct Mark(Position);

    impl Placed for Mark {
        fn position(&self) -> Position {
            self.0
        }
    }

    fn history(name: &str, length: u64) -> Vec<Mark> {
        let mut at = Position::default();
        (0..length)
            .map(|n| {
                at = at.then(&Digest::of(&[name.as_bytes(), &n.to_be_bytes()]));
                Mark(at)
            })
            .collect()
    }

    fn at(history: &[Mark], n: usize) -> Position {
        n.checked_sub(1)
            .map_or(Position::default(), |index| history[index].0)
    }

    #[test]
    fn a_reader_within_the_tail_gets_exactly_the_rest() {
        let log = history("a", 10);
        for n in 4..=10 {
            assert_eq!(
                owed(at(&log, n), at(&log, 10), &log[3..]),
                Owed::Records(&log[n..])
            );
        }
    }

    #[test]
    fn a_new_reader_gets_everything_if_the_tail_has_it() {
        let log = history("a", 3);
        assert_eq!(
            owed(Position::default(), at(&log, 3), &log),
            Owed::Records(&log[..])
        );
        assert_eq!(owed(Position::default(), at(&log, 3), &log[1..]), Owed::Page(1));
    }

    #[test]
    fn a_reader_behind_the_tail_begins_with_its_own_record() {
        let log = history("a", 10);
        assert_eq!(owed(at(&log, 2), at(&log, 10), &log[5..]), Owed::Page(2));
        assert_eq!(continued(at(&log, 2), &log[1..7]), Ok(&log[2..7]));
    }

    #[test]
    fn a_reader_before_the_picture_is_not_one_of_another_history() {
        let log = history("a", 10);
        assert_eq!(owed(at(&log, 10), at(&log, 8), &log[3..8]), Owed::Ahead(10));
        assert_eq!(continued(at(&log, 10), &log[9..]), Ok(&[][..]));
    }

    #[test]
    fn a_reader_of_another_history_is_told_so_wherever_it_stands() {
        let (log, other) = (history("a", 10), history("b", 12));
        for n in 1..=12 {
            let owed = owed(at(&other, n), at(&log, 10), &log[3..]);
            match owed {
                Owed::Page(from) | Owed::Ahead(from) => assert_eq!(
                    continued(
                        at(&other, n),
                        log.get(usize::try_from(from).unwrap() - 1..).unwrap_or_default()
                    ),
                    Err(GapReason::OtherHistory)
                ),
                other => assert_eq!(other, Owed::Gap(GapReason::OtherHistory)),
            }
        }
    }

    #[test]
    fn what_is_no_longer_kept_has_expired() {
        let log = history("a", 10);
        assert_eq!(continued(at(&log, 2), &log[4..]), Err(GapReason::Expired));
        assert_eq!(continued(Position::default(), &log[4..]), Err(GapReason::Expired));
    }

    #[test]
    fn an_invented_hash_proves_nothing() {
        let log = history("a", 10);
        let invented = Position {
            n: 5,
            hash: ChainHash([9; 8]),
        };
        assert_eq!(
            owed(invented, at(&log, 10), &log),
            Owed::Gap(GapReason::OtherHistory)
        );
    }
}
