//! What happened in a run, as each client saw it.

/// How an operation ended for the client that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Answered 2xx.
    Ok,
    /// Refused: it is known not to have happened.
    Failed,
    /// Cut or timed out: it may or may not have happened.
    Unknown,
}

/// One attempt to say something. Times are from one monotonic clock, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Send {
    /// The conversation.
    pub(crate) log: usize,
    /// `writer-counter`: unique in the run.
    pub(crate) text: String,
    pub(crate) invoked: u64,
    pub(crate) ended: u64,
    pub(crate) end: End,
}

/// What a reader saw of a conversation, in the order shown: number and text.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) log: usize,
    pub(crate) seen: Vec<(u64, String)>,
    /// After everything was healed and drained.
    pub(crate) complete: bool,
}

/// A whole run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) sends: Vec<Send>,
    pub(crate) readings: Vec<Reading>,
}

impl History {
    pub(crate) fn unknown(&self) -> usize {
        self.sends.iter().filter(|send| send.end == End::Unknown).count()
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.sends.iter().filter(|send| send.end == End::Ok).count()
    }
}
