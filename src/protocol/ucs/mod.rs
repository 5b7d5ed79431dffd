//! Connection 8: contacts and interaction history as a contact service takes them (contract section 8), in two dialects of one
//! adapter: the UCS-X form, and the documented form of release 9.1.
//!
//! **Owns** the bodies of requests, the canonical form of a transcript and what an answer means. **Leaves** reading the session,
//! masking and retries to `egress`.
//!
//! **Must never happen**: customer text anywhere but as a JSON value; a field of an answer trusted that is not on the list; a
//! contact picked among several; a body that differs between two attempts.

mod answer;
mod attachment;
mod classic;
mod contact;
mod dialect;
mod past;
mod transcript;
mod ucsx;

pub use answer::{Answer, Identified};
pub use attachment::Attachment;
pub use contact::Contact;
pub use dialect::{Dialect, Ending, Interaction, Remark, Site, dialect};
pub use past::{Earlier, PAGE_MAX, PageAsked, Past, PastPage};
pub use transcript::{Line, Sent, Speaker, Transcript};
