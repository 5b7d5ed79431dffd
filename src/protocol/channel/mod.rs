//! Channels in one shape: what customers write by any messenger, text message or mail, what is sent back to them, and what
//! became of it. Each provider's dialect is one file that reads and writes this shape.
//!
//! **Owns** the normalised forms, the [`Provider`] seam and the dialects behind it. **Leaves** sockets, deadlines and retries
//! to `egress`, the append to `shard`, and secrets to `provisioning`: an [`Account`] is handed in.
//!
//! **Must never happen**: a callback believed whose signature was not checked over the bytes as received; a header or an
//! address that carries a line break; a decoder that panics or allocates more than a small multiple of its input.

mod account;
pub mod call;
pub mod cards;
pub mod fields;
pub mod form;
mod hexadecimal;
mod inbound;
pub mod instant;
pub mod jwt;
pub mod loose;
pub mod mail;
mod outbound;
pub mod outcome;
pub mod proof;
mod provider;
mod reference;
mod registry;
pub mod sms;
pub mod third_party;

pub use hexadecimal::hex;
pub use inbound::{Attachment, AttachmentSource, Callback, Inbound, Receipt, Reference, Thread};
pub use outbound::{HttpCall, Outbound, SendAnswer};
pub use provider::{Account, CallbackRequest, Forged, Provider, Reply, Unreadable};
pub use reference::{message_id, parse_id, peer_name, reference_key};
pub use registry::provider;
