//! Contact history of one core: told of effects, and asked by agents.

use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::egress::dispatcher::Calls;
use crate::egress::history::{History, OwnHistory};
use crate::ingress::workspace::LooksBack;
use crate::log::archive::SharedArchive;
use crate::log::media::SharedMedia;
use crate::model::{LogId, TenantId};
use crate::protocol::envelope::Fault;
use crate::protocol::ucs::Earlier;
use crate::shard::Shards;

use super::serving::Parts;

/// Our own history of a core.
pub(super) fn own(parts: &Parts, archive: &SharedArchive) -> Rc<OwnHistory> {
    Rc::new(OwnHistory::new(Rc::clone(archive), parts.snapshots.clone()))
}

/// Connection 8 of a core.
pub(super) fn history(
    parts: &Parts,
    calls: &Calls,
    media: &SharedMedia,
    own: &Rc<OwnHistory>,
) -> Rc<History> {
    let history = History::new(calls.clone(), parts.snapshots.clone(), Rc::clone(media));
    Rc::new(history.beside(Rc::clone(own)))
}

/// The same as agents ask it.
pub(super) struct Looking(pub(super) Rc<History>);

impl LooksBack for Looking {
    fn earlier<'a>(
        &'a self,
        shards: &'a Shards,
        tenant: TenantId,
        session: LogId,
        limit: u16,
        cursor: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Earlier, Fault>> {
        self.0
            .earlier(shards, tenant, session, limit, cursor)
            .boxed_local()
    }
}
