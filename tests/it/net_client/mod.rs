//! The outbound client against real sockets: peers that are well, slow, broken, hostile, and certificates of all kinds.

mod answers;
mod bad_peers;
mod bulkheads;
mod certificates;
mod guard;
pub(crate) mod issued;
mod peer;
mod pool;
