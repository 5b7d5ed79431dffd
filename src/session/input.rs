//! What a session is asked.

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::{
    AgentId, Crossing, DeliveryStatus, Home, LogId, Media, MediaId, MessageKind, Millis, ParticipantId, Rich,
    SupervisionMode, TenantId, Terms, TransportId, UserDataChange, Visibility,
};

/// A question to a session.
#[derive(Debug, Clone)]
pub enum SessionInput {
    /// A customer begins.
    Open(Box<Open>),
    /// A customer comes back to a session that may sleep.
    Resume,
    /// The customer says something.
    CustomerText {
        /// Who says it.
        participant: ParticipantId,
        /// What, in UTF-8. Kept as it is, not copied.
        text: Bytes,
    },
    /// The customer sent a file; its bytes are stored.
    CustomerFile {
        /// Who sent it.
        participant: ParticipantId,
        /// What.
        file: File,
    },
    /// The customer changes attached data.
    CustomerData {
        /// Who changes it.
        participant: ParticipantId,
        /// The members to attach.
        data: Map<String, Value>,
    },
    /// The customer leaves.
    CustomerLeave {
        /// Who leaves.
        participant: ParticipantId,
    },
    /// An agent commands something.
    Agent(AgentCommand),
    /// A desk answers, or asks.
    Crossing(Crossing),
    /// Routing found a desk.
    Matched {
        /// Whom to ask.
        desk: LogId,
        /// Whose desk it is.
        agent: AgentId,
    },
    /// Where the session stands in its queue, in words for the customer.
    Position {
        /// 1 for the next.
        position: u64,
        /// What the customer reads.
        text: String,
    },
    /// Something was admitted unread, from this record on.
    Heard {
        /// Number of its first record.
        n: u64,
    },
    /// A bot, a strategy or a connection acts.
    Service(ServiceAct),
    /// One of the session's deadlines has come.
    Timer {
        /// Which.
        timer: SessionTimer,
        /// When it was due.
        due: Millis,
    },
    /// The store has lost an append of this session, and others went on without it.
    Lost(Lost),
    /// Nothing was heard of the customer for the liveness deadline.
    Lapsed,
    /// The customer was heard again.
    Returned,
}

/// What was in an append that the store has lost.
#[derive(Debug, Clone)]
pub struct Lost {
    /// Made of what was lost, so that it is recovered once however many tell of it.
    pub cause: Uuid,
    /// The last number that both histories share.
    pub after: u64,
    /// What was said in it.
    pub said: Vec<Said>,
}

/// Words of a lost history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who said it; `None`: the service.
    pub from: Option<ParticipantId>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The words.
    pub text: Bytes,
}

/// What opens a session.
#[derive(Debug, Clone)]
pub struct Open {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its medium.
    pub media: Media,
    /// Through which endpoint.
    pub endpoint: String,
    /// Through which stream.
    pub stream: Option<String>,
    /// The customer's language.
    pub locale: Option<String>,
    /// Whether the customer may come back days later.
    pub asynchronous: bool,
    /// What the customer said of themselves: the form's fields and `userData`.
    pub profile: Map<String, Value>,
    /// The customer's name in the session.
    pub nickname: String,
    /// The customer's id in the session.
    pub participant: ParticipantId,
    /// The customer's browser.
    pub transport: TransportId,
    /// Where it waits.
    pub place: Place,
    /// A line from the service, first of all.
    pub welcome: Option<String>,
    /// What was agreed for its whole life.
    pub terms: Terms,
}

/// Where a session waits for an agent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The queue.
    pub queue: String,
    /// Larger is served first.
    pub priority: u32,
    /// Abilities the agent must have.
    pub skills: Vec<String>,
    /// How long an agent has to accept, milliseconds.
    pub offer_ms: u64,
}

impl From<&Home> for Place {
    fn from(home: &Home) -> Self {
        Self {
            queue: home.queue.clone(),
            priority: home.priority,
            skills: home.skills.clone(),
            offer_ms: home.offer_ms,
        }
    }
}

impl From<&Place> for Home {
    fn from(place: &Place) -> Self {
        Self {
            queue: place.queue.clone(),
            priority: place.priority,
            skills: place.skills.clone(),
            offer_ms: place.offer_ms,
        }
    }
}

/// What the service's own side does in a session.
#[derive(Debug, Clone)]
pub enum ServiceAct {
    /// Says something.
    Say {
        /// A bot by its name, in the session from its first words on; `None`: the service itself.
        bot: Option<String>,
        /// What it is.
        kind: MessageKind,
        /// The words or the address.
        text: String,
        /// Who may see it.
        visibility: Visibility,
    },
    /// Changes attached data.
    Data {
        /// How.
        change: UserDataChange,
        /// Members; of a deletion only the keys count.
        data: Map<String, Value>,
    },
    /// Lets a session that no agent holds wait in a queue.
    Route {
        /// Which.
        place: Place,
        /// The desk preferred while ready.
        prefer: Option<LogId>,
    },
    /// Ends it.
    Close,
    /// Ends it if no agent holds it; else it goes on.
    CloseUnlessHeld,
    /// Gives the strategy a name: it is in the session under it from here on, and speaks under it.
    Nickname {
        /// The name.
        name: String,
    },
    /// Says what became of a message that left by a channel. A status that would move backwards changes nothing.
    Delivered {
        /// Number of the message.
        of: u64,
        /// How far it got.
        status: DeliveryStatus,
        /// What the provider calls it, and its words on a failure: `reference`, `code`, `detail`.
        about: Map<String, Value>,
    },
    /// An announced file is here, or will never be. The second time changes nothing.
    Fetched {
        /// Number of the announcement.
        of: u64,
        /// The file, or why not: a name of ours.
        outcome: Result<File, String>,
    },
    /// Erases what was said in it and who the customer was, once it is over. Of what was erased before nothing follows.
    Erase,
    /// The bot has answered a turn, or cannot. The second answer to a turn changes nothing.
    Answer(BotAct),
}

/// A bot's answer to one turn, applied as one.
#[derive(Debug, Clone)]
pub struct BotAct {
    /// Number of the turn.
    pub turn: u64,
    /// The bot's name in the session.
    pub bot: String,
    /// What it says, in order.
    pub says: Vec<String>,
    /// What it attaches.
    pub data: Map<String, Value>,
    /// A remark that agents see, such as why it hands over.
    pub note: Option<String>,
    /// What comes next.
    pub then: BotThen,
}

/// What comes after a bot's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BotThen {
    /// The customer.
    Wait,
    /// An agent of this queue.
    HandOver(Place),
    /// The end.
    Close,
}

/// A file whose bytes are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub media: MediaId,
    /// The type found in the bytes.
    pub mime: String,
    /// Bytes.
    pub length: u64,
    /// Its name, as the sender gave it.
    pub name: String,
}

/// A command of an agent. The same `id` is carried out once, however often it comes.
#[derive(Debug, Clone)]
pub struct AgentCommand {
    /// `cmdId`.
    pub id: Uuid,
    /// Who commands.
    pub agent: AgentId,
    /// Their desk.
    pub desk: LogId,
    /// Their display name.
    pub name: String,
    /// Whether they may supervise.
    pub supervisor: bool,
    /// What.
    pub act: AgentAct,
}

/// What an agent can command.
#[derive(Debug, Clone)]
pub enum AgentAct {
    /// Takes the offer made to them.
    Accept,
    /// Declines it.
    Reject,
    /// Says something.
    Say {
        /// What it is.
        kind: MessageKind,
        /// The words or the address.
        text: String,
        /// Who may see it.
        visibility: Visibility,
    },
    /// Says something to the customer that is more than words.
    Show(Rich),
    /// Sends a file.
    Send {
        /// Which.
        file: File,
        /// Who may see it.
        visibility: Visibility,
    },
    /// Changes their name in the session.
    Rename {
        /// To what.
        nickname: String,
    },
    /// Asks somebody to join, advise or take over.
    Ask {
        /// What for.
        purpose: Purpose,
        /// Whom.
        target: Target,
    },
    /// Takes such a question back.
    CancelAsk,
    /// Takes another agent out.
    Remove {
        /// Whom.
        agent: AgentId,
    },
    /// Leaves the session.
    Leave {
        /// What becomes of it.
        after: AfterLeave,
    },
    /// Marks the session done.
    Complete,
    /// Puts the session into a queue and leaves.
    PlaceInQueue {
        /// Which.
        place: Place,
    },
    /// Changes attached data.
    Data {
        /// How.
        change: UserDataChange,
        /// Members; of a deletion only the keys count.
        data: Map<String, Value>,
    },
    /// Sets a remark and a disposition.
    Note {
        /// The remark.
        comment: Option<String>,
        /// The disposition.
        disposition: Option<String>,
    },
    /// Takes part as a supervisor, or changes how.
    Supervise {
        /// How.
        mode: SupervisionMode,
    },
    /// Ends that.
    StopSupervising,
}

/// What somebody is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To join.
    Invite,
    /// To advise, unseen by the customer.
    Consult,
    /// To take over.
    Transfer,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An agent.
    Agent {
        /// Who.
        agent: AgentId,
        /// Their desk.
        desk: LogId,
    },
    /// Whoever serves a queue. A transfer leaves the session waiting there; others wait beside the conversation.
    Queue(Place),
}

/// What becomes of a session whose agent leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterLeave {
    /// It ends if no agent is left.
    #[default]
    CloseIfNoAgents,
    /// It ends.
    ForceClose,
    /// It stays and waits for the customer.
    KeepAlive,
}

/// The deadlines of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u16)]
pub enum SessionTimer {
    /// The present offer.
    Offer = 1,
    /// Silence: alert, then close.
    Idle = 2,
}

impl SessionTimer {
    /// The timer a store knows by this number.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Offer),
            2 => Some(Self::Idle),
            _ => None,
        }
    }
}
