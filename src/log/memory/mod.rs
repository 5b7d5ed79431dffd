//! The reference store: everything in this process's memory, nothing survives it.
//!
//! It says in the plainest way what the trait means; the conformance suite holds the other stores to the same. Durability
//! `none`: for demonstrations, tests and benches, and only when asked for by name.

mod dead;
mod keys;
mod lanes;
mod logs;
mod outbound;
mod references;
mod state;
mod store;

pub use store::MemoryStore;
