//! Connection 6, CX Contact: campaigns post batches of messages and read what became of each record (contract section 6).
//!
//! **Owns** the paths under `/nexus/v3/campaigns`, the acceptance of a batch and the stream of statuses. **Leaves** the sends to
//! [`crate::egress`], the batch and the feed to [`crate::shard::Campaigns`].
//!
//! **Must never happen**: a 202 before every accepted record is safe; a record sent twice because its batch was posted twice; a
//! status that is forgotten before it was acknowledged or its time had passed.

mod accept;
mod buffer;
mod handler;
mod route;
mod stream;

pub use handler::{Campaigning, CampaigningParts};
