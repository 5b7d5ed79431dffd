//! Connection 2: the chat API of the browser widget (`contracts/chat-v3.md` 2).
//!
//! **Owns** the HTTP side: paths, keys and tokens, origins, rates, bodies in and answers out, files on their way in and out.
//! **Leaves** to [`crate::session`] what may happen in a chat, to [`crate::shard`] when it is safe, and to
//! [`crate::protocol::widget`] what a message looks like and which of them an answer holds.
//!
//! **Must never happen**: a 2xx before the append is safe; a poll that reads the store while its core has the answer; a word
//! of another tenant's session; a refusal without the JSON envelope, which ends the widget's polling for good.

mod access;
mod call;
mod conversation;
mod cors;
mod create;
mod download;
mod handler;
mod idempotency;
mod memory;
mod options;
mod rates;
mod read;
mod route;
mod upload;
mod write;

pub use handler::Widgets;
pub use options::WidgetOptions;
