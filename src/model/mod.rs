//! Plain data: ids, records, effects. No I/O, no clock, no randomness.
//!
//! Everything above speaks these words. A type here says what a thing *is*; what may be done with it is decided
//! by [`crate::session`], how it looks on a wire by [`crate::protocol`]. Time and random bits are always arguments.

mod channel;
mod contact;
mod crossing;
mod delivery;
mod desk_event;
mod effect;
mod feed_event;
mod ids;
mod kinds;
mod links;
mod mail_event;
mod participant;
mod position;
mod record;
mod rich;
mod session_event;
mod terms;
mod time;

pub use channel::{Media, UnknownMedia};
pub use contact::{ContactKey, ContactKind, UnknownContactKind};
pub use crossing::Crossing;
pub use delivery::DeliveryStatus;
pub use desk_event::{ChannelState, DeskEvent, FreedReason, Reservation, usual_grace_ms};
pub use effect::{Effect, MatchOp, ReadyDesk, WaitingSession};
pub use feed_event::{BatchHead, FeedEvent, RecordStatus};
pub use ids::{
    AgentId, BadId, LogId, LogKind, MediaId, MessageId, OfferId, ParticipantId, Spread, TenantId, TransportId,
};
pub use kinds::Kinds;
pub use links::{Links, Notice, Target};
pub use mail_event::{MailAuthor, MailEvent};
pub use participant::{LeaveReason, Role, Visibility};
pub use position::{ChainHash, Digest, Position};
pub use record::{Body, Record};
pub use rich::{Button, Card, QuickReply, Rich};
pub use session_event::{
    CloseReason, MessageKind, OfferKind, OfferOutcome, QueueReason, SessionEvent, SupervisionMode,
    UserDataChange,
};
pub use terms::{Home, Terms};
pub use time::Millis;
