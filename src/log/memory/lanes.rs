//! Effects that wait to be carried out, in order per log and lane.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::log::append::NewEffect;
use crate::log::effects::{EffectId, Leased};
use crate::log::local::Deadlines;
use crate::model::{LogId, Millis};

/// The lanes of one partition. A lane's deadline is when its first effect may be leased.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pending: HashMap<Lane, VecDeque<Pending>>,
    due: Deadlines<Lane>,
}

type Lane = (LogId, String);

#[derive(Debug)]
pub(super) struct Pending {
    n: u64,
    place: u16,
    not_before: Millis,
    pub(super) attempts: u32,
    pub(super) payload: Bytes,
}

impl Lanes {
    /// Effects of an append whose first record has number `n`.
    pub(super) fn push(&mut self, log: LogId, n: u64, effects: &[NewEffect], now: Millis) {
        for effect in effects {
            let lane = (log, effect.lane.clone());
            let not_before = now.plus(effect.delay_ms);
            let pending = self.pending.entry(lane.clone()).or_default();
            if pending.is_empty() {
                self.due.set(lane, not_before);
            }
            pending.push_back(Pending {
                n,
                place: effect.place,
                not_before,
                attempts: 0,
                payload: effect.payload.clone(),
            });
        }
    }

    pub(super) fn lease(&mut self, limit: usize, lease_ms: u64, now: Millis) -> Vec<Leased> {
        let mut leased = Vec::new();
        for (_, lane) in self.due.due(now, limit) {
            let Some(first) = self.pending.get_mut(&lane).and_then(VecDeque::front_mut) else {
                continue;
            };
            first.attempts = first.attempts.saturating_add(1);
            leased.push(Leased {
                id: EffectId {
                    log: lane.0,
                    n: first.n,
                    place: first.place,
                },
                lane: lane.1.clone(),
                attempt: first.attempts,
                payload: first.payload.clone(),
            });
            self.due.set(lane, now.plus(lease_ms));
        }
        leased
    }

    /// Takes an effect out of its lane, whose next is due at once. The appending node may be done with one that is not the
    /// first yet.
    pub(super) fn take(&mut self, id: EffectId, lane: String, now: Millis) -> Option<Pending> {
        let lane = (id.log, lane);
        let pending = self.pending.get_mut(&lane)?;
        let at = pending.iter().position(|effect| effect.is(id))?;
        let taken = pending.remove(at);
        match pending.front() {
            None => {
                self.pending.remove(&lane);
                self.due.clear(&lane);
            }
            Some(next) if at == 0 => {
                self.due.set(lane, next.not_before.max(now));
            }
            Some(_) => {}
        }
        taken
    }

    /// How many lanes have something in them.
    pub(super) fn count(&self) -> u64 {
        self.pending.len() as u64
    }

    pub(super) fn claim(&mut self, id: EffectId, lane: String, until: Millis) -> bool {
        let lane = (id.log, lane);
        let first = self.pending.get_mut(&lane).and_then(VecDeque::front_mut);
        let Some(first) = first.filter(|first| first.is(id) && first.attempts == 0) else {
            return false;
        };
        first.attempts = 1;
        self.due.set(lane, until);
        true
    }

    /// Whether there was anything to do.
    pub(super) fn retry(&mut self, id: EffectId, lane: String, at: Millis) -> bool {
        let lane = (id.log, lane);
        let first = self.pending.get(&lane).and_then(VecDeque::front);
        let is_first = first.is_some_and(|effect| effect.is(id));
        if is_first {
            self.due.set(lane, at);
        }
        is_first
    }
}

impl Pending {
    const fn is(&self, id: EffectId) -> bool {
        self.n == id.n && self.place == id.place
    }
}
