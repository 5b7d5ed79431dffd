//! What customers answer to campaigns: which message of which campaign somebody got last, and what they said to it.
//!
//! That campaigns of a tenant write at all is written down before the first message leaves, and that message waits until every core has
//! forgotten that they did not: whoever answers at once is heard.

use std::time::Duration;

use bytes::Bytes;

use crate::log::{LogError, PeerKey, Referred};
use crate::model::{DeliveryStatus, Digest, LogId, Spread, TenantId};

use super::campaigns::{BATCH_MS, Campaigns};

/// Whether a tenant's campaigns write is asked of the store so often, in milliseconds.
const LATELY_MS: u64 = 1_000;
/// What a core that asked a moment ago, and had to wait for the answer, needs beyond that, in milliseconds.
const SLACK_MS: u64 = 250;
/// That they write is written down so often, in milliseconds.
const MARK_MS: u64 = 3_600_000;
/// Tenants remembered.
const TENANTS: usize = 4_096;
/// Bytes of a peer's name that stand in a key as they are.
const PEER: usize = 250;

impl Campaigns {
    /// Writes down that campaigns of a tenant write; how long its first message must wait until that is known everywhere.
    ///
    /// # Errors
    /// The store's.
    pub async fn begins(&self, tenant: TenantId, log: LogId, n: u64) -> Result<Duration, LogError> {
        let now = self.clock.wall_ms();
        let marked = self.marked.borrow().get(&tenant).copied();
        // A mark that has run out is none.
        let marked = marked.filter(|marked| now.saturating_sub(marked.written) < BATCH_MS);
        let mut mark = marked.unwrap_or(Mark {
            since: now,
            written: 0,
        });
        if now.saturating_sub(mark.written) >= MARK_MS {
            let at = Referred { log, n };
            self.log.refer(lately_key(tenant), at, BATCH_MS + MARK_MS).await?;
            if marked.is_none() {
                mark.since = self.clock.wall_ms();
            }
            mark.written = now;
            remember(&mut self.marked.borrow_mut(), tenant, mark);
        }
        let known = self.clock.wall_ms().saturating_sub(mark.since);
        Ok(Duration::from_millis(
            (LATELY_MS + SLACK_MS).saturating_sub(known),
        ))
    }

    /// Remembers which message of a campaign a customer got last.
    pub async fn said_to(&self, peer: Bytes, log: LogId, n: u64) {
        // Without it only their own word for it is missing: they are not written to again all the same.
        let at = Referred { log, n };
        if let Err(error) = self.log.refer(said_key(&peer), at, BATCH_MS).await {
            tracing::warn!(%error, %log, n, "whom a campaign wrote to was not kept");
        }
    }

    /// A customer opted out: that is the end of the message of a campaign they got last, if they got any.
    ///
    /// # Errors
    /// The store's.
    pub async fn opted_out(&self, peer: Bytes) -> Result<(), LogError> {
        self.said_back(peer, DeliveryStatus::OptOut).await
    }

    /// A customer wrote: the first time is the reply to the message of a campaign they got last, if they got any within a week. Costs nothing
    /// where no campaign of the tenant wrote to anybody.
    ///
    /// # Errors
    /// The store's.
    pub async fn replied(&self, tenant: TenantId, peer: Bytes) -> Result<(), LogError> {
        if !self.wrote_lately(tenant).await? {
            return Ok(());
        }
        self.said_back(peer, DeliveryStatus::Replied).await
    }

    async fn said_back(&self, peer: Bytes, status: DeliveryStatus) -> Result<(), LogError> {
        match self.log.referred(said_key(&peer)).await? {
            Some(at) => self.note(at.log, at.n, status, None, None).await,
            None => Ok(()),
        }
    }

    async fn wrote_lately(&self, tenant: TenantId) -> Result<bool, LogError> {
        let now = self.clock.wall_ms();
        let known = self.lately.borrow().get(&tenant).copied();
        if let Some((at, wrote)) = known
            && now.saturating_sub(at) < LATELY_MS
        {
            return Ok(wrote);
        }
        let wrote = self.log.referred(lately_key(tenant)).await?.is_some();
        remember(&mut self.lately.borrow_mut(), tenant, (now, wrote));
        Ok(wrote)
    }

    /// Whether somebody wants to hear nothing from us by a channel.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_opted_out(&self, peer: Bytes) -> Result<bool, LogError> {
        let partition = Spread::of(&[&peer]).partition(self.log.info().partitions);
        self.log.opted_out(partition, PeerKey(peer)).await
    }
}

/// That a tenant's campaigns write, as one core wrote it down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// When this core did so first, in milliseconds of its clock.
    since: u64,
    /// When it did so last.
    written: u64,
}

/// What is forgotten is asked or written again.
fn remember<T>(known: &mut std::collections::HashMap<TenantId, T>, tenant: TenantId, what: T) {
    if known.len() >= TENANTS && !known.contains_key(&tenant) {
        known.clear();
    }
    known.insert(tenant, what);
}

/// A key has at most 300 bytes; a longer name stands there by its digest.
fn said_key(peer: &Bytes) -> Bytes {
    match peer.len() {
        ..=PEER => [b"a-said-", &peer[..]].concat().into(),
        _ => [b"a-sayd-".as_slice(), &Digest::of(&[peer]).0].concat().into(),
    }
}

fn lately_key(tenant: TenantId) -> Bytes {
    [b"a-campaigned-".as_slice(), tenant.0.as_bytes()].concat().into()
}
