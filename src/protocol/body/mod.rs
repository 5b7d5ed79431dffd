//! Request bodies: form, JSON and multipart, read into one flat shape.
//!
//! **Owns** the limits of a body (depth, keys, lengths) and the meaning of bracket nesting. A form and a JSON body that say the
//! same decode to the same [`Fields`], so whatever is read from them cannot differ by encoding. **Leaves** to each dialect
//! which fields there are and what they mean.
//!
//! **Must never happen**: work or memory out of proportion to the bytes that arrived; a text that is copied on its way
//! from the socket's buffer to the log.

mod encoding;
mod error;
mod fields;
mod form;
mod json;
mod limits;
mod multipart;

pub use encoding::Encoding;
pub use error::BodyError;
pub use fields::Fields;
pub use json::JsonDecoder;
pub use limits::Limits;
pub use multipart::{Part, Upload, boundary};

pub use form::decode as decode_form;
