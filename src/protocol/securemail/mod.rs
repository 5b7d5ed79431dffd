//! Secure e-mail (`contracts/chat-v3.md` section 5): what a portal asks of a mailbox, and how it is answered.
//!
//! **Owns** the query and the bodies, what of a mailbox a page shows, and what of a session's records one mail is. **Leaves** the
//! envelope to [`super::envelope`] and the reading of bodies to [`super::body`].
//!
//! **Must never happen**: a mail of another address on a page; a record that customers do not see in a mail.

mod address;
mod answer;
mod compose;
mod letter;
mod listing;
mod mail;
mod query;

pub use address::{Address, PROVIDER, SECUREBOX, is_securebox};
pub use answer::{listed, read, sent};
pub use compose::{Attached, Compose, Mark};
pub use letter::{Enclosure, Letter};
pub use listing::{Listed, Listing};
pub use mail::Mail;
pub use query::{Query, Status, Whose};
