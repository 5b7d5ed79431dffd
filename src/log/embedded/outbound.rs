//! Dead letters, references and opt-outs, as the handle gives them.

use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::log::append::PeerKey;
use crate::log::bounds::{check_burial, check_peer, check_reference};
use crate::log::effects::EffectId;
use crate::log::outbound::{DeadEffect, Outbound, Referred};
use crate::log::store::LogFuture;
use crate::model::TenantId;

use super::handle::EmbeddedCore;
use super::requests::Request;
use super::{dead, pages, references};

impl EmbeddedCore {
    /// A dead letter is only where its log is.
    fn is_of(&self, id: EffectId, partition: u16) -> bool {
        id.log.spread().partition(self.shared.info.partitions) == partition
    }
}

impl Outbound for EmbeddedCore {
    fn bury_effect(&self, id: EffectId, lane: String, tenant: TenantId, reason: String) -> LogFuture<'_, ()> {
        async move {
            check_burial(&lane, &reason)?;
            let bury = |reply| Request::Bury {
                id,
                lane,
                tenant,
                reason,
                reply,
            };
            self.shared.write(bury).await
        }
        .boxed_local()
    }

    fn dead_effects(
        &self,
        partition: u16,
        tenant: TenantId,
        after: Option<EffectId>,
        limit: usize,
    ) -> LogFuture<'_, Vec<DeadEffect>> {
        let now = self.shared.now();
        self.shared
            .read(move |at| dead::page(at, (partition, tenant), after, limit, now))
            .boxed_local()
    }

    fn dead_count(&self, tenant: TenantId) -> LogFuture<'_, u64> {
        let now = self.shared.now();
        self.shared
            .read(move |at| dead::count(at, tenant, now))
            .boxed_local()
    }

    fn replay_effect(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool> {
        async move {
            if !self.is_of(id, partition) {
                return Ok(false);
            }
            self.shared
                .write(|reply| Request::Replay(tenant, id, reply))
                .await
        }
        .boxed_local()
    }

    fn discard_dead(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool> {
        async move {
            if !self.is_of(id, partition) {
                return Ok(false);
            }
            self.shared
                .write(|reply| Request::Discard(tenant, id, reply))
                .await
        }
        .boxed_local()
    }

    fn lane_backlog(&self, partition: u16) -> LogFuture<'_, u64> {
        self.shared
            .read(move |at| pages::lanes(at, partition))
            .boxed_local()
    }

    fn refer(&self, key: Bytes, at: Referred, ttl_ms: u64) -> LogFuture<'_, ()> {
        async move {
            check_reference(&key)?;
            self.shared
                .write(|reply| Request::Refer(key, at, ttl_ms, reply))
                .await
        }
        .boxed_local()
    }

    fn referred(&self, key: Bytes) -> LogFuture<'_, Option<Referred>> {
        let now = self.shared.now();
        async move {
            check_reference(&key)?;
            self.shared
                .read(move |at| references::referred(at, &key, now))
                .await
        }
        .boxed_local()
    }

    fn opted_out(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, bool> {
        self.shared
            .read(move |at| pages::opted_out(at, partition, &peer))
            .boxed_local()
    }

    fn set_opt_out(&self, partition: u16, peer: PeerKey, out: bool) -> LogFuture<'_, ()> {
        async move {
            check_peer(&peer)?;
            self.shared
                .write(|reply| Request::OptOut(partition, peer, out, reply))
                .await
        }
        .boxed_local()
    }
}
