//! Chat v3, the dialect of the browser widget (`contracts/chat-v3.md` 2): requests in, message objects out.
//!
//! **Owns** the index of a message, its shape, which messages an answer holds and when an ended chat says so. All of it is
//! pure: records, a query and a time go in, bytes come out. **Leaves** to [`crate::session`] who may see a record, and to
//! the ingress tokens, keys and limits.
//!
//! **Must never happen**: an index that is no fixed-width string of digits or does not rise; a message without `from`; `html`,
//! `custom`, `bubble` or `avatar` in anything; a picture that is not the last message of its answer.

mod answer;
mod index;
mod message;
mod query;
mod request;
mod window;

pub use answer::{EndPhase, Linger, created, messages};
pub use index::{Bases, Index};
pub use message::{Cast, Speaker, TypingLine, is_shown, message, picture, typing};
pub use query::Query;
pub use request::{CreateChat, Leave, SendMessage, Sent, UserData};
pub use window::{Line, MOST, PAGE_MINIMUM, Window, from, newest, page, recent, settle};
