//! What a channel's callback becomes, whatever its dialect: a message in a session, or a status at a message.
//!
//! **Owns** which session a message goes to (a mail: that of the mail it answers), what opens one, what makes a repeat recognisable, and the refusals that connections
//! 1 and 11 share. **Leaves** the dialects to [`crate::protocol::channel`], the append to [`crate::shard`], and the wording of
//! answers to the connection.
//!
//! **Must never happen**: a callback believed without its signature; a 2xx before the append is safe; a receipt that reaches a
//! session of another channel.

mod accounts;
mod belief;
mod intake;
mod keywords;
mod opening;
mod receipts;
mod threading;

pub use accounts::Accounts;
pub use belief::{Believed, Callbacks, Doubt, count_refused};
pub use intake::{Intake, Refusal, Taken};
pub use keywords::says_consent;
