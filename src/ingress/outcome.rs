//! What other services are told of a question that a session did not answer, and which sessions they may ask at all.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{LogId, TenantId};
use crate::protocol::envelope::{Code, Fault};
use crate::session::Rejection;
use crate::shard::{SessionView, ShardError, Shards};

/// The newest picture of a session of this tenant. Another tenant's is not found, like one that does not exist.
///
/// # Errors
/// 404, 503.
pub async fn session_of(
    shards: &Shards,
    tenant: TenantId,
    session: LogId,
) -> Result<Arc<SessionView>, Fault> {
    let view = shards.session_view(session).await;
    let view = view.map_err(|error| refused(error, |()| Code::NotFound.into()))?;
    match view.state.about() {
        Some(about) if about.tenant == tenant => Ok(view),
        _ => Err(Code::NotFound.into()),
    }
}

/// A session's refusal.
#[must_use]
pub fn rejected(error: ShardError<Rejection>) -> Fault {
    refused(error, |reason| match reason {
        Rejection::NoSession => Code::NotFound.into(),
        Rejection::NotParticipant | Rejection::Forbidden => {
            Fault::new(Code::Forbidden).detail(reason.to_string())
        }
        Rejection::TooMuch => Fault::new(Code::TooLarge).detail(reason.to_string()),
        _ => Fault::new(Code::Conflict).detail(reason.to_string()),
    })
}

fn refused<R>(error: ShardError<R>, rejected: impl FnOnce(R) -> Fault) -> Fault {
    match error {
        ShardError::Rejected(reason) => rejected(reason),
        ShardError::NoSuchLog => Code::NotFound.into(),
        ShardError::KeyReused => Code::KeyReused.into(),
        ShardError::OptedOut => Fault::new(Code::Conflict).detail("the address has opted out"),
        ShardError::Unavailable { retry_after, .. } => Fault::unavailable(retry_after),
        ShardError::Unreadable { reason } => {
            tracing::error!(%reason, "a log cannot be read");
            Fault::unavailable(Duration::from_secs(5))
        }
    }
}
