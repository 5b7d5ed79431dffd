//! The appends of the last seconds that this core wrote or heard of, whole, against a rollback of Redis.
//!
//! A Redis that is replaced by its replica or restarted on an older file may have lost what it acknowledged. Whatever lies in a
//! ring and continues what is left can go in again exactly as it was. Pure: time is an argument. Bounded in age and bytes.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::log::append::Append;
use crate::model::{LogId, Position};

use super::options::RingLimits;
use super::publication::Written;

/// The recent appends of one core.
#[derive(Debug)]
pub(super) struct Ring {
    limits: RingLimits,
    /// By log, in order of number.
    logs: HashMap<LogId, VecDeque<Kept>>,
    /// In order of arrival.
    order: VecDeque<(Instant, LogId, Position)>,
    bytes: usize,
    /// When the store was last known to be as it was. Nothing grows old while it is away.
    sound: Instant,
}

#[derive(Debug)]
struct Kept {
    written: Written,
    top: Position,
}

impl Ring {
    pub(super) fn new(limits: RingLimits, now: Instant) -> Self {
        Self {
            limits,
            sound: now,
            logs: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Keeps an append; one that is kept already, since it was both written and heard of, is not kept twice.
    pub(super) fn keep(&mut self, written: Written, now: Instant) {
        let (log, top, bytes) = (written.append.log, written.top(), written.bytes());
        let kept = self.logs.entry(log).or_default();
        if kept.iter().rev().any(|kept| kept.top == top) {
            return;
        }
        let at = kept.partition_point(|kept| kept.top.n < top.n);
        kept.insert(at, Kept { written, top });
        self.order.push_back((now, log, top));
        self.bytes += bytes;
        self.forget();
    }

    /// The store is as it was, nothing is lost: what is old has long been on its disk and with its replicas.
    pub(super) fn sound(&mut self, now: Instant) {
        self.sound = now;
        self.forget();
    }

    /// Drops what is too old or too much.
    fn forget(&mut self) {
        while let Some((at, log, top)) = self.order.front().copied()
            && (self.sound.saturating_duration_since(at) > self.limits.age || self.bytes > self.limits.bytes)
        {
            self.order.pop_front();
            let Some(kept) = self.logs.get_mut(&log) else {
                continue;
            };
            if let Some(place) = kept.iter().position(|kept| kept.top == top)
                && let Some(gone) = kept.remove(place)
            {
                self.bytes -= gone.written.bytes();
            }
            if kept.is_empty() {
                self.logs.remove(&log);
            }
        }
    }

    /// The logs with something in the ring.
    pub(super) fn logs(&self) -> Vec<LogId> {
        self.logs.keys().copied().collect()
    }

    /// Everything that is kept of a log, oldest first.
    pub(super) fn kept(&self, log: LogId) -> Vec<Written> {
        let kept = self.logs.get(&log).into_iter().flatten();
        kept.map(|kept| kept.written.clone()).collect()
    }

    /// What a store whose log stands at `top` has lost of it.
    pub(super) fn lost(&self, log: LogId, top: Position) -> Lost {
        let Some(kept) = self.logs.get(&log) else {
            return Lost::Nothing;
        };
        let Some(newest) = kept.back().map(|newest| newest.top) else {
            return Lost::Nothing;
        };
        if newest == top {
            return Lost::Nothing;
        }
        if newest.n < top.n {
            return Lost::Unless(newest);
        }
        let mut at = top;
        let mut appends = Vec::new();
        for kept in kept {
            if kept.written.before == at {
                at = kept.top;
                appends.push(kept.written.append.clone());
            }
        }
        if appends.is_empty() {
            return Lost::Beyond;
        }
        Lost::Known(appends)
    }
}

/// What became of a log in a store.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nothing that the ring knows of.
    Nothing,
    /// Nothing, unless this is not in the log, which has grown beyond it.
    Unless(Position),
    /// These, in this order, each continuing the one before.
    Known(Vec<Append>),
    /// Something, but nothing here continues what is left.
    Beyond,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::log::append::{Basis, NewRecord};
    use crate::model::{Digest, Millis, Spread};

    const LIMITS: RingLimits = RingLimits {
        age: Duration::from_secs(10),
        bytes: 1_000,
    };

    fn log() -> LogId {
        LogId::session(Millis(5), [3; 10], Spread::of(&[b"x"]))
    }

    fn written(before: Position, text: &str) -> Written {
        let envelope = Bytes::copy_from_slice(text.as_bytes());
        let append = Append {
            log: log(),
            basis: Basis::Admitted,
            records: vec![NewRecord {
                digest: Digest::of(&[&envelope]),
                envelope,
                body: None,
                snapshot: false,
            }],
            key: None,
            guard: None,
            effects: Vec::new(),
            timers: Vec::new(),
            indexes: Vec::new(),
            expire_ms: 1,
            closes: false,
        };
        Written::new(append, log(), before, false)
    }

    /// A ring with records `1`..=`count`; returns the positions from before the first.
    fn filled(count: usize, now: Instant) -> (Ring, Vec<Position>) {
        let mut ring = Ring::new(LIMITS, now);
        let mut positions = vec![Position::default()];
        for n in 1..=count {
            let written = written(positions[n - 1], &n.to_string());
            positions.push(written.top());
            ring.keep(written.clone(), now);
            ring.keep(written, now);
        }
        (ring, positions)
    }

    fn texts(lost: Lost) -> Vec<Bytes> {
        match lost {
            Lost::Known(appends) => appends
                .into_iter()
                .map(|append| append.records[0].envelope.clone())
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_continues_the_stores_top_is_what_it_lost() {
        let (ring, positions) = filled(5, Instant::now());
        assert_eq!(texts(ring.lost(log(), positions[3])), ["4", "5"]);
        assert!(matches!(ring.lost(log(), positions[5]), Lost::Nothing));
    }

    #[test]
    fn another_history_is_not_continued() {
        let (ring, positions) = filled(5, Instant::now());
        let other = written(positions[2], "another").top();
        assert!(matches!(ring.lost(log(), other), Lost::Beyond));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let now = Instant::now();
        let (mut ring, positions) = filled(5, now);
        ring.sound(now + Duration::from_secs(11));
        assert!(matches!(ring.lost(log(), positions[3]), Lost::Nothing));
        assert_eq!((ring.bytes, ring.logs().len()), (0, 0));
    }

    #[test]
    fn nothing_grows_old_while_the_store_is_away() {
        let now = Instant::now();
        let (mut ring, positions) = filled(4, now);
        let before = positions[4];
        ring.keep(written(before, "5"), now + Duration::from_secs(60));
        assert_eq!(texts(ring.lost(log(), positions[3])), ["4", "5"]);
    }

    #[test]
    fn a_log_that_has_grown_on_may_be_another_history() {
        let (ring, positions) = filled(2, Instant::now());
        let grown = written(positions[2], "3").top();
        assert!(matches!(ring.lost(log(), grown), Lost::Unless(at) if at == positions[2]));
    }

    #[test]
    fn what_is_too_much_is_forgotten_oldest_first() {
        let mut ring = Ring::new(LIMITS, Instant::now());
        let first = written(Position::default(), &"a".repeat(600));
        let second = written(first.top(), &"b".repeat(600));
        let between = first.top();
        ring.keep(first, Instant::now());
        ring.keep(second, Instant::now());
        assert!(matches!(ring.lost(log(), Position::default()), Lost::Beyond));
        assert_eq!(texts(ring.lost(log(), between)).len(), 1);
    }
}
