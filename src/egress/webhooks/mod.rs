//! Connection 12: subscribers hear what started and what finished (contract section 12). 200 alone is success; everything else
//! is tried again for 72 h, or as the subscription says, and then becomes a dead letter.
//!
//! **Must never happen**: a body that differs between two attempts; an endpoint that said 410 called again; a notice to an endpoint that
//! must answer a challenge and has not.

mod connection;
mod health;
mod ownership;

pub use connection::{WebhookSettings, Webhooks};
