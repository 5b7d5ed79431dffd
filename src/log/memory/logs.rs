//! The logs themselves: numbered, chained records.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::log::append::{NewRecord, StoredBody, StoredRecord};
use crate::log::bounds::MAX_BATCH;
use crate::log::store::{Page, Tail};
use crate::model::{LogId, Millis, Position};

/// Expired logs dropped in one step, so that no append pays for many.
const SWEEP: usize = 8;

/// Every log that has not expired.
#[derive(Debug, Default)]
pub(super) struct Logs {
    by_id: HashMap<LogId, Entry>,
    expiry: BTreeSet<(Millis, LogId)>,
}

/// One log.
#[derive(Debug, Default)]
pub(super) struct Entry {
    base: Position,
    records: VecDeque<StoredRecord>,
    snapshot: Option<u64>,
    closed: bool,
    expires: Millis,
}

impl Logs {
    /// `None` once it has expired, swept or not.
    pub(super) fn get(&self, id: LogId, now: Millis) -> Option<&Entry> {
        self.by_id.get(&id).filter(|entry| entry.expires > now)
    }

    pub(super) fn get_mut(&mut self, id: LogId, now: Millis) -> Option<&mut Entry> {
        self.by_id.get_mut(&id).filter(|entry| entry.expires > now)
    }

    pub(super) fn top(&self, id: LogId, now: Millis) -> Position {
        self.get(id, now).map(Entry::top).unwrap_or_default()
    }

    /// Appends to the log, or to a new one if there is none or only an expired one; returns what was stored.
    pub(super) fn append<'a>(
        &mut self,
        id: LogId,
        records: impl IntoIterator<Item = &'a NewRecord>,
        expires: Millis,
        closes: bool,
        now: Millis,
    ) -> Vec<StoredRecord> {
        let entry = self.by_id.entry(id).or_default();
        self.expiry.remove(&(entry.expires, id));
        if entry.expires <= now {
            *entry = Entry::default();
        }
        entry.expires = expires;
        entry.closed |= closes;
        self.expiry.insert((expires, id));
        let stored = records.into_iter().map(|record| entry.push(record)).collect();
        self.sweep(now);
        stored
    }

    /// Keeps a log that would be gone before `least` until then.
    pub(super) fn keep(&mut self, id: LogId, least: Millis, until: Millis, now: Millis) {
        let Some(entry) = self.by_id.get_mut(&id).filter(|entry| entry.expires > now) else {
            return;
        };
        if entry.expires < least {
            self.expiry.remove(&(entry.expires, id));
            entry.expires = until;
            self.expiry.insert((until, id));
        }
    }

    fn sweep(&mut self, now: Millis) {
        for _ in 0..SWEEP {
            match self.expiry.first().copied() {
                Some((expires, id)) if expires <= now => {
                    self.expiry.remove(&(expires, id));
                    self.by_id.remove(&id);
                }
                _ => return,
            }
        }
    }
}

impl Entry {
    pub(super) fn top(&self) -> Position {
        self.records.back().map_or(self.base, StoredRecord::position)
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    fn push(&mut self, new: &NewRecord) -> StoredRecord {
        let position = self.top().then(&new.digest);
        if new.snapshot {
            self.snapshot = Some(position.n);
        }
        let record = StoredRecord {
            n: position.n,
            hash: position.hash,
            digest: new.digest,
            envelope: new.envelope.clone(),
            body: new.body.clone().map_or(StoredBody::None, StoredBody::Present),
        };
        self.records.push_back(record.clone());
        record
    }

    pub(super) fn tail(&self) -> Tail {
        let from = self.snapshot.unwrap_or(0);
        let records: Vec<_> = self
            .records
            .iter()
            .skip_while(|record| record.n < from)
            .cloned()
            .collect();
        let base = self
            .records
            .iter()
            .take_while(|record| record.n < from)
            .last()
            .map_or(self.base, StoredRecord::position);
        Tail { base, records }
    }

    pub(super) fn forward(&self, from: u64, limit: usize) -> Page {
        let records = self.records.iter().skip_while(|record| record.n < from);
        self.page(records.take(limit.min(MAX_BATCH)).cloned().collect())
    }

    pub(super) fn backward(&self, to: u64, limit: usize) -> Page {
        let records = self.records.iter().rev().skip_while(|record| record.n > to);
        let mut records: Vec<_> = records.take(limit.min(MAX_BATCH)).cloned().collect();
        records.reverse();
        self.page(records)
    }

    fn page(&self, records: Vec<StoredRecord>) -> Page {
        Page {
            records,
            oldest: self.base.n + 1,
            top: self.top(),
        }
    }

    pub(super) fn erase(&mut self, n: u64) {
        let record = self.records.iter_mut().find(|record| record.n == n);
        if let Some(record) = record
            && matches!(record.body, StoredBody::Present(_))
        {
            record.body = StoredBody::Erased;
        }
    }

    /// Never the last snapshot or what follows it; a log without one is needed from its beginning.
    pub(super) fn trim(&mut self, below: u64) {
        let below = below.min(self.snapshot.unwrap_or(0));
        while let Some(first) = self.records.front()
            && first.n < below
        {
            self.base = first.position();
            self.records.pop_front();
        }
    }
}
