//! Dead letters, references and opt-outs, as the handle gives them.

use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::log::append::{NewEffect, PeerKey};
use crate::log::bounds::{
    DEAD_KEEP_MS, MAX_REFERENCE_MS, check_burial, check_peer, check_reference, dead_share,
};
use crate::log::effects::EffectId;
use crate::log::local::dropped;
use crate::log::outbound::{DeadEffect, Outbound, Referred};
use crate::log::store::LogFuture;
use crate::model::{Millis, Spread, TenantId};

use super::state::State;
use super::store::MemoryCore;

impl Outbound for MemoryCore {
    fn bury_effect(&self, id: EffectId, lane: String, tenant: TenantId, reason: String) -> LogFuture<'_, ()> {
        async move {
            check_burial(&lane, &reason)?;
            let most = dead_share(self.store.info.partitions);
            let gone = self.store.with(|state, now| {
                let Some(taken) = state.of(id.log).lanes.take(id, lane.clone(), now) else {
                    return 0;
                };
                let dead = DeadEffect {
                    id,
                    lane,
                    payload: taken.payload,
                    reason,
                    at: now,
                    attempts: taken.attempts,
                };
                let gone = state.of(id.log).dead.add(tenant, dead, most);
                state
                    .logs
                    .keep(id.log, now.plus(DEAD_KEEP_MS), now.plus(DEAD_KEEP_MS), now);
                gone
            });
            dropped(gone);
            Ok(())
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
        self.call(move |state, now| state.partition(partition).dead.page(tenant, after, limit, now))
    }

    fn dead_count(&self, tenant: TenantId) -> LogFuture<'_, u64> {
        self.call(move |state, now| {
            let counts = state
                .partitions
                .iter()
                .map(|partition| partition.dead.count(tenant, now));
            counts.sum()
        })
    }

    fn replay_effect(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool> {
        self.call(move |state, now| {
            let Some(dead) = take(state, partition, tenant, id, now) else {
                return false;
            };
            let effect = NewEffect {
                place: id.place,
                lane: dead.lane,
                delay_ms: 0,
                payload: dead.payload,
            };
            state.of(id.log).lanes.push(id.log, id.n, &[effect], now);
            state
                .logs
                .keep(id.log, now.plus(DEAD_KEEP_MS), now.plus(DEAD_KEEP_MS), now);
            true
        })
    }

    fn discard_dead(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool> {
        self.call(move |state, now| take(state, partition, tenant, id, now).is_some())
    }

    fn lane_backlog(&self, partition: u16) -> LogFuture<'_, u64> {
        self.call(move |state, _| state.partition(partition).lanes.count())
    }

    fn refer(&self, key: Bytes, at: Referred, ttl_ms: u64) -> LogFuture<'_, ()> {
        async move {
            check_reference(&key)?;
            self.store.with(|state, now| {
                let until = now.plus(ttl_ms.min(MAX_REFERENCE_MS));
                state
                    .spread(Spread::of(&[&key]))
                    .references
                    .set(key, at, until, now);
            });
            Ok(())
        }
        .boxed_local()
    }

    fn referred(&self, key: Bytes) -> LogFuture<'_, Option<Referred>> {
        async move {
            check_reference(&key)?;
            Ok(self
                .store
                .with(|state, now| state.spread(Spread::of(&[&key])).references.get(&key, now)))
        }
        .boxed_local()
    }

    fn opted_out(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, bool> {
        self.call(move |state, _| state.partition(partition).opted_out.contains(&peer))
    }

    fn set_opt_out(&self, partition: u16, peer: PeerKey, out: bool) -> LogFuture<'_, ()> {
        async move {
            check_peer(&peer)?;
            self.store
                .with(|state, _| state.partition(partition).opt(peer, out));
            Ok(())
        }
        .boxed_local()
    }
}

/// A dead letter is only where its log is.
fn take(
    state: &mut State,
    partition: u16,
    tenant: TenantId,
    id: EffectId,
    now: Millis,
) -> Option<DeadEffect> {
    if !state.is_of(id.log, partition) {
        return None;
    }
    state.partition(partition).dead.take(tenant, id, now)
}
