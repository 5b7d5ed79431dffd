//! What can go wrong with the database. Its own texts may quote values, so only its codes go further.

use thiserror::Error;

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// It is away, too slow, or says no. Worth trying again.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The settings by which it is reached make no sense. An operator's to repair.
    #[error("database settings: {0}")]
    Settings(String),
}

impl Failure {
    /// What an error of the client comes to.
    #[must_use]
    pub fn of(error: &tokio_postgres::Error) -> Self {
        let why = match error.as_db_error() {
            Some(db) => format!("sqlstate {}", db.code().code()),
            None if error.is_closed() => "connection lost".to_owned(),
            None => "connection failed".to_owned(),
        };
        Self::Unavailable(why)
    }

    /// The answer did not come in time.
    #[must_use]
    pub fn no_answer() -> Self {
        Self::Unavailable("no answer in time".to_owned())
    }
}
