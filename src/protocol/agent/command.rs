//! What a client may say, typed. Texts borrow from the frame.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::{
    AgentId, ChainHash, LogId, Media, MediaId, MessageKind, ParticipantId, Position, Rich, SupervisionMode,
    UserDataChange, Visibility,
};

/// One frame of a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientFrame<'a> {
    /// The credential, for clients that cannot name it as a sub-protocol.
    Open(Credential<'a>),
    /// What the client has seen.
    Resume(Vec<LogPosition>),
    /// Where the client stands.
    Ack(Vec<LogPosition>),
    /// Something to be done, once.
    Do {
        /// What makes a repeat recognisable.
        cmd_id: Uuid,
        /// What.
        command: Command<'a>,
    },
}

/// What opens a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential<'a> {
    /// Single use.
    Ticket(Cow<'a, str>),
    /// Given by an earlier `hello`.
    Resume(Cow<'a, str>),
}

/// A position of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPosition {
    /// Which log.
    pub log: LogId,
    /// Number of the last record seen.
    pub n: u64,
    /// The chain there.
    pub hash: ChainHash,
}

impl LogPosition {
    /// A position with its log.
    #[must_use]
    pub const fn new(log: LogId, at: Position) -> Self {
        Self {
            log,
            n: at.n,
            hash: at.hash,
        }
    }

    /// Without the log.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position {
            n: self.n,
            hash: self.hash,
        }
    }
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command<'a> {
    /// At the agent's own desk.
    Desk(DeskCommand<'a>),
    /// In a session.
    Session {
        /// Which.
        session: LogId,
        /// What.
        command: SessionCommand<'a>,
    },
    /// Nothing is done, something is asked.
    Ask(Question<'a>),
}

/// What an agent does at the desk. Without a medium: on every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeskCommand<'a> {
    /// Take offers.
    Ready(Option<Media>),
    /// Take none.
    NotReady {
        /// Which medium.
        media: Option<Media>,
        /// Why.
        reason: Option<Cow<'a, str>>,
    },
    /// Take none while finishing.
    AfterCallWork(Option<Media>),
    /// Stop working.
    Logout(Option<Media>),
    /// Take offers unasked, or no longer.
    AutoAccept(bool),
}

/// What an agent does in a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionCommand<'a> {
    /// Take the offer.
    Accept {
        /// Shown to the customer instead of the agent's name.
        nickname: Option<Cow<'a, str>>,
    },
    /// Decline it.
    Reject,
    /// Say something.
    Say {
        /// Text, address or notice.
        kind: MessageKind,
        /// What.
        text: Cow<'a, str>,
        /// To whom.
        visibility: Visibility,
    },
    /// Say something to everybody that is more than words.
    Show(Rich),
    /// A signal.
    Typing {
        /// Or stopped.
        started: bool,
        /// The text so far.
        preview: Cow<'a, str>,
        /// To whom.
        visibility: Visibility,
    },
    /// Send what was uploaded.
    SendFile {
        /// Which upload.
        media: MediaId,
        /// Its name.
        name: Option<Cow<'a, str>>,
        /// To whom.
        visibility: Visibility,
    },
    /// Change the own name.
    Rename(Cow<'a, str>),
    /// Ask somebody in.
    Invite(Target<'a>),
    /// Ask somebody for advice.
    Consult(Target<'a>),
    /// Give it to somebody.
    Transfer(Target<'a>),
    /// Take back what has not been accepted; without an agent, whatever waits.
    CancelConsult(Option<AgentId>),
    /// Take a participant out.
    RemoveAgent(AgentId),
    /// Take a participant out.
    RemoveParticipant(ParticipantId),
    /// Leave.
    Leave {
        /// And then.
        after: AfterAction,
        /// Said in parting.
        message: Option<Cow<'a, str>>,
    },
    /// Mark it done.
    Complete,
    /// Let it wait for somebody else.
    PlaceInQueue(Cow<'a, str>),
    /// Attach or update data.
    UserData {
        /// Which of the two.
        change: UserDataChange,
        /// What.
        values: Map<String, Value>,
    },
    /// Delete data.
    DeleteUserData(Vec<String>),
    /// Note and disposition.
    SetComment {
        /// The note.
        comment: Option<Cow<'a, str>>,
        /// How it ended.
        disposition: Option<Cow<'a, str>>,
    },
    /// A supervisor begins to watch, or takes part in another way.
    Supervise(SupervisionMode),
    /// A supervisor stops watching.
    StopMonitoring,
}

/// Something asked; answered in the reply, never written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question<'a> {
    /// A page of a session's messages.
    Transcript {
        /// Whose.
        session: LogId,
        /// The last number wanted; the newest if absent.
        upto: Option<u64>,
        /// At most 100.
        limit: u16,
    },
    /// Prepared answers.
    CannedResponses {
        /// Words to be found.
        search: Option<Cow<'a, str>>,
        /// Language; absent takes the customer's, then the tenant's.
        locale: Option<Cow<'a, str>>,
        /// For which session their field codes are filled in.
        session: Option<LogId>,
    },
}

/// To whom a session is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// One agent.
    Agent(AgentId),
    /// Whoever serves a queue.
    Queue(Cow<'a, str>),
}

/// What becomes of a session that its agent leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum AfterAction {
    /// It ends if no agent is left.
    #[default]
    CloseIfNoAgents,
    /// It ends.
    ForceClose,
    /// It goes on, if need be without an agent.
    KeepAlive,
}
