//! Why a shard did not do what it was asked.

use std::time::Duration;

use crate::log::LogError;

use super::machine::Machine;

/// A refusal. `R` is the machine's own reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError<R> {
    /// The machine said no; the caller's fault.
    #[error("rejected")]
    Rejected(R),
    /// There is no such log, or it has expired.
    #[error("no such log")]
    NoSuchLog,
    /// The idempotency key was used with another body.
    #[error("idempotency key reused with another body")]
    KeyReused,
    /// The peer wants to hear nothing from us; nothing was written.
    #[error("the peer has opted out")]
    OptedOut,
    /// The store is away, the race was lost until the deadline, or a queue is full. Nothing is known to be written.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// For the operator.
        reason: &'static str,
        /// For the caller.
        retry_after: Duration,
    },
    /// The log holds records that this release does not understand, or that are damaged: nothing is decided in it here.
    #[error("unreadable log: {reason}")]
    Unreadable {
        /// For the operator.
        reason: String,
    },
}

/// What asking machine `M` may end in.
pub type Asked<M, T> = Result<T, ShardError<<M as Machine>::Rejection>>;

impl<R> ShardError<R> {
    pub(super) const fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable {
            reason,
            retry_after: Duration::from_secs(1),
        }
    }
}

impl<R> From<LogError> for ShardError<R> {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable { retry_after, reason } => {
                tracing::warn!(%reason, "log store unavailable");
                Self::Unavailable {
                    reason: "the log store is unavailable",
                    retry_after,
                }
            }
            LogError::Unknown { reason } => {
                tracing::warn!(%reason, "log store did not answer");
                Self::unavailable("the log store did not answer")
            }
            LogError::WrongStore { reason } => {
                tracing::error!(%reason, "not the expected log store");
                Self::unavailable("not the expected log store")
            }
            LogError::Corrupt { reason } => Self::Unreadable { reason },
            LogError::OutOfBounds { .. } => {
                tracing::error!(%error, "an append was larger than a store takes");
                Self::unavailable("the append was too large")
            }
        }
    }
}
