//! Connection 1, the Third-Party Messaging API (contract section 2): a custom client posts messages, receipts and files, each
//! signed with its channel's secret. Answers are the numeric envelope; a 2xx follows the append.

mod handler;
mod upload;

pub use handler::{Messaging, MessagingSettings};
