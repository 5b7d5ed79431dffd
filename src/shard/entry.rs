//! A record as readers share it.

use std::sync::OnceLock;

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

/// A record with its number, and its encodings: each made once, by the first reader who needs it, and shared by all.
#[derive(Debug)]
pub struct Entry<E> {
    /// Its number.
    pub n: u64,
    /// The chain up to and including it.
    pub hash: ChainHash,
    /// What happened.
    pub record: Record<E>,
    wires: [OnceLock<Bytes>; 2],
}

impl<E> Entry<E> {
    /// A record that stands at `position`.
    #[must_use]
    pub fn new(position: Position, record: Record<E>) -> Self {
        Self {
            n: position.n,
            hash: position.hash,
            record,
            wires: [OnceLock::new(), OnceLock::new()],
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

    /// Its encoding in a dialect; `encode` runs at most once however many readers ask.
    pub fn wire(&self, wire: Wire, encode: impl FnOnce() -> Bytes) -> Bytes {
        self.wires[wire as usize].get_or_init(encode).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, Millis};

    #[test]
    fn an_encoding_is_made_once_per_dialect() {
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
    }
}
