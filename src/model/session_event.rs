//! What can happen in a session. What is personal travels in the record's erasable body, never here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::channel::Media;
use super::delivery::DeliveryStatus;
use super::ids::{AgentId, LogId, MediaId, MessageId, OfferId, ParticipantId, TenantId, TransportId};
use super::kinds::Kinds;
use super::participant::{LeaveReason, Role, Visibility};
use super::terms::Terms;
use super::time::Millis;

/// One fact of a session's history. The comment on each variant names the body it carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum SessionEvent {
    /// The session exists. Body: the profile, a JSON object with the form's fields and `userData`.
    Opened {
        /// Whose it is; every later access is checked against it.
        tenant: TenantId,
        /// What kind of conversation.
        media: Media,
        /// Name of the endpoint it came through.
        endpoint: String,
        /// Name of the stream, where one was given.
        stream: Option<String>,
        /// Language of what the service says, a BCP 47 tag.
        locale: Option<String>,
        /// Whether the customer may come back days later.
        asynchronous: bool,
        /// What holds for its whole life.
        terms: Arc<Terms>,
    },
    /// Somebody is now in the session. Body: the nickname.
    Joined {
        /// Their id from now on.
        participant: ParticipantId,
        /// Their part.
        role: Role,
        /// The agent behind it.
        agent: Option<AgentId>,
        /// The customer's browser.
        transport: Option<TransportId>,
        /// Who is told of them.
        visibility: Visibility,
    },
    /// Somebody is no longer in the session.
    Left {
        /// Who.
        participant: ParticipantId,
        /// Why.
        reason: LeaveReason,
    },
    /// Somebody said something. Body: the text (of `PushUrl`: the address).
    Message {
        /// Its id across channels.
        id: MessageId,
        /// Who said it; `None`: the service.
        from: Option<ParticipantId>,
        /// What it is.
        kind: MessageKind,
        /// Who may see it.
        visibility: Visibility,
    },
    /// Somebody sent a file. Body: its name.
    File {
        /// Its id across channels.
        id: MessageId,
        /// Who sent it.
        from: ParticipantId,
        /// The stored bytes.
        media: MediaId,
        /// The type found in the bytes, not the one claimed.
        mime: String,
        /// Bytes.
        length: u64,
        /// Who may see it.
        visibility: Visibility,
    },
    /// Attached data changed. Body: for `Attach` and `Update` a JSON object, for `Delete` a JSON array of keys.
    UserData {
        /// By whom; `None`: the service or a connection.
        by: Option<ParticipantId>,
        /// How.
        change: UserDataChange,
    },
    /// A participant's nickname changed. Body: the new one.
    Renamed {
        /// Whose.
        participant: ParticipantId,
    },
    /// The session waits for an agent.
    Queued {
        /// Where.
        queue: String,
        /// Larger is served first.
        priority: u32,
        /// Skills an agent must have.
        skills: Vec<String>,
        /// Desk to be preferred while ready.
        prefer: Option<LogId>,
        /// How long an agent has to accept, milliseconds.
        offer_ms: u64,
        /// What an agent is looked for: to hold the session, or to stand beside the agent who asks.
        purpose: OfferKind,
        /// Why it waits.
        reason: QueueReason,
    },
    /// Nobody is looked for any more: whoever asked took it back.
    Unqueued,
    /// The customer is told where they stand; the text follows in the same append.
    PositionTold {
        /// 1 for the next to be served.
        position: u64,
    },
    /// A desk is being asked for a place.
    Offering {
        /// This attempt.
        offer: OfferId,
        /// To whom.
        agent: AgentId,
        /// Their desk.
        desk: LogId,
        /// When the attempt is over.
        deadline: Millis,
        /// What for.
        kind: OfferKind,
    },
    /// The desk has reserved a place; the agent sees the invitation.
    Offered {
        /// Which attempt.
        offer: OfferId,
    },
    /// The attempt is over without an acceptance.
    OfferEnded {
        /// Which attempt.
        offer: OfferId,
        /// How.
        outcome: OfferOutcome,
    },
    /// The agent took it; a `Joined` follows in the same append.
    Accepted {
        /// Which attempt.
        offer: OfferId,
        /// The participant the agent is from now on.
        participant: ParticipantId,
    },
    /// A supervisor's way of taking part; follows the `Joined` of that stay. Another way is another stay.
    Supervision {
        /// Who.
        participant: ParticipantId,
        /// How from now on.
        mode: SupervisionMode,
    },
    /// An agent's remark about the session. Body: a JSON object with `comment` and `disposition`.
    Noted {
        /// By whom.
        by: ParticipantId,
    },
    /// The customer has been silent; a text that says so follows in the same append.
    IdleAlerted,
    /// A participant has not been heard of for its liveness deadline.
    Lost {
        /// Who.
        participant: ParticipantId,
    },
    /// A lost participant was heard of again.
    Returned {
        /// Who.
        participant: ParticipantId,
    },
    /// The session is over; only `Noted`, `Rollback`, `Recovered`, `Delivery`, `Fetched` and `Erased` may follow.
    Closed {
        /// Why.
        reason: CloseReason,
    },
    /// The state up to here, so that a rebuild can begin here. Body: the encoded state.
    Snapshot,
    /// The store lost records that had been acknowledged; numbers from here on name other records.
    Rollback {
        /// The last number that both histories share.
        after: u64,
        /// Raises the v3 index base by 1,000 each time.
        base: u32,
    },
    /// What was said in a history the store lost and is no longer admitted as it was. Body: the text.
    Recovered {
        /// Who had said it.
        from: Option<ParticipantId>,
        /// Who was to see it.
        visibility: Visibility,
    },
    /// Where the mail of the message before it stands among others. Body: a JSON object with `subject`, `messageId`,
    /// `inReplyTo` and `references`.
    Threaded,
    /// What the message before it shows beside its words, where the customer's side can show it. Body: a [`Rich`](super::Rich) as JSON;
    /// the message itself says all of it in words.
    Rich,
    /// A file of the message before it is at its provider and is to be fetched. Body: a JSON object with `source`, `name`
    /// and `mime`.
    Announced {
        /// Whose file.
        from: ParticipantId,
    },
    /// An announced file is here (a `File` precedes it in the same append), or will never be.
    Fetched {
        /// Number of the announcement.
        of: u64,
        /// Why it is not here: a name of ours; `None`: it is.
        refused: Option<String>,
    },
    /// What became of a message that left by a channel. Body: a JSON object with `reference`, `code` and `detail`.
    Delivery {
        /// Number of the message.
        of: u64,
        /// How far it got.
        status: DeliveryStatus,
    },
    /// The customer said whether they want messages by this channel (STOP and START).
    Consent {
        /// Whether they do.
        given: bool,
    },
    /// The bot owes an answer to what was said up to here.
    Turn,
    /// The bot has answered, or will not; what it says and does follows in the same append.
    Answered {
        /// Number of the turn.
        turn: u64,
    },
    /// What was said up to here, and who the customer was, is erased: it is in no state from here on, and its bodies go. Comes after
    /// the end.
    Erased,
    /// Something of a newer release that may be passed over. Never written by this one.
    Passed,
}

impl Kinds for SessionEvent {
    const KINDS: &'static [&'static str] = &[
        "opened",
        "joined",
        "left",
        "message",
        "file",
        "user_data",
        "renamed",
        "queued",
        "unqueued",
        "position_told",
        "offering",
        "offered",
        "offer_ended",
        "accepted",
        "supervision",
        "noted",
        "idle_alerted",
        "lost",
        "returned",
        "closed",
        "snapshot",
        "rollback",
        "recovered",
        "threaded",
        "rich",
        "announced",
        "fetched",
        "delivery",
        "consent",
        "turn",
        "answered",
        "erased",
        "passed",
    ];

    fn is_ignorable(&self) -> bool {
        matches!(self, Self::Passed | Self::Rich)
    }

    fn passed() -> Self {
        Self::Passed
    }
}

/// What a message is, with the names of chat v3 `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessageKind {
    /// Words.
    Text,
    /// An address to open.
    PushUrl,
    /// A remark to the other side's program.
    Notice,
    /// A remark in the other side's own terms.
    CustomNotice,
}

/// How attached data changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserDataChange {
    /// Adds keys and overwrites those that exist.
    Attach,
    /// Overwrites keys; those that do not exist are added.
    Update,
    /// Removes keys.
    Delete,
}

/// Why a session waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueReason {
    /// It is new.
    New,
    /// Its agent was lost.
    AgentLost,
    /// Somebody sent it there.
    Placed,
    /// A strategy sent it there.
    Routed,
    /// The customer wrote again in a session that no agent holds.
    Woken,
}

/// What an offer is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OfferKind {
    /// To hold the session.
    Lead,
    /// To take it over from the agent who asks.
    Transfer {
        /// Who asks.
        by: ParticipantId,
    },
    /// To join beside the agent who asks.
    Invite {
        /// Who asks.
        by: ParticipantId,
    },
    /// To advise the agent who asks, unseen by the customer.
    Consult {
        /// Who asks.
        by: ParticipantId,
    },
}

/// How an offer ended without an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferOutcome {
    /// The desk had no place.
    Refused,
    /// The agent said no.
    Rejected,
    /// The agent said nothing in time.
    TimedOut,
    /// Whoever asked, or the end of the session, took it back.
    Withdrawn,
}

/// How a supervisor takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisionMode {
    /// Reads only; nobody but supervisors knows.
    Monitor,
    /// Speaks to the agents only.
    Coach,
    /// Speaks to everybody.
    BargeIn,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseReason {
    /// The customer left.
    Customer,
    /// An agent marked it done.
    Agent,
    /// Nothing happened for too long.
    Idle,
    /// The customer went away while waiting.
    Abandoned,
    /// A connection ended it.
    Service,
}
