//! From what the database says to what the caller needs to know. Texts of the database may quote values, so only its
//! codes go further.

use tokio_postgres::error::SqlState;

use crate::postgres::Failure;
use crate::provisioning::store::{Clash, StoreError};

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(why) => Self::Unavailable(why),
            Failure::Settings(why) => Self::Schema(why),
        }
    }
}

pub(super) fn failed(error: tokio_postgres::Error) -> StoreError {
    let Some(db) = error.as_db_error() else {
        let why = if error.is_closed() {
            "connection lost"
        } else {
            "connection failed"
        };
        return StoreError::Unavailable(why.to_owned());
    };
    let constraint = db.constraint().unwrap_or_default();
    match db.code() {
        code if *code == SqlState::UNIQUE_VIOLATION => StoreError::Clash(clash_of(constraint)),
        code if *code == SqlState::FOREIGN_KEY_VIOLATION => StoreError::Clash(Clash::NoTenant),
        code => {
            let code = code.code();
            match code.get(..2) {
                // Values or types we should never have sent or stored.
                Some("22" | "23") => StoreError::Corrupt(format!("sqlstate {code}")),
                _ => StoreError::Unavailable(format!("sqlstate {code}")),
            }
        }
    }
}

/// The commit was sent and its answer lost.
pub(super) fn commit_failed(error: tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(_) => failed(error),
        None => StoreError::Unknown("connection lost while committing".to_owned()),
    }
}

pub(super) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(what.to_string())
}

/// Constraints are named for what a violation means.
fn clash_of(constraint: &str) -> Clash {
    if constraint.ends_with("_name_key") {
        Clash::NameTaken
    } else if constraint.ends_with("_hash_key") {
        Clash::SecretTaken
    } else {
        Clash::IdTaken
    }
}
