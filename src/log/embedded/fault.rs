//! What the database fails with, and what that means for a caller.

use crate::log::error::LogError;

/// A failure of the database or of what is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The engine.
    #[error("{0}")]
    Engine(redb::Error),
    /// What was read is not what this version writes.
    #[error("{0}")]
    Damaged(&'static str),
}

/// Each step of the engine has an error type of its own; here they are one.
macro_rules! from_engine {
    ($($error:ident),*) => {
        $(
            impl From<redb::$error> for Fault {
                fn from(error: redb::$error) -> Self {
                    Self::Engine(error.into())
                }
            }
        )*
    };
}

from_engine!(
    CommitError,
    DatabaseError,
    StorageError,
    TableError,
    TransactionError
);

impl Fault {
    /// Whether the engine refuses everything until it is opened again.
    pub(super) const fn needs_reopening(&self) -> bool {
        !matches!(self, Self::Damaged(_))
    }
}

impl From<Fault> for LogError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(what) => Self::Corrupt {
                reason: what.to_owned(),
            },
            Fault::Engine(redb::Error::Corrupted(what)) => Self::Corrupt { reason: what },
            Fault::Engine(redb::Error::DatabaseAlreadyOpen) => Self::WrongStore {
                reason: "another process has it open".to_owned(),
            },
            Fault::Engine(error) => Self::unavailable(error.to_string()),
        }
    }
}
