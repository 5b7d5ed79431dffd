//! What a core remembers of the polls of a token, for seconds: which pictures it has been shown, and how far back its newest
//! page reached. Losing it costs a picture its second appearance, never a message.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::model::{LogId, Millis, TransportId};

/// A picture shows itself for this long after a token first saw it, so that a second tab sees it too.
const PICTURE_MS: u64 = 1_000;
/// A picture older than this no longer holds anything back; nor is anything remembered for longer.
const KEPT_MS: u64 = 300_000;
/// Tokens remembered.
const TOKENS: usize = 20_000;

/// The memory of one core.
#[derive(Debug, Default)]
pub(super) struct Memory {
    tokens: HashMap<(LogId, TransportId), Seen>,
    next_sweep: Millis,
}

#[derive(Debug, Default)]
struct Seen {
    pictures: SmallVec<[(u64, Millis); 2]>,
    floor: u64,
    at: Millis,
}

impl Memory {
    /// The token asked for its newest page, which began with this record.
    pub(super) fn page_began(&mut self, session: LogId, transport: TransportId, n: u64, now: Millis) {
        if let Some(seen) = self.entry(session, transport, now) {
            seen.floor = n;
        }
    }

    /// Where the newest page of a token began; 0 where none is remembered.
    pub(super) fn floor(&self, session: LogId, transport: TransportId) -> u64 {
        self.tokens
            .get(&(session, transport))
            .map_or(0, |seen| seen.floor)
    }

    /// Whether a picture of record `n`, said at `said`, may show itself to a token now; remembers that it did.
    pub(super) fn may_show(
        &mut self,
        session: LogId,
        transport: TransportId,
        n: u64,
        said: Millis,
        now: Millis,
    ) -> bool {
        if now.since(said) >= KEPT_MS {
            return false;
        }
        let Some(seen) = self.entry(session, transport, now) else {
            return false;
        };
        match seen.pictures.iter().find(|(picture, _)| *picture == n) {
            Some((_, first)) => now.since(*first) < PICTURE_MS,
            None => {
                seen.pictures.retain(|(_, first)| now.since(*first) < KEPT_MS);
                seen.pictures.push((n, now));
                true
            }
        }
    }

    fn entry(&mut self, session: LogId, transport: TransportId, now: Millis) -> Option<&mut Seen> {
        if self.tokens.len() >= TOKENS && !self.tokens.contains_key(&(session, transport)) {
            if now < self.next_sweep {
                return None;
            }
            self.next_sweep = now.plus(PICTURE_MS);
            self.tokens.retain(|_, seen| now.since(seen.at) < KEPT_MS);
            if self.tokens.len() >= TOKENS {
                return None;
            }
        }
        let seen = self.tokens.entry((session, transport)).or_default();
        seen.at = now;
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SESSION: LogId = LogId::from_bytes([7; 16]);
    const TAB: TransportId = TransportId(Uuid::from_u128(1));
    const OTHER: TransportId = TransportId(Uuid::from_u128(2));

    #[test]
    fn a_picture_shows_itself_for_a_second_to_each_token() {
        let mut memory = Memory::default();
        let mut at = |transport, now| memory.may_show(SESSION, transport, 4, Millis(0), Millis(now));
        assert!(at(TAB, 5_000));
        assert!(at(TAB, 5_999));
        assert!(!at(TAB, 6_000));
        assert!(at(OTHER, 6_000));
    }

    #[test]
    fn an_old_picture_does_not_show_itself() {
        let mut memory = Memory::default();
        assert!(!memory.may_show(SESSION, TAB, 4, Millis(0), Millis(300_000)));
    }

    #[test]
    fn the_floor_is_that_of_the_last_newest_page() {
        let mut memory = Memory::default();
        assert_eq!(memory.floor(SESSION, TAB), 0);
        memory.page_began(SESSION, TAB, 21, Millis(1));
        assert_eq!(memory.floor(SESSION, TAB), 21);
        assert_eq!(memory.floor(SESSION, OTHER), 0);
    }

    #[test]
    fn it_forgets_rather_than_grow_without_bound() {
        let mut memory = Memory::default();
        for transport in 0..TOKENS as u128 + 10 {
            memory.page_began(SESSION, TransportId(Uuid::from_u128(transport)), 1, Millis(1));
        }
        assert_eq!(memory.tokens.len(), TOKENS);
        memory.page_began(SESSION, TransportId(Uuid::max()), 1, Millis(KEPT_MS + 1));
        assert_eq!(memory.tokens.len(), 1);
    }
}
