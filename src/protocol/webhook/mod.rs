//! Connection 12: the notice of a state change, and the two ways in which it is signed (contract section 12).

mod challenge;
mod notice;
mod standard;

pub use challenge::{challenge, echoes};
pub use notice::{Event, Notice, body, operation_id, trace_id};
pub use standard::{ID, SIGNATURE, TIMESTAMP, is_signing_secret, sign};
