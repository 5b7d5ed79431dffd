//! What happened in a run, as each client saw it.

/// How an operation ended for the client that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Answered 2xx.
    Ok,
    /// Refused: it is known not to have happened.
    Failed,
    /// Cut or timed out: it may or may not have happened.
    Unknown,
}

/// One attempt to say something. Times are from one monotonic clock, in microseconds.
#[derive(Debug, Clone)]
pub struct Send {
    /// The conversation.
    pub log: usize,
    /// `writer-counter`: unique in the run.
    pub text: String,
    pub invoked: u64,
    pub ended: u64,
    pub end: End,
}

/// What a reader saw of a conversation, in the order shown: number and text.
#[derive(Debug, Clone)]
pub struct Reading {
    pub log: usize,
    pub seen: Vec<(u64, String)>,
    /// After everything was healed and drained.
    pub complete: bool,
}

/// A whole run.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub sends: Vec<Send>,
    pub readings: Vec<Reading>,
}

impl History {
    pub fn unknown(&self) -> usize {
        self.sends.iter().filter(|send| send.end == End::Unknown).count()
    }

    pub fn acknowledged(&self) -> usize {
        self.sends.iter().filter(|send| send.end == End::Ok).count()
    }
}
