//! The session log in Redis (DESIGN 3.2, connection 9).
//!
//! A log is a stream with explicit ids `<n>-0`. One server-side function does an append in one round trip; the functions are in
//! `lua/`, loaded as one library whose name carries its version. All keys of a partition share its hash tag, so a single
//! server and a Redis Cluster are the same thing to everything here.
//!
//! **Owns** the layout of the data, the function library, one command connection and one subscriber a core, the checks at
//! start, the store's identity, the recent appends that survive a rollback of Redis. **Leaves** deciding and retrying
//! to `shard`.
//!
//! **Must never happen**: an append that is sent twice without its caller knowing; a reply taken for that of another call; an
//! `Unavailable` for an append that was written; a write into a store that is not the one found at start; a lost
//! subscription that nobody is told of.

mod connect;
mod encode;
mod error;
mod handle;
mod identity;
mod inspect;
mod keys;
mod library;
mod link;
mod options;
mod outbound;
mod publication;
mod reply;
mod ring;
mod rollback;
mod store;
mod subscribe;
mod tls;

pub use options::{BadRedisUrl, RedisOptions, RingLimits};
pub use store::RedisStore;
pub use tls::{BadAuthorities, verifying};
