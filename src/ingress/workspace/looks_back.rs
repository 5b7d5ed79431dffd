//! What an agent sees of a customer's past: asked of whoever keeps contact history.

use futures_util::future::LocalBoxFuture;

use crate::model::{LogId, TenantId};
use crate::protocol::envelope::Fault;
use crate::protocol::ucs::Earlier;
use crate::shard::Shards;

/// Keeps contact history and can be asked.
pub trait LooksBack {
    /// The earlier interactions of a session's customer, the newest first: `limit` of them from `cursor` on. Answers within a few
    /// seconds, or says when to ask again.
    fn earlier<'a>(
        &'a self,
        shards: &'a Shards,
        tenant: TenantId,
        session: LogId,
        limit: u16,
        cursor: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Earlier, Fault>>;
}
