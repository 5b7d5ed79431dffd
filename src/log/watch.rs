//! Learning of what others append.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::model::LogId;

use super::append::StoredRecord;

/// Something a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// A record was appended to a watched log, by anybody, this node included.
    Record {
        /// Which log.
        log: LogId,
        /// The record; a number that skips means that one was missed: read it.
        record: StoredRecord,
    },
    /// A signal: never stored, latest wins.
    Signal {
        /// Which log.
        log: LogId,
        /// As published.
        payload: Bytes,
    },
    /// Records that were acknowledged, that the store has lost, and whose numbers are other records' by now. Said once it is open again,
    /// to whoever wrote or heard them; perhaps by several, perhaps twice.
    Stranded {
        /// Which log.
        log: LogId,
        /// The last number that both histories share.
        after: u64,
        /// What one append had written.
        records: Vec<StoredRecord>,
    },
    /// Whatever was published in this partition from the last event until now may have been missed: compare tops.
    Lost {
        /// Which partition.
        partition: u16,
    },
}

/// The receiving end of a core's subscriptions. Bounded: when the core does not keep up, the store drops events and says [`WatchEvent::Lost`].
#[derive(Debug)]
pub struct Watch {
    /// Events in order per log.
    pub events: mpsc::Receiver<WatchEvent>,
}
