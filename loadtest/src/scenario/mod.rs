//! One file per story.

pub mod compare;
pub mod fanout;
pub mod handshakes;
pub mod idle;
pub mod latency;
pub mod mixed;
pub mod polls;
pub mod scale;
pub mod slow;
pub mod sms;
pub mod storm;
pub mod webhooks;
pub mod widgets;
pub mod workspace;
