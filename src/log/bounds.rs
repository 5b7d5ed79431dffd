//! How large things may be. Checked by every store before it looks at anything else, so that no store is asked for
//! what another would refuse.

use std::collections::HashSet;

use super::append::{Append, Basis, Index, NewEffect, NewRecord, PeerKey};
use super::error::LogError;

/// Records in one append; the opening of [`Basis::Peer`] has as many for itself.
pub const MAX_RECORDS: usize = 32;
/// Envelopes and bodies of one append together, in bytes.
pub const MAX_APPEND_BYTES: usize = 256 * 1024;
/// Effects in one append; the opening of [`Basis::Peer`] has as many for itself.
pub const MAX_EFFECTS: usize = 64;
/// Payloads of one append's effects together, in bytes.
pub const MAX_EFFECT_BYTES: usize = 256 * 1024;
/// Length of a lane's name, in bytes.
pub const MAX_LANE_BYTES: usize = 128;
/// Timer changes in one append.
pub const MAX_TIMERS: usize = 16;
/// Index entries in one append.
pub const MAX_INDEXES: usize = 8;
/// Length of an idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 300;
/// Length of the answer kept with a key, in bytes.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024;
/// Length of a peer key, in bytes.
pub const MAX_PEER_BYTES: usize = 512;
/// Records in one page, numbers in one erasure, logs in one call.
pub const MAX_BATCH: usize = 1_000;
/// Length of the reason kept with a dead letter, in bytes.
pub const MAX_REASON_BYTES: usize = 300;
/// Dead letters in one page.
pub const MAX_DEAD_PAGE: usize = 256;
/// Dead letters of one tenant, over all partitions.
pub const MAX_DEAD: usize = 100_000;
/// How long a dead letter is kept, in milliseconds: 30 days.
pub const DEAD_HORIZON_MS: u64 = 30 * 24 * 3_600_000;
/// How long a log is kept at least from when an effect of it is buried or replayed, in milliseconds: 72 h.
pub const DEAD_KEEP_MS: u64 = 72 * 3_600_000;
/// How long a log is kept at least after the next attempt at an effect of it that failed, in milliseconds: 12 h. A store that has less
/// than this left gives twice as much, so that it does not write with every attempt.
pub const RETRY_KEEP_MS: u64 = 12 * 3_600_000;
/// Length of a reference's key, in bytes.
pub const MAX_REFERENCE_BYTES: usize = 300;
/// How long a reference is kept at most, in milliseconds: seven days.
pub const MAX_REFERENCE_MS: u64 = 7 * 24 * 3_600_000;
/// How long a key makes a repeat recognisable, in milliseconds: 72 h.
pub const KEY_HORIZON_MS: u64 = 72 * 3_600_000;

impl Append {
    /// Whether the append keeps the bounds of this module.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`], naming the first bound it breaks.
    pub fn check(&self) -> Result<(), LogError> {
        records(&self.records)?;
        effects(&self.effects)?;
        let mut bytes = record_bytes(&self.records);
        if let Basis::Peer {
            peer,
            opening,
            opening_effects,
            ..
        } = &self.basis
        {
            if !opening.is_empty() {
                records(opening)?;
            }
            effects(opening_effects)?;
            bytes += record_bytes(opening);
            check_peer(peer)?;
        }
        at_most("record bytes", bytes, MAX_APPEND_BYTES)?;
        at_most("timer changes", self.timers.len(), MAX_TIMERS)?;
        at_most("index entries", self.indexes.len(), MAX_INDEXES)?;
        for index in &self.indexes {
            match index {
                Index::Peer(peer) | Index::Unpeer(peer) | Index::OptOut(peer) | Index::OptIn(peer) => {
                    check_peer(peer)?;
                }
                Index::Open(_) | Index::Shut(_) | Index::Alive { .. } | Index::NotAlive => {}
            }
        }
        if let Some(peer) = &self.guard {
            check_peer(peer)?;
        }
        if let Some(key) = &self.key {
            at_most("key bytes", key.key.len(), MAX_KEY_BYTES)?;
            at_most("answer bytes", key.answer.len(), MAX_ANSWER_BYTES)?;
        }
        Ok(())
    }
}

/// Whether a call names no more logs or numbers than one call may.
///
/// # Errors
/// [`LogError::OutOfBounds`].
pub fn check_batch(count: usize) -> Result<(), LogError> {
    at_most("entries in one call", count, MAX_BATCH)
}

/// How many dead letters of one tenant a partition keeps: its share of [`MAX_DEAD`], at least one.
#[must_use]
pub fn dead_share(partitions: u16) -> usize {
    (MAX_DEAD / usize::from(partitions.max(1))).max(1)
}

/// Whether a burial keeps the bounds.
///
/// # Errors
/// [`LogError::OutOfBounds`].
pub fn check_burial(lane: &str, reason: &str) -> Result<(), LogError> {
    at_most("lane name bytes", lane.len(), MAX_LANE_BYTES)?;
    at_most("reason bytes", reason.len(), MAX_REASON_BYTES)
}

/// Whether a reference's key keeps its bound.
///
/// # Errors
/// [`LogError::OutOfBounds`].
pub fn check_reference(key: &[u8]) -> Result<(), LogError> {
    at_most("reference key bytes", key.len(), MAX_REFERENCE_BYTES)
}

/// Whether a peer's key keeps its bound.
///
/// # Errors
/// [`LogError::OutOfBounds`].
pub fn check_peer(peer: &PeerKey) -> Result<(), LogError> {
    at_most("peer key bytes", peer.0.len(), MAX_PEER_BYTES)
}

fn records(records: &[NewRecord]) -> Result<(), LogError> {
    if records.is_empty() {
        return Err(LogError::OutOfBounds {
            reason: "an append without a record".to_owned(),
        });
    }
    at_most("records", records.len(), MAX_RECORDS)
}

fn record_bytes(records: &[NewRecord]) -> usize {
    records
        .iter()
        .map(|record| record.envelope.len() + record.body.as_ref().map_or(0, |body| body.len()))
        .sum()
}

fn effects(effects: &[NewEffect]) -> Result<(), LogError> {
    at_most("effects", effects.len(), MAX_EFFECTS)?;
    let bytes = effects.iter().map(|effect| effect.payload.len()).sum();
    at_most("effect bytes", bytes, MAX_EFFECT_BYTES)?;
    let mut places = HashSet::with_capacity(effects.len());
    for effect in effects {
        at_most("lane name bytes", effect.lane.len(), MAX_LANE_BYTES)?;
        if !places.insert(effect.place) {
            return Err(LogError::OutOfBounds {
                reason: format!("two effects at place {}", effect.place),
            });
        }
    }
    Ok(())
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), LogError> {
    if count <= most {
        return Ok(());
    }
    Err(LogError::OutOfBounds {
        reason: format!("{count} {what}, at most {most}"),
    })
}
