//! From waiting questions to one append: pure, so that losing a race costs only doing it again.

use std::sync::Arc;

use crate::log::bounds::MAX_APPEND_BYTES;
use crate::log::{Append, Basis, Key, NewEffect, NewRecord};
use crate::model::{Effect, LogId, Millis, Position};

use super::ask::Ask;
use super::entry::Entry;
use super::machine::{Context, Machine, Step, encode_effect};
use super::options::ShardOptions;
use super::replica::Replica;

/// The most an append may hold (bounds of [`Append`]), less one record for a snapshot.
const RECORDS_MAX: usize = 31;
/// Less than [`MAX_APPEND_BYTES`] by room for what an envelope may come to.
const BYTES_MAX: usize = MAX_APPEND_BYTES - 16 * 1_024;
/// What the envelope of a record comes to, as long as it is not written.
const ENVELOPE: usize = 512;
const EFFECTS_MAX: usize = 64;
const TIMERS_MAX: usize = 16;
const INDEXES_MAX: usize = 8;

/// What the questions at the head of a queue come to.
pub(super) struct Plan<M: Machine> {
    /// One verdict per question taken, in order.
    pub(super) verdicts: Vec<Result<M::Reply, M::Rejection>>,
    /// What must be written before the verdicts may be told; nothing if no verdict depends on it.
    pub(super) write: Option<Write<M>>,
}

/// An append with what becomes of the replica once it is in.
pub(super) struct Write<M: Machine> {
    pub(super) append: Append,
    pub(super) state: Arc<M>,
    pub(super) entries: Vec<Arc<Entry<M::Event>>>,
    pub(super) effects: Vec<Effect>,
}

impl<M: Machine> Write<M> {
    /// Where the log stands once this is in.
    pub(super) fn top(&self) -> Position {
        self.entries
            .last()
            .map(|entry| entry.position())
            .unwrap_or_default()
    }
}

/// Decides as many questions from the head of `asks` as fit into one append; at least one.
pub(super) fn decide<M: Machine>(
    replica: &Replica<M>,
    log: LogId,
    asks: &[Ask<M>],
    wall: Millis,
    options: &ShardOptions,
) -> Plan<M> {
    let now = wall.max(replica.time);
    let mut draft = Draft::new(replica, log);
    let mut verdicts = Vec::with_capacity(asks.len());
    let mut key = None;
    for ask in asks {
        // A key stands for one question's answer, so its append holds nothing else.
        if !verdicts.is_empty() && (ask.key.is_some() || key.is_some()) {
            break;
        }
        let mut fresh = uuid::Uuid::now_v7;
        let mut context = Context {
            log,
            top: draft.top.n,
            now,
            liveness: options.liveness,
            fresh: &mut fresh,
        };
        match draft.state.decide(&ask.input, &mut context) {
            Err(rejection) => verdicts.push(Err(rejection)),
            Ok(step) => {
                if !verdicts.is_empty() && !draft.has_room_for(&step) {
                    break;
                }
                key.clone_from(&ask.key);
                verdicts.push(Ok(draft.take(step)));
            }
        }
    }
    Plan {
        verdicts,
        write: draft.finish(replica, key, now, options),
    }
}

struct Draft<M: Machine> {
    log: LogId,
    basis: Position,
    top: Position,
    state: Arc<M>,
    records: Vec<NewRecord>,
    bytes: usize,
    entries: Vec<Arc<Entry<M::Event>>>,
    effects: Vec<Effect>,
    timers: Vec<crate::log::TimerChange>,
    indexes: Vec<crate::log::Index>,
    closes: bool,
    expire_ms: u64,
}

impl<M: Machine> Draft<M> {
    fn new(replica: &Replica<M>, log: LogId) -> Self {
        Self {
            log,
            basis: replica.top,
            top: replica.top,
            state: Arc::clone(&replica.state),
            records: Vec::new(),
            bytes: 0,
            entries: Vec::new(),
            effects: Vec::new(),
            timers: Vec::new(),
            indexes: Vec::new(),
            closes: false,
            expire_ms: 0,
        }
    }

    fn has_room_for(&self, step: &Step<M>) -> bool {
        let said = step
            .records
            .iter()
            .map(|record| ENVELOPE + length(record))
            .sum::<usize>();
        self.bytes + said <= BYTES_MAX
            && self.records.len() + step.records.len() <= RECORDS_MAX
            && self.effects.len() + step.effects.len() <= EFFECTS_MAX
            && self.timers.len() + step.timers.len() <= TIMERS_MAX
            && self.indexes.len() + step.indexes.len() <= INDEXES_MAX
    }

    fn take(&mut self, step: Step<M>) -> M::Reply {
        for record in step.records {
            self.push(record);
        }
        self.effects.extend(step.effects);
        self.timers.extend(step.timers);
        self.indexes.extend(step.indexes);
        self.closes |= step.closes;
        self.expire_ms = step.expire_ms;
        step.reply
    }

    fn push(&mut self, record: crate::model::Record<M::Event>) {
        let stored = M::encode(&record);
        self.bytes += stored_length(&stored);
        self.top = self.top.then(&stored.digest);
        if M::restore(&record).is_none() {
            Arc::make_mut(&mut self.state).apply(self.top.n, &record);
        }
        self.records.push(stored);
        self.entries.push(Arc::new(Entry::new(self.top, record)));
    }

    fn finish(
        mut self,
        replica: &Replica<M>,
        key: Option<Key>,
        now: Millis,
        options: &ShardOptions,
    ) -> Option<Write<M>> {
        if self.records.is_empty() {
            return None;
        }
        let erases = self.entries.iter().any(|entry| M::erases(&entry.record.event));
        let every = if erases { 1 } else { options.snapshot_every };
        if let Some(snapshot) = replica.due_snapshot(&self.state, self.top.n, every, now) {
            // One that does not fit beside the rest comes with a later append.
            if self.bytes + ENVELOPE + length(&snapshot) <= BYTES_MAX {
                self.push(snapshot);
            }
        }
        let effects = (0u16..)
            .zip(&self.effects)
            .map(|(place, effect)| NewEffect {
                place,
                lane: effect.lane(),
                delay_ms: options.grace_ms(),
                payload: encode_effect(effect),
            })
            .collect();
        let append = Append {
            log: self.log,
            basis: Basis::Decided(self.basis),
            records: self.records,
            key,
            guard: None,
            effects,
            timers: self.timers,
            indexes: self.indexes,
            expire_ms: self.expire_ms,
            closes: self.closes,
        };
        Some(Write {
            append,
            state: self.state,
            entries: self.entries,
            effects: self.effects,
        })
    }
}

/// Bytes of a record's body.
fn length<E>(record: &crate::model::Record<E>) -> usize {
    record.body.bytes().map_or(0, bytes::Bytes::len)
}

/// Bytes of a record as it is stored.
fn stored_length(stored: &NewRecord) -> usize {
    stored.envelope.len() + stored.body.as_ref().map_or(0, bytes::Bytes::len)
}
