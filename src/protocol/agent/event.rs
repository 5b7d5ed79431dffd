//! What the service says.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::model::{ChainHash, LogId, Position};

use super::command::LogPosition;
use super::vocabulary::{Channel, Interaction, Message};

/// Bytes that most frames do with.
const USUAL: usize = 1_024;

/// One frame of the service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ServerFrame<'a> {
    /// The connection is authenticated.
    Hello(Hello<'a>),
    /// A session changed.
    Interaction(InteractionEvent<'a>),
    /// Something was said.
    Messages(MessagesEvent<'a>),
    /// The desk changed.
    Channel(ChannelEvent<'a>),
    /// The answer to a command.
    Reply(Reply),
    /// Everything up to here has been told.
    Resumed(Resumed),
    /// Records that cannot be told one by one.
    Gap(Gap<'a>),
    /// Connect again later.
    Reconnect(Reconnect),
    /// A frame could not be taken, or the client reads too slowly.
    Error(ErrorEvent),
}

impl ServerFrame<'_> {
    /// The text of the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(USUAL);
        // Plain data with text keys: writing it to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, self);
        text
    }
}

/// Which record of which log an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The log.
    pub log: LogId,
    /// The record's number; absent with a signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// The chain there; absent with a signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<ChainHash>,
}

impl Place {
    /// The place of a record.
    #[must_use]
    pub const fn record(log: LogId, at: Position) -> Self {
        Self {
            log,
            n: Some(at.n),
            hash: Some(at.hash),
        }
    }

    /// The place of a signal.
    #[must_use]
    pub const fn signal(log: LogId) -> Self {
        Self {
            log,
            n: None,
            hash: None,
        }
    }
}

/// See [`ServerFrame::Hello`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello<'a> {
    /// The login's connection number.
    pub conn: u64,
    /// Who is connected.
    pub agent: AgentProfile<'a>,
    /// The desk and where it stands.
    pub desk: LogPosition,
    /// Opens the next connection.
    pub resume_token: &'a str,
    /// How often the server pings.
    pub heartbeat_ms: u64,
    /// How long the token and the positions are good for.
    pub resume_window_s: u64,
    /// The desk's media.
    pub channels: &'a [Channel],
    /// Whether offers are taken unasked.
    pub auto_accept: bool,
}

/// Who an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentProfile<'a> {
    /// The login.
    pub agent_id: &'a str,
    /// The display name.
    pub name: &'a str,
    /// May monitor, coach and barge in.
    pub supervisor: bool,
    /// Queues served.
    pub queues: &'a [String],
}

/// What kind of change an `interaction` frame tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Notification {
    /// The session begins for this agent; what is said replaces what the client knows.
    Snapshot,
    /// Its state changed.
    StatusChange,
    /// Its data changed.
    PropertiesUpdated,
    /// Who is in it changed.
    ParticipantsUpdated,
}

/// See [`ServerFrame::Interaction`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InteractionEvent<'a> {
    /// Which record.
    #[serde(flatten)]
    pub place: Place,
    /// `InteractionStateChanged`.
    pub message_type: &'static str,
    /// What kind of change.
    pub notification_type: Notification,
    /// The kind of record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<&'static str>,
    /// The state; absent when a later frame of the same write carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<&'a Interaction>,
    /// What the change looks like in the transcript.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub messages: &'a [Message],
}

impl<'a> InteractionEvent<'a> {
    /// A change.
    #[must_use]
    pub const fn new(
        place: Place,
        notification_type: Notification,
        change: Option<&'static str>,
        interaction: Option<&'a Interaction>,
    ) -> Self {
        Self {
            place,
            message_type: "InteractionStateChanged",
            notification_type,
            change,
            interaction,
            messages: &[],
        }
    }
}

/// See [`ServerFrame::Messages`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagesEvent<'a> {
    /// Which record.
    #[serde(flatten)]
    pub place: Place,
    /// `MessageLogUpdated`.
    pub message_type: &'static str,
    /// `NewMessages`.
    pub notification_type: &'static str,
    /// The session, in the vendor's word.
    pub interaction_id: LogId,
    /// What was said.
    pub messages: &'a [Message],
}

impl<'a> MessagesEvent<'a> {
    /// Messages of a session.
    #[must_use]
    pub const fn new(place: Place, messages: &'a [Message]) -> Self {
        Self {
            interaction_id: place.log,
            place,
            message_type: "MessageLogUpdated",
            notification_type: "NewMessages",
            messages,
        }
    }
}

/// The media of a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Media<'a> {
    /// One entry a medium.
    pub channels: &'a [Channel],
}

/// See [`ServerFrame::Channel`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelEvent<'a> {
    /// Which record.
    #[serde(flatten)]
    pub place: Place,
    /// `ChannelStateChanged`.
    pub message_type: &'static str,
    /// The media.
    pub media: Media<'a>,
    /// Whether offers are taken unasked.
    pub auto_accept: bool,
}

impl<'a> ChannelEvent<'a> {
    /// The desk at a record.
    #[must_use]
    pub const fn new(place: Place, channels: &'a [Channel], auto_accept: bool) -> Self {
        Self {
            place,
            message_type: "ChannelStateChanged",
            media: Media { channels },
            auto_accept,
        }
    }
}

/// How something ended, in the numeric dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// 0: done.
    pub code: u32,
    /// For a person.
    pub message: &'static str,
    /// For a developer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Status {
    /// Done.
    pub const DONE: Self = Self {
        code: 0,
        message: "OK",
        detail: None,
    };
}

impl From<&crate::protocol::envelope::Fault> for Status {
    fn from(fault: &crate::protocol::envelope::Fault) -> Self {
        Self {
            code: fault.code.number(),
            message: fault.code.message(),
            detail: fault.detail.as_ref().map(|detail| detail.clone().into_owned()),
        }
    }
}

/// See [`ServerFrame::Reply`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// Of which command.
    pub cmd_id: Uuid,
    /// How it ended.
    pub status: Status,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// See [`ServerFrame::Resumed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resumed {
    /// Where each log stands.
    pub positions: Vec<LogPosition>,
}

/// Why there is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The client has seen records that the log does not hold (any more).
    OtherHistory,
    /// The records are no longer kept.
    Expired,
}

/// See [`ServerFrame::Gap`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap<'a> {
    /// Which log.
    pub log: LogId,
    /// The first record not told.
    pub from: u64,
    /// The last; the snapshot stands there.
    pub to: u64,
    /// The chain at `to`.
    pub hash: ChainHash,
    /// Why.
    pub reason: GapReason,
    /// What replaces the client's knowledge; absent: the log is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot<'a>>,
}

/// The state of a log in a gap.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Snapshot<'a> {
    /// Of a session.
    Session {
        /// Its state.
        interaction: Box<Interaction>,
        /// Its newest messages.
        messages: Vec<Message>,
    },
    /// Of a desk.
    #[serde(rename_all = "camelCase")]
    Desk {
        /// Its media.
        channels: &'a [Channel],
        /// Whether offers are taken unasked.
        auto_accept: bool,
    },
}

/// See [`ServerFrame::Reconnect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconnect {
    /// From now.
    pub in_ms: u64,
}

/// What an `error` frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// A frame could not be taken.
    Frame,
    /// The credential is not good; close code 4401 follows.
    Unauthorised,
    /// The client is far behind; nothing is lost yet.
    Lagging,
}

/// See [`ServerFrame::Error`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorEvent {
    /// Of which command, where that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd_id: Option<Uuid>,
    /// What it is about.
    pub kind: ErrorKind,
    /// Why.
    pub status: Status,
}
