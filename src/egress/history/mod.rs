//! Connection 8: contact history (contract section 8). When a session opens its customer is identified, the session is created as
//! an interaction and agents learn the contact's id; when it ends the interaction is stopped with its transcript. Files go with it, what agents remark later is added, what they learned of
//! the customer goes to the contact, and agents read what the contact did before. Beside it our own history: every session by its
//! contact, with what was said where no service keeps that.
//!
//! **Must never happen**: a chat that waits for history; a transcript that differs from the session; an interaction written
//! twice; a word of a customer that the tenant's rules mask.

mod connection;
mod file;
mod own;
mod past;
mod story;
mod tokens;
mod who;
mod writing;

pub use connection::History;
pub use own::OwnHistory;
