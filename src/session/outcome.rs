//! What a session or a desk decided: plain values for whoever carries them out.

use crate::model::{Crossing, Effect, Millis, ParticipantId, Record};

/// Everything that follows from one question.
#[derive(Debug, Clone)]
pub struct Decision<E, R> {
    /// To be recorded, in order; none for an answer that changes nothing.
    pub records: Vec<Record<E>>,
    /// To be done once they are.
    pub effects: Vec<Effect>,
    /// Deadlines: (number, when); `None` takes one away.
    pub timers: Vec<(u16, Option<Millis>)>,
    /// What changes about the log as a whole.
    pub marks: Marks,
    /// What the asker is told.
    pub reply: R,
}

/// What changes about a log as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// It is open from here on.
    pub opens: bool,
    /// It is over from here on.
    pub closes: bool,
    /// It has a liveness deadline from here on (`true`), or has none (`false`).
    pub alive: Option<bool>,
}

/// What a session tells its asker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionReply {
    /// Number of the last record written, or the top when nothing was; of a repeat, of the first record written then.
    pub n: u64,
    /// The participant the asker is.
    pub participant: Option<ParticipantId>,
    /// What to answer the log that asked, where the question was a crossing.
    pub answer: Option<Crossing>,
    /// The same command was carried out before; nothing was done now.
    pub repeated: bool,
}

/// Why a session said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no session yet, or it was opened already.
    #[error("not a session")]
    NoSession,
    /// The session is over.
    #[error("the session is over")]
    Closed,
    /// Not somebody who is in the session now.
    #[error("not a participant")]
    NotParticipant,
    /// In the session, but not in a part that may do this.
    #[error("not permitted in this part")]
    Forbidden,
    /// Not possible as things stand: no such offer, another one running, already so.
    #[error("not possible in the present state")]
    WrongState,
    /// The customer wants no messages by this channel.
    #[error("the customer has opted out")]
    OptedOut,
    /// More than a session takes.
    #[error("more than a session takes")]
    TooMuch,
    /// A deadline or a match that no longer means anything.
    #[error("stale")]
    Stale,
}
