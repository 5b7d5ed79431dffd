//! Third-party bots: each turn of a session that a bot has in charge is put to it, and its answer is applied as one.
//!
//! **Owns** the attempt at one turn: reading the session, the loop guard, the call with its token, and what a bot that does not
//! answer means. **Leaves** the dialects to [`crate::protocol::bot`], what an answer changes and that it counts once to
//! [`crate::session`], leases and order to the dispatcher.
//!
//! **Must never happen**: an answer applied twice, or to another turn; a customer left with a bot that is dead or talks to
//! another machine; an attempt that outlasts its deadline; a secret or a customer's words in a log.

mod connection;
mod guard;
mod outcome;
mod render;
mod tokens;

pub use connection::Bots;
