//! A pool whose every use has a deadline.

use std::time::Duration;

use super::connect::{Connector, Session};
use super::failure::Failure;
use super::settings::PostgresSettings;

/// How long a session that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(300);

/// A few sessions, lent one at a time. Cheap to clone; sessions are driven on the runtime that asked for them first, so each core
/// has one of its own.
#[derive(Clone)]
pub struct Database {
    pool: bb8::Pool<Connector>,
    /// A little more than the server's own limit, so that usually the server says why.
    patience: Duration,
}

impl Database {
    /// A pool of at most `sessions`; connects when it is first asked.
    ///
    /// # Errors
    /// [`Failure::Settings`].
    pub fn new(settings: &PostgresSettings, sessions: u32) -> Result<Self, Failure> {
        let pool = bb8::Pool::builder()
            .max_size(sessions.max(1))
            .connection_timeout(settings.connect_timeout)
            .idle_timeout(Some(IDLE))
            .build_unchecked(Connector::new(settings)?);
        Ok(Self {
            pool,
            patience: settings.statement_timeout + Duration::from_secs(1),
        })
    }

    /// Lends a session to `work`. One whose answer did not come in time is not used again.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    pub async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut session = self.pool.get().await.map_err(|error| match error {
            bb8::RunError::User(error) => error,
            bb8::RunError::TimedOut => Failure::Unavailable("no connection in time".to_owned()),
        })?;
        match tokio::time::timeout(self.patience, work(&mut session)).await {
            Ok(done) => done,
            Err(_) => {
                session.give_up();
                Err(Failure::no_answer())
            }
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}
