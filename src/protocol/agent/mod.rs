//! The frames of the agent stream (`docs/asyncapi.yaml`, DESIGN section 5), and the same commands over HTTPS.
//!
//! **Owns** how a command is spelled and bounded, how an event is spelled, and the vendor's vocabulary for both (`contracts/connections.md`
//! section 3). **Leaves** to `ingress::workspace` which event an agent may see and what a command does.
//!
//! **Must never happen**: a frame that is decoded in more than linear time and memory; a field of one command silently
//! taken by another; an event whose encoding depends on who asked first.

mod command;
mod decode;
mod error;
mod event;
mod fields;
mod key_value;
mod rich;
mod vocabulary;

pub use command::{
    AfterAction, ClientFrame, Command, Credential, DeskCommand, LogPosition, Question, SessionCommand, Target,
};
pub use decode::{decode_frame, decode_operation};
pub use error::{FrameError, FrameFault};
pub use event::{
    AgentProfile, ChannelEvent, ErrorEvent, ErrorKind, Gap, GapReason, Hello, InteractionEvent, Media,
    MessagesEvent, Notification, Place, Reconnect, Reply, Resumed, ServerFrame, Snapshot, Status,
};
pub use key_value::{KeyValue, ValueKind, to_key_values};
pub use vocabulary::{
    Activity, Channel, ChannelName, ChatPart, Interaction, InteractionState, Message, MessageDelivery,
    MessageFile, MessageType, OfferView, ParticipantView, timestamp,
};

/// The largest frame a client may send, in bytes.
pub const MAX_FRAME: usize = 65_536;
/// How deep a client's JSON may nest.
pub const MAX_DEPTH: usize = 32;
/// The most positions one frame may name.
pub const MAX_POSITIONS: usize = 256;
