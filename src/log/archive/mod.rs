//! Sessions beyond their logs: which there were of a contact, and what was said in those that are over, for as long as the tenant
//! keeps it.
//!
//! **Owns** where that lies, finding it by contact and by words, and its end. **Leaves** to others what goes in (an effect of the
//! session's log brings it, again and again until it is in) and who may have it.
//!
//! **Must never happen**: an address in the index of contacts; another tenant's session; anything left of a session that was removed
//! or is past its time.

mod embedded;
mod postgres;
mod store;
mod words;

pub use embedded::EmbeddedArchive;
pub use postgres::PostgresArchive;
pub use store::{Archive, ArchiveError, ArchiveFuture, Archived, Asked, Keep, SharedArchive, Summary};
pub use words::words;
