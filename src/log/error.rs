//! What can go wrong with a store, and what follows from it.

use std::time::Duration;

/// A store's failure. Only [`LogError::OutOfBounds`] is the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Nothing was written; try again after a while. Becomes 503 with `Retry-After`.
    #[error("the log store is unavailable: {reason}")]
    Unavailable {
        /// For the operator: `MISCONF`, disk full, not connected, queue full …
        reason: String,
        /// How long a client should wait.
        retry_after: Duration,
    },
    /// It may or may not have been written: read back by top and key, never guess.
    #[error("the outcome is unknown: {reason}")]
    Unknown {
        /// For the operator.
        reason: String,
    },
    /// What the store returned is not what was once put in. Nothing is decided in this log until an operator looks.
    #[error("the log store returned damaged data: {reason}")]
    Corrupt {
        /// For the operator.
        reason: String,
    },
    /// The call breaks a bound of [`super::bounds`]. Nothing was written, and trying again cannot help.
    #[error("beyond what the log store takes in one call: {reason}")]
    OutOfBounds {
        /// Which bound.
        reason: String,
    },
    /// The store is another one than at the start, or one with other settings; an operator must say so by name.
    #[error("the log store is not the expected one: {reason}")]
    WrongStore {
        /// For the operator.
        reason: String,
    },
}

impl LogError {
    /// Nothing was written and the store is away for the moment.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            retry_after: Duration::from_secs(1),
        }
    }

    /// Whether the same call may simply be made again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
