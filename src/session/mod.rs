//! The pure machines: a session and a desk. Records to state; input and time to records and effects.
//!
//! **Owns** every rule about who may do what when: joining and leaving, offers, queues, silence, supervision, capacity, and
//! which records a reader may see. **Leaves** to `shard` the appends, to routing who is asked, to the dialects how it looks.
//!
//! **Must never happen**: a state that depends on anything but the records; a panic, whatever the records; capacity exceeded; a
//! session offered twice at once; a record shown to somebody it is not for.

mod agent;
mod apply;
mod arrival;
mod bounds;
mod customer;
mod decide;
mod deliveries;
pub mod desk;
mod draft;
mod follow;
mod input;
mod offers;
mod outcome;
mod outside;
mod participants;
mod recovery;
mod service;
mod silence;
mod state;
mod visibility;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests;

pub use crate::model::Terms;
pub use arrival::{Arrival, FILES_MAX};
pub use desk::{Desk, DeskAct, DeskInput, DeskProfile, DeskRejection, DeskReply, DeskTimer};
pub use draft::Circumstances;
pub use input::{
    AfterLeave, AgentAct, AgentCommand, BotAct, BotThen, File, Lost, Open, Place, Purpose, Said, ServiceAct,
    SessionInput, SessionTimer, Target,
};
pub use outcome::{Decision, Marks, Rejection, SessionReply};
pub use outside::Outside;
pub use participants::{Participant, Participants};
pub use state::{About, Offer, Phase, SLEEP_MS, Session, Standing};
pub use visibility::{visible_to_agent, visible_to_customer};
