//! One file per story.

pub mod latency;
pub mod polls;
pub mod slow;
pub mod sms;
pub mod storm;
pub mod webhooks;
pub mod widgets;
pub mod workspace;
