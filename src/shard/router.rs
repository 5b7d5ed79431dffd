//! The seam to routing.

use futures_util::future::LocalBoxFuture;

use crate::log::{LogError, Pair};
use crate::model::{MatchOp, TenantId};

/// Decides who gets a waiting session. Implemented by the built-in router, and by GWS where a tenant routes there.
pub trait Router {
    /// Something changed in who waits or who is ready. The pair that should come together now, if there is one.
    ///
    /// # Errors
    /// The store's; the effect that carries `op` is tried again.
    fn changed(&self, tenant: TenantId, op: MatchOp) -> LocalBoxFuture<'_, Result<Option<Pair>, LogError>>;
}
