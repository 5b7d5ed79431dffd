//! From what provisioning says to what the caller is told.

use std::time::Duration;

use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::objects::{Fault as FieldFault, Problems};
use crate::provisioning::{Clash, DirectoryError};

/// How long a caller should wait for a store that is away.
const RETRY_AFTER: Duration = Duration::from_secs(2);

pub(super) fn refused(error: DirectoryError) -> Fault {
    match error {
        DirectoryError::Invalid(wrong) => problems(&wrong),
        DirectoryError::NotFound | DirectoryError::Clash(Clash::Absent | Clash::NoTenant) => {
            Code::NotFound.into()
        }
        DirectoryError::Clash(Clash::Changed) => {
            Fault::new(Code::Conflict).detail("the object has changed since it was read")
        }
        DirectoryError::Clash(clash @ (Clash::IdTaken | Clash::NameTaken | Clash::SecretTaken)) => {
            Fault::new(Code::Duplicate).detail(clash.to_string())
        }
        DirectoryError::Clash(Clash::Crowded) => {
            Fault::new(Code::BadValue).detail(format!("events: {}", Clash::Crowded))
        }
        DirectoryError::Unavailable(error) => {
            tracing::warn!(%error, "provisioning request not done");
            Fault::unavailable(RETRY_AFTER)
        }
        DirectoryError::Broken(error) => {
            tracing::error!(%error, "provisioning request not done");
            Code::Internal.into()
        }
    }
}

/// The code of the first problem, and the text of all of them.
pub(super) fn problems(wrong: &Problems) -> Fault {
    let code = match wrong.iter().next().map(|problem| &problem.fault) {
        Some(FieldFault::Missing) => Code::MissingField,
        _ => Code::BadValue,
    };
    Fault::new(code).detail(wrong.to_string())
}
