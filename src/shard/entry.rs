//! A record as readers share it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::{ChainHash, Position, Record};

/// The dialects in which a record is told to sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A chat v3 message object.
    Widget,
    /// A frame of the agent stream.
    Agent,
}

/// A record with its number, and its encodings: each made by the first reader who needs it, and shared by all for as long as the log
/// is busy.
#[derive(Debug)]
pub struct Entry<E> {
    /// Its number.
    pub n: u64,
    /// The chain up to and including it.
    pub hash: ChainHash,
    /// What happened.
    pub record: Record<E>,
    /// Absent: most records are read by nobody any more. The lock is held for one encoding at most.
    wires: Mutex<Option<Box<Wires>>>,
}

/// By dialect.
type Wires = [Option<Bytes>; 2];

impl<E> Entry<E> {
    /// A record that stands at `position`, to be kept.
    #[must_use]
    pub fn new(position: Position, mut record: Record<E>) -> Self {
        record.body = record.body.compact();
        Self {
            n: position.n,
            hash: position.hash,
            record,
            wires: Mutex::new(None),
        }
    }

    /// Where a reader stands that has read it.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position {
            n: self.n,
            hash: self.hash,
        }
    }

    /// Its encoding in a dialect; `encode` runs once however many readers ask, until the log rests.
    pub fn wire(&self, wire: Wire, encode: impl FnOnce() -> Bytes) -> Bytes {
        let mut wires = self.wires();
        let made = &mut wires.get_or_insert_default()[wire as usize];
        made.get_or_insert_with(encode).clone()
    }

    /// Lets go of the encodings; a reader who still wants one makes it again.
    pub(super) fn forget_wires(&self) {
        *self.wires() = None;
    }

    fn wires(&self) -> MutexGuard<'_, Option<Box<Wires>>> {
        // An encoder that panicked has stored nothing.
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, Millis};

    #[test]
    fn an_encoding_is_made_once_per_dialect_while_its_log_is_busy() {
        let record = Record {
            at: Millis(1),
            cause: None,
            event: (),
            body: Body::None,
        };
        let entry = Entry::new(Position::default(), record);
        assert_eq!(entry.wire(Wire::Agent, || Bytes::from_static(b"a")), "a");
        assert_eq!(entry.wire(Wire::Agent, || unreachable!("made already")), "a");
        assert_eq!(entry.wire(Wire::Widget, || Bytes::from_static(b"w")), "w");
        entry.forget_wires();
        assert_eq!(entry.wire(Wire::Agent, || Bytes::from_static(b"again")), "again");
    }
}
