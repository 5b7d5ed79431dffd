//! Connection 6, outwards: the messages of a batch leave by the sender's channel, and what became of them is told in the tenant's feed.
//!
//! **Owns** the opt-out and the hours asked right before a send, and the share of the way out that campaigns may take. **Leaves**
//! dialects to [`crate::protocol::channel`], the batch to [`crate::shard::Campaigns`].
//!
//! **Must never happen**: a second send of a message whose acceptance is recorded; a send to somebody who opted out; a session's
//! message that waits for a campaign.

mod connection;
mod send;

pub use connection::Campaign;
