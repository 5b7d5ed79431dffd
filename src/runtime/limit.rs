//! Rates and counts: a token bucket, a bounded table of buckets by key, and permits that come back on drop.
//!
//! A [`Bucket`] is pure: `now` is an argument and nothing ticks. A full bucket and an absent one mean the
//! same, which is what lets [`KeyedLimit`] forget idle keys. Permits count what is open right now and are
//! shared between cores; they are taken at accept time, never on the message path.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::config;

/// So many events a second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `per_second` events a second on average, `burst` at once. Both are at least one.
    pub fn per_second(per_second: u32, burst: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            burst: burst.max(1),
        }
    }

    /// `per_minute` events a minute on average, `burst` at once. Both are at least one.
    pub fn per_minute(per_minute: u32, burst: u32) -> Self {
        Self {
            interval: Duration::from_secs(60) / per_minute.max(1),
            burst: burst.max(1),
        }
    }

    /// How many events fit at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }
}

impl From<config::Rate> for Rate {
    fn from(rate: config::Rate) -> Self {
        match rate.per {
            config::Per::Second => Self::per_second(rate.events, rate.burst),
            config::Per::Minute => Self::per_minute(rate.events, rate.burst),
        }
    }
}

/// A token bucket, kept as one instant: when it will be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: Option<Instant>,
}

/// The event does not fit. It will after `retry_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rate limit reached, retry after {retry_after:?}")]
pub struct Limited {
    /// How long until the same request fits, if nothing else takes from the bucket.
    pub retry_after: Duration,
}

impl Bucket {
    /// A full bucket.
    pub const fn new() -> Self {
        Self { full_at: None }
    }

    /// Takes `count` tokens, or none.
    ///
    /// # Errors
    /// [`Limited`] when fewer than `count` are there. A count above the burst never fits.
    pub fn take(&mut self, rate: &Rate, count: u32, now: Instant) -> Result<(), Limited> {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let after = full_at + rate.interval * count;
        let horizon = now + rate.interval * rate.burst;
        if after > horizon {
            return Err(Limited {
                retry_after: after - horizon,
            });
        }
        self.full_at = Some(after);
        Ok(())
    }

    /// Takes `count` tokens even if they are not there. Returns how long it is until the bucket is out of
    /// debt; zero when it is not in debt.
    pub fn charge(&mut self, rate: &Rate, count: u32, now: Instant) -> Duration {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + rate.interval * count;
        self.full_at = Some(full_at);
        full_at.saturating_duration_since(now + rate.interval * rate.burst)
    }

    /// Whether nothing is missing, so that forgetting the bucket changes nothing.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

/// One rate for each of many keys, in bounded memory.
///
/// When more keys are active than the table holds, the keys that do not fit share one bucket: a flood of
/// invented keys slows itself, and those already known keep their own rate.
#[derive(Debug)]
pub struct KeyedLimit<K> {
    rate: Rate,
    max_keys: usize,
    buckets: HashMap<K, Bucket>,
    overflow: Bucket,
    next_sweep: Option<Instant>,
}

impl<K: Hash + Eq + Clone> KeyedLimit<K> {
    /// A table of at most `max_keys` buckets of `rate`.
    pub fn new(rate: Rate, max_keys: usize) -> Self {
        Self {
            rate,
            max_keys,
            buckets: HashMap::new(),
            overflow: Bucket::new(),
            next_sweep: None,
        }
    }

    /// Takes `count` tokens from the bucket of `key`.
    ///
    /// # Errors
    /// [`Limited`] when they are not there.
    pub fn take(&mut self, key: &K, count: u32, now: Instant) -> Result<(), Limited> {
        if let Some(bucket) = self.buckets.get_mut(key) {
            return bucket.take(&self.rate, count, now);
        }
        if self.buckets.len() >= self.max_keys {
            self.sweep(now);
        }
        if self.buckets.len() >= self.max_keys {
            return self.overflow.take(&self.rate, count, now);
        }
        let mut bucket = Bucket::new();
        bucket.take(&self.rate, count, now)?;
        self.buckets.insert(key.clone(), bucket);
        Ok(())
    }

    /// How many keys have a bucket of their own.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Forgets the keys whose bucket is full again, at most once per refill time of a bucket, so that a
    /// full table of active keys is not walked at every request.
    fn sweep(&mut self, now: Instant) {
        if self.next_sweep.is_some_and(|at| now < at) {
            return;
        }
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        self.next_sweep = Some(now + self.rate.interval * self.rate.burst / 2);
    }
}

/// How many of something may be open at once: in total, and for each key.
#[derive(Debug)]
pub struct Permits<K> {
    shared: Arc<Shared<K>>,
}

#[derive(Debug)]
struct Shared<K> {
    max_total: usize,
    max_per_key: usize,
    open: Mutex<Open<K>>,
    freed: Notify,
}

#[derive(Debug)]
struct Open<K> {
    total: usize,
    by_key: HashMap<K, usize>,
}

/// Why a permit was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPermit {
    /// Everything together has reached its bound.
    #[error("too many open in total")]
    Total,
    /// This key has reached its bound.
    #[error("too many open for this key")]
    Key,
}

impl<K> Clone for Permits<K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K: Hash + Eq + Clone> Permits<K> {
    /// At most `max_total` open, and at most `max_per_key` for one key.
    pub fn new(max_total: usize, max_per_key: usize) -> Self {
        let open = Mutex::new(Open {
            total: 0,
            by_key: HashMap::new(),
        });
        Self {
            shared: Arc::new(Shared {
                max_total,
                max_per_key,
                open,
                freed: Notify::new(),
            }),
        }
    }

    /// Takes a permit for `key`, given back when the permit is dropped.
    ///
    /// # Errors
    /// [`NoPermit`] names the bound that was reached.
    pub fn take(&self, key: K) -> Result<Permit<K>, NoPermit> {
        let mut open = self.shared.lock();
        if open.total >= self.shared.max_total {
            return Err(NoPermit::Total);
        }
        let count = open.by_key.get(&key).copied().unwrap_or(0);
        if count >= self.shared.max_per_key {
            return Err(NoPermit::Key);
        }
        open.by_key.insert(key.clone(), count + 1);
        open.total += 1;
        drop(open);
        Ok(Permit {
            shared: Some(Arc::clone(&self.shared)),
            key,
        })
    }

    /// Gives back one that was [kept](Permit::keep).
    pub fn give_back(&self, key: &K) {
        self.shared.give_back(key);
    }

    /// Resolves when a permit may be free in total. Another taker can be quicker, so check again.
    pub async fn freed(&self) {
        loop {
            let freed = self.shared.freed.notified();
            if self.open() < self.shared.max_total {
                return;
            }
            freed.await;
        }
    }

    /// How many permits are out.
    pub fn open(&self) -> usize {
        self.shared.lock().total
    }
}

impl<K> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, Open<K>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Shared<K> {
    fn give_back(&self, key: &K) {
        let mut open = self.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(count) = open.by_key.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                open.by_key.remove(key);
            }
        }
        drop(open);
        self.freed.notify_waiters();
    }
}

/// The right to have one open. Dropping it gives it back.
#[derive(Debug)]
pub struct Permit<K: Hash + Eq> {
    /// `None`: kept.
    shared: Option<Arc<Shared<K>>>,
    key: K,
}

impl<K: Hash + Eq> Permit<K> {
    /// Leaves giving it back to whoever has the [`Permits`] and the key anyway.
    pub fn keep(mut self) {
        self.shared = None;
    }
}

impl<K: Hash + Eq> Drop for Permit<K> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.give_back(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate::per_second(10, 3);
        let start = Instant::now();
        let mut bucket = Bucket::new();
        for _ in 0..3 {
            bucket.take(&rate, 1, start).unwrap();
        }
        let limited = bucket.take(&rate, 1, start).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_millis(100));
        bucket.take(&rate, 1, start + limited.retry_after).unwrap();
    }

    #[test]
    fn a_refused_take_costs_nothing() {
        let rate = Rate::per_second(10, 3);
        let now = Instant::now();
        let mut bucket = Bucket::new();
        bucket.take(&rate, 4, now).unwrap_err();
        bucket.take(&rate, 3, now).unwrap();
    }

    #[test]
    fn a_charge_beyond_the_burst_is_paid_back_by_waiting() {
        let rate = Rate::per_second(10, 3);
        let now = Instant::now();
        let mut bucket = Bucket::new();
        assert_eq!(bucket.charge(&rate, 3, now), Duration::ZERO);
        let debt = bucket.charge(&rate, 5, now);
        assert_eq!(debt, Duration::from_millis(500));
        assert_eq!(bucket.charge(&rate, 1, now + debt), Duration::from_millis(100));
    }

    #[test]
    fn keys_beyond_the_table_share_one_bucket_and_known_keys_keep_theirs() {
        let mut limit = KeyedLimit::new(Rate::per_second(1, 2), 2);
        let now = Instant::now();
        limit.take(&"a", 1, now).unwrap();
        limit.take(&"b", 1, now).unwrap();
        limit.take(&"c", 1, now).unwrap();
        limit.take(&"d", 1, now).unwrap();
        limit.take(&"e", 1, now).unwrap_err();
        limit.take(&"a", 1, now).unwrap();
        assert_eq!(limit.len(), 2);
    }

    #[test]
    fn idle_keys_make_room() {
        let mut limit = KeyedLimit::new(Rate::per_second(1, 1), 1);
        let now = Instant::now();
        limit.take(&"a", 1, now).unwrap();
        let later = now + Duration::from_secs(2);
        limit.take(&"b", 1, later).unwrap();
        limit.take(&"b", 1, later).unwrap_err();
        assert_eq!(limit.len(), 1);
    }

    #[test]
    fn a_permit_comes_back_on_drop() {
        let permits = Permits::new(3, 2);
        let first = permits.take("ip").unwrap();
        let _second = permits.take("ip").unwrap();
        assert_eq!(permits.take("ip").unwrap_err(), NoPermit::Key);
        let _third = permits.take("other").unwrap();
        assert_eq!(permits.take("third").unwrap_err(), NoPermit::Total);
        drop(first);
        permits.take("ip").unwrap();
    }

    #[test]
    fn a_permit_that_was_kept_is_given_back_once() {
        let permits = Permits::new(1, 1);
        permits.take("ip").unwrap().keep();
        assert_eq!(permits.take("ip").unwrap_err(), NoPermit::Total);
        permits.give_back(&"ip");
        permits.take("ip").unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_for_a_permit_hears_of_it() {
        let permits = Permits::new(1, 1);
        let held = permits.take(1).unwrap();
        let waiting = permits.freed();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(held);
        waiting.await;
    }

    proptest! {
        #[test]
        fn no_window_ever_sees_more_than_burst_plus_rate(steps in proptest::collection::vec((0_u64..300, 1_u32..3), 1..100)) {
            let rate = Rate::per_second(10, 5);
            let start = Instant::now();
            let mut bucket = Bucket::new();
            let (mut elapsed, mut taken) = (0_u64, 0_u64);
            for (ms, count) in steps {
                elapsed += ms;
                if bucket.take(&rate, count, start + Duration::from_millis(elapsed)).is_ok() {
                    taken += u64::from(count);
                }
                prop_assert!(taken <= 5 + elapsed / 100);
            }
        }
    }
}
