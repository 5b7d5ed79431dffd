//! The vendor's words for interactions, messages and channels, as they are written to the wire.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    LogId, Media, MediaId, MessageId, MessageKind, Millis, OfferId, ParticipantId, Role, TenantId, Visibility,
};

use super::key_value::KeyValue;

impl From<MessageKind> for MessageType {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::PushUrl => Self::PushUrl,
            MessageKind::Notice => Self::Notice,
            MessageKind::CustomNotice => Self::CustomNotice,
        }
    }
}

/// RFC 3339 in UTC with milliseconds; the end of time where the number is beyond it.
#[must_use]
pub fn timestamp(at: Millis) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

/// One medium of a desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// Which medium.
    pub name: Media,
    /// Its state.
    pub state: ChannelName,
    /// `AfterCallWork`, where that is why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_mode: Option<&'static str>,
    /// Whether an offer could come now.
    pub available: bool,
    /// Always false: there is no do-not-disturb beside not-ready.
    pub dnd: bool,
    /// What the agent is doing.
    pub activity: Activity,
    /// Why it is not ready.
    pub reasons: Vec<String>,
    /// Places.
    pub capacity: u16,
    /// Places taken or held.
    pub busy: u16,
}

/// The vendor's channel states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ChannelName {
    /// Takes offers.
    Ready,
    /// Takes none.
    NotReady,
    /// Not working.
    LoggedOut,
}

/// The vendor's activities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Activity {
    /// Nothing.
    Idle,
    /// An offer waits.
    DeliveringInteraction,
    /// In a session.
    HandlingInboundInteraction,
}

/// The state of a session as one agent may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    /// The session.
    pub id: LogId,
    /// Its medium.
    pub mediatype: Media,
    /// What it is to this agent.
    pub state: InteractionState,
    /// Names of the commands this agent may send now.
    pub capabilities: &'static [&'static str],
    /// `Inbound`.
    pub interaction_type: &'static str,
    /// `InboundNew`, `SMS`, `WhatsApp` and so on.
    pub interaction_subtype: String,
    /// Whose contact centre.
    pub tenant_id: TenantId,
    /// Where it waits or waited last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Whether the customer is there.
    pub is_online: bool,
    /// Always false: there is no hold.
    pub is_held: bool,
    /// Always false.
    pub is_locked: bool,
    /// Always false.
    pub is_in_workflow: bool,
    /// The endpoint it came through.
    pub submitted_by: String,
    /// When it began.
    pub received_at: String,
    /// When it last began to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_in_queue_at: Option<String>,
    /// Where it waits, as a list.
    pub in_queues: Vec<KeyValue>,
    /// Always empty.
    pub out_queues: Vec<KeyValue>,
    /// What is attached.
    pub user_data: Vec<KeyValue>,
    /// The last note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The last disposition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// Who this agent is in the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant_id: Option<ParticipantId>,
    /// How this supervisor takes part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervision: Option<&'static str>,
    /// The invitation that waits for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferView>,
    /// Who is there.
    pub chat: ChatPart,
    /// The record this is the state at.
    pub as_of: u64,
}

/// The part of an interaction that only conversations have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatPart {
    /// Who is there and may be seen by this agent.
    pub participants: Vec<ParticipantView>,
}

/// What a session is to one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum InteractionState {
    /// An offer waits for an answer.
    Invited,
    /// In it.
    Processing,
    /// In it to advise.
    Consulting,
    /// Watching it.
    Monitoring,
    /// No longer in it.
    Left,
    /// The offer was not taken.
    Canceled,
    /// It is over.
    Completed,
}

/// An offer that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferView {
    /// Which.
    pub offer_id: OfferId,
    /// `lead`, `transfer`, `invite` or `consult`.
    pub kind: &'static str,
    /// When it lapses.
    pub deadline_at: String,
    /// How long that is from when this was written, for desktops whose clock is wrong.
    pub remaining_ms: u64,
}

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantView {
    /// Their id.
    pub participant_id: ParticipantId,
    /// Their part.
    #[serde(rename = "type")]
    pub role: Role,
    /// Their name.
    pub nickname: String,
    /// The agent behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Who is told of them.
    pub visibility: Visibility,
}

/// A message, or what stands like one in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The number of the record.
    pub index: u64,
    /// Its id across channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What was said has been erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// Why somebody left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<MessageFile>,
    /// What became of another message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<MessageDelivery>,
    /// Who may see it.
    pub visibility: Visibility,
    /// When.
    pub timestamp: String,
    /// When, in seconds since the epoch.
    pub timestamp_seconds: u64,
    /// Who; absent: the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ParticipantView>,
}

/// What became of a message that left by a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageDelivery {
    /// The number of the message.
    pub of: u64,
    /// How far it got.
    pub status: &'static str,
    /// The provider's code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Of a text message that was accepted: how many short messages it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<u64>,
}

/// A file in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageFile {
    /// The stored bytes.
    pub media_id: MediaId,
    /// Its name.
    pub name: String,
    /// The type found in the bytes.
    pub mime: String,
    /// Bytes.
    pub length: u64,
}

/// The vendor's message types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum MessageType {
    /// Words.
    Text,
    /// An address.
    PushUrl,
    /// A remark to a program.
    Notice,
    /// A remark in the desktop's own terms.
    CustomNotice,
    /// A file.
    FileUploaded,
    /// What became of a message.
    DeliveryStatus,
    /// Somebody came.
    ParticipantJoined,
    /// Somebody went.
    ParticipantLeft,
    /// A signal.
    TypingStarted,
    /// A signal.
    TypingStopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(timestamp(Millis(1_736_935_205_000)), "2025-01-15T10:00:05.000Z");
        assert!(timestamp(Millis(u64::MAX)).ends_with('Z'));
    }
}
