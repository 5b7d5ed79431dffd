//! One question to a machine, with the place of its answer reserved.

use std::time::Instant;

use tokio::sync::oneshot;

use crate::log::Key;
use crate::model::LogId;

use super::error::Asked;
use super::machine::Machine;

/// A question on its way to the pump of a log.
pub struct Ask<M: Machine> {
    pub(super) log: LogId,
    pub(super) input: M::Input,
    /// Makes a repeat recognisable across logs; such a question gets an append of its own.
    pub(super) key: Option<Key>,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Asked<M, Answered<M>>>,
}

/// How a question was answered.
pub(super) enum Answered<M: Machine> {
    /// Decided now.
    Now(M::Reply),
    /// The key had been used before: what was told then.
    Before {
        log: LogId,
        first: u64,
        answer: bytes::Bytes,
    },
}

impl<M: Machine> Ask<M> {
    pub(super) fn answer(self, answer: Asked<M, Answered<M>>) {
        // The asker may have gone; what was decided stands all the same.
        let _ = self.reply.send(answer);
    }
}
