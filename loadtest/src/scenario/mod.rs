//! One file per story.

pub mod sms;
pub mod webhooks;
pub mod widgets;
pub mod workspace;
