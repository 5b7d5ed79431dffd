//! The desk of an agent: channel states, capacity, reservations, and which socket counts.
//!
//! Capacity is decided only here: every place held, reserved or taken, is a record of this log.

mod apply;
mod decide;
mod draft;
mod input;
mod state;

pub use input::{DeskAct, DeskInput, DeskProfile, DeskRejection, DeskReply, DeskTimer};
pub use state::{Desk, Place, Stage};
