//! PostgreSQL as everybody here reaches it: settings, sessions with deadlines and prepared statements, a pool.
//!
//! **Owns** how a session is opened, guarded by time-outs and TLS, and when one goes out of use. **Leaves** to others what is asked:
//! provisioning, files, our own history each have their statements.
//!
//! **Must never happen**: a password, or a value that a server quotes, in an error; a caller that waits without end.

mod connect;
mod database;
mod failure;
mod settings;

pub use connect::{Connector, Heard, Session};
pub use database::Database;
pub use failure::Failure;
pub use settings::{PostgresSettings, Tls};
