//! Plain data in few bytes, for what stays in this process: nobody else reads it and no later release does.
//!
//! **Owns** the form: self-describing, like JSON, so that whatever has a JSON form has this one; names that are known beforehand, words
//! and ids that came before take a byte or two, numbers as many as they need. **Leaves** to its callers what is written in which
//! order, and whether it is packed.
//!
//! **Must never happen**: a value that reads back as another; a form of this kind in a store or on a wire.

mod pack;
mod read;
mod tag;
mod unfit;
mod words;
mod write;

pub use pack::{Packer, unpack};
pub use read::Reader;
pub use unfit::Unfit;
pub use write::Writer;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests;
