//! Secure e-mail (`contracts/chat-v3.md` section 5): a customer who is signed in on the company's own portal writes to the contact
//! centre and reads its answers there. The portal's back end calls, with a key of its own kind, and names the customer.
//!
//! **Owns** the HTTP side: paths, keys, boxes, bodies in and answers out. **Leaves** to [`super::channel`] which session a mail goes to,
//! to [`crate::session`] what follows from it, and to [`crate::log::Mailbox`] what lies in a mailbox. A mail is an interaction like any
//! other: it waits in a queue, an agent takes it, and what they answer is entered in the mailbox by the channel's way out.
//!
//! **Must never happen**: a mail of one address shown to another; a 2xx before the mail is safe; a key for chats let in.

mod access;
mod customer;
mod handler;
mod reading;
mod route;
mod writing;

pub use handler::{SecureMail, SecureMailSettings};
