//! Text messages and mails through a whole node: a provider's callback opens a session, an agent answers, the answer leaves, and what
//! became of it is shown at the message.

mod campaign;
mod consent;
mod dialects;
pub(crate) mod given;
mod infobip;
mod journey;
mod kaleyra;
mod mailgun;
mod media;
mod rules;
mod spool;
mod twilio;
