//! Text messages and mails through a whole node: a provider's callback opens a session, an agent answers, the answer leaves, and what
//! became of it is shown at the message.

mod campaign;
mod consent;
mod dialects;
mod faults;
pub(crate) mod given;
mod infobip;
pub(crate) mod journey;
mod kaleyra;
mod mailgun;
mod media;
mod rules;
mod spool;
mod twilio;
