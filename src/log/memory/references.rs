//! What providers call things of ours.

use std::collections::HashMap;

use bytes::Bytes;

use crate::log::local::Deadlines;
use crate::log::outbound::Referred;
use crate::model::Millis;

/// Expired references dropped with each new one.
const SWEEP: usize = 8;

/// The references of one partition.
#[derive(Debug, Default)]
pub(super) struct References {
    known: HashMap<Bytes, (Referred, Millis)>,
    until: Deadlines<Bytes>,
}

impl References {
    pub(super) fn set(&mut self, key: Bytes, at: Referred, until: Millis, now: Millis) {
        for (_, over) in self.until.due(now, SWEEP) {
            self.until.clear(&over);
            self.known.remove(&over);
        }
        self.until.set(key.clone(), until);
        self.known.insert(key, (at, until));
    }

    pub(super) fn get(&self, key: &Bytes, now: Millis) -> Option<Referred> {
        let (at, until) = self.known.get(key)?;
        (*until > now).then_some(*at)
    }
}
