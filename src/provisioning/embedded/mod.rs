//! The embedded store: one file of this node, every write one durable transaction.

mod records;
mod store;

pub use store::EmbeddedStore;
