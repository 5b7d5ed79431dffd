//! Text messages through aggregators, one provider a file; and what all text messages have: numbers, keywords, parts, caps.
//!
//! **Must never happen**: a callback read whose proof covers other fields than the ones that are read; an algorithm chosen by
//! the caller; a message sent twice because an answer could be read in two ways.

pub mod address;
mod bandwidth;
pub mod gates;
mod infobip;
mod kaleyra;
pub mod keywords;
mod messagebird;
pub mod policy;
pub mod rules;
pub mod segments;
mod sinch;
pub mod size;
#[cfg(test)]
mod tests;
mod twilio;
pub mod velocity;
mod vonage;
mod words;

pub use bandwidth::Bandwidth;
pub use infobip::Infobip;
pub use kaleyra::Kaleyra;
pub use messagebird::MessageBird;
pub use sinch::Sinch;
pub use twilio::Twilio;
pub use vonage::Vonage;
