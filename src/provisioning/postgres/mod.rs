//! The PostgreSQL store: generated statements, migrations, and notice of changes.

mod error;
mod listen;
mod migrate;
mod sql;
mod store;
mod tables;
mod write;

pub use store::PostgresStore;
