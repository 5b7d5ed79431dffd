//! The one HTTP client: every request this service makes to somebody else leaves here.
//!
//! Owns where a request may go ([`Guard`], [`Policy`]), how it gets there (one resolution, all addresses vetted, one
//! of them dialled, the peer looked at once more), how long it may take (one deadline over name, connection, TLS,
//! head and body) and how much may come back. Leaves to others what is said, when it is said again, and what
//! an answer means; [`Breaker`] and [`Bulkhead`] are there for them.
//!
//! What must never happen: a customer's URL that reaches an inside address; a redirect that is followed; a
//! peer that holds a call beyond its deadline; an answer that fills the memory; an error that tells a tenant
//! what is inside; our own certificate shown to a customer's server.
//!
//! The way of a call: [`Call`] → [`Target`] (the URL, strictly) → [`Policy`] (name, scheme, port) → a pooled connection,
//! or [`Resolve`] → [`Policy`] (addresses) → connect → TLS ([`Trust`]) → exchange → [`Answer`] or [`CallError`].

mod answer;
mod breaker;
mod bulkhead;
mod call;
mod connect;
mod error;
mod exchange;
mod outbound;
mod policy;
mod pool;
mod public_address;
mod resolve;
mod retry_after;
mod target;
mod trust;

pub use answer::Answer;
pub use breaker::{Breaker, BreakerPolicy, Passage};
pub use bulkhead::{Bulkhead, Full, Slot};
pub use call::{Call, Excess, Guard};
pub use error::{CallError, ErrorClass};
pub use outbound::{Client, ClientOptions};
pub use policy::{Denied, Policy};
pub use public_address::is_public;
pub use resolve::{Resolve, SystemResolver};
pub use retry_after::retry_after;
pub use target::{BadUrl, Host, Target};
pub use trust::{Trust, TrustError};
