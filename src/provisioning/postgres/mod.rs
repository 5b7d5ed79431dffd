//! The PostgreSQL store: pooled sessions, generated statements, migrations, and notice of changes.

mod connect;
mod error;
mod listen;
mod migrate;
mod settings;
mod sql;
mod store;
mod tables;
mod write;

pub use settings::{PostgresSettings, Tls};
pub use store::PostgresStore;
