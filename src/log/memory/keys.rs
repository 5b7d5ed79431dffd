//! Idempotency keys, remembered for [`KEY_HORIZON_MS`].

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::log::append::{Answer, Key};
use crate::log::bounds::KEY_HORIZON_MS;
use crate::model::{LogId, Millis};

/// Keys of one partition.
#[derive(Debug, Default)]
pub(super) struct Keys {
    known: HashMap<Bytes, Known>,
    order: VecDeque<(Millis, Bytes)>,
}

#[derive(Debug)]
struct Known {
    at: Millis,
    body_hash: [u8; 16],
    log: LogId,
    first: u64,
    answer: Bytes,
}

impl Keys {
    /// What a repeat is told; `None` for a key that is new or older than the horizon.
    pub(super) fn recall(&self, key: &Key, now: Millis) -> Option<Answer> {
        let known = self.known.get(&key.key)?;
        if now.since(known.at) >= KEY_HORIZON_MS {
            return None;
        }
        if known.body_hash != key.body_hash {
            return Some(Answer::KeyReused);
        }
        Some(Answer::Repeat {
            log: known.log,
            first: known.first,
            answer: known.answer.clone(),
        })
    }

    pub(super) fn remember(&mut self, key: Key, log: LogId, first: u64, now: Millis) {
        self.forget(now);
        self.order.push_back((now, key.key.clone()));
        let known = Known {
            at: now,
            body_hash: key.body_hash,
            log,
            first,
            answer: key.answer,
        };
        self.known.insert(key.key, known);
    }

    fn forget(&mut self, now: Millis) {
        while let Some((at, _)) = self.order.front()
            && now.since(*at) >= KEY_HORIZON_MS
        {
            if let Some((at, key)) = self.order.pop_front()
                && self.known.get(&key).is_some_and(|known| known.at == at)
            {
                self.known.remove(&key);
            }
        }
    }
}
