//! What sending outwards needs of a store beside the logs: dead letters, references, opt-outs.
//!
//! An effect is in its lane, or among the dead letters, or done: every move between them is one atomic step of the store.

use bytes::Bytes;

use crate::model::{LogId, Millis, TenantId};

use super::append::PeerKey;
use super::effects::EffectId;
use super::store::LogFuture;

/// An effect that was given up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEffect {
    /// Its id, the same over all attempts and replays.
    pub id: EffectId,
    /// The lane it was in and goes back to.
    pub lane: String,
    /// The encoded [`crate::model::Effect`].
    pub payload: Bytes,
    /// Why it was given up, for the operator.
    pub reason: String,
    /// When, by the store's clock.
    pub at: Millis,
    /// How many leases it had had.
    pub attempts: u32,
}

/// The record that something sent came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Referred {
    /// The log.
    pub log: LogId,
    /// Number of the record.
    pub n: u64,
}

/// The part of a store that dispatchers and channels use. As in [`super::Log`], all times are the store's.
///
/// Dead letters are kept by tenant in the partition of their log, at most [`super::bounds::dead_share`] there and for
/// [`super::bounds::DEAD_HORIZON_MS`]. What is pushed out by newer ones is counted in `nexus_dead_letters_dropped_total`.
pub trait Outbound {
    /// Gives an effect up: in one step it leaves its lane, whose next is due at once, and is among the tenant's dead letters.
    /// `reason` has at most 300 bytes. One that is not in its lane (done, or buried already) stays as it is.
    ///
    /// Its log, where there still is one, is kept for at least [`super::bounds::DEAD_KEEP_MS`] from now, so that the
    /// effect can still be rendered.
    fn bury_effect(&self, id: EffectId, lane: String, tenant: TenantId, reason: String) -> LogFuture<'_, ()>;

    /// Up to `limit` (at most 256) dead letters of a tenant in a partition, in the order of their ids, those after `after`.
    /// Fewer than asked for: there are no more.
    fn dead_effects(
        &self,
        partition: u16,
        tenant: TenantId,
        after: Option<EffectId>,
        limit: usize,
    ) -> LogFuture<'_, Vec<DeadEffect>>;

    /// How many dead letters a tenant has, over all partitions.
    fn dead_count(&self, tenant: TenantId) -> LogFuture<'_, u64>;

    /// Puts a dead letter at the end of its lane in one step, as if it had never been leased. `false`: it is not among the
    /// tenant's dead letters of that partition.
    fn replay_effect(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool>;

    /// Forgets a dead letter. `false` as in [`Self::replay_effect`].
    fn discard_dead(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool>;

    /// How many lanes of a partition have something in them, due or not.
    fn lane_backlog(&self, partition: u16) -> LogFuture<'_, u64>;

    /// Remembers for `ttl_ms` (at most seven days) what a provider calls something that came from a record. `key` has at most
    /// 300 bytes: scope and name, joined unambiguously. A later one replaces an earlier one.
    fn refer(&self, key: Bytes, at: Referred, ttl_ms: u64) -> LogFuture<'_, ()>;

    /// What such a key stands for.
    fn referred(&self, key: Bytes) -> LogFuture<'_, Option<Referred>>;

    /// Whether a peer whose logs live in `partition` wants to hear nothing from us.
    fn opted_out(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, bool>;

    /// Opts a peer out, or in again, without a record; it does not expire. With one: [`super::Index::OptOut`].
    ///
    /// Unlike an append, this is not put back where a store loses what it has acknowledged.
    fn set_opt_out(&self, partition: u16, peer: PeerKey, out: bool) -> LogFuture<'_, ()>;
}
