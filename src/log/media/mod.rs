//! Bytes that are too large for a log: uploads and attachments, by tenant and id.
//!
//! **Owns** where the bytes lie and that they are whole and safe before their id is given to anybody. **Leaves** to others
//! what they are and who may have them: a record in a session says that.
//!
//! **Must never happen**: a name or a path that a sender had a hand in; half a file that can be read; where a scanner is configured, a file
//! that it has not found clean.

mod clamd;
mod directory;
mod keep;
mod postgres;
mod scan;
mod store;

pub use clamd::{Clamd, ClamdAddress};
pub use directory::DirectoryMedia;
pub use keep::{Kept, NotKept, keep, known};
pub use postgres::PostgresMedia;
pub use scan::{Scan, Scanned, Scanner};
pub use store::{Media, MediaError, MediaFuture, MediaReader, MediaWriter, SharedMedia};
