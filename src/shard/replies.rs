//! What customers answer to campaigns: which message of which campaign somebody got last, and what they said to it.
//!
//! That campaigns of a tenant write at all is written down before the first message leaves, and that message waits until every core has
//! forgotten that they did not: whoever answers at once is heard. It is a moment, and only where none has written for a week.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::log::{LogError, PeerKey, Referred};
use crate::model::{DeliveryStatus, Digest, LogId, Spread, TenantId};

use super::campaigns::{BATCH_MS, Campaigns};

/// A core believes for so long that campaigns of a tenant do not write,
const NO: Duration = Duration::from_millis(100);
/// and for so long that they do, which costs a look-up at most.
const YES: Duration = Duration::from_secs(60);
/// What the first message waits for beyond [`NO`]: clocks do not run alike to the millisecond.
const SLACK: Duration = Duration::from_millis(50);
/// After so long every core knows what was written down, whatever its clock says, in milliseconds.
const SETTLED_MS: u64 = 60_000;
/// That they write is written down so often, in milliseconds.
const MARK_MS: u64 = 3_600_000;
/// Tenants remembered.
const TENANTS: usize = 4_096;
/// Bytes of a peer's name that stand in a key as they are.
const PEER: usize = 250;

impl Campaigns {
    /// Writes down that campaigns of a tenant write, as that of `log` does; how long its first message must wait until that is known
    /// everywhere.
    ///
    /// # Errors
    /// The store's.
    pub async fn begins(&self, tenant: TenantId, log: LogId) -> Result<Duration, LogError> {
        let now = self.clock.wall_ms();
        let marked = self.marked.borrow().get(&tenant).copied();
        // A mark that has run out is none.
        let marked = marked.filter(|marked| now.saturating_sub(marked.written) < BATCH_MS);
        let mark = match marked {
            Some(mark) if now.saturating_sub(mark.written) < MARK_MS => mark,
            _ => {
                let is_known = marked.is_some() || self.is_known(tenant, now).await?;
                let at = Referred { log, n: now };
                self.log.refer(lately_key(tenant), at, BATCH_MS + MARK_MS).await?;
                let since = match marked {
                    Some(mark) => mark.since,
                    None => (!is_known).then(|| self.clock.now()),
                };
                let mark = Mark { since, written: now };
                remember(&mut self.marked.borrow_mut(), tenant, mark);
                mark
            }
        };
        let waited = mark
            .since
            .map(|since| self.clock.now().saturating_duration_since(since));
        Ok(waited.map_or(Duration::ZERO, |waited| (NO + SLACK).saturating_sub(waited)))
    }

    /// Whether every core knows by now that campaigns of a tenant write.
    async fn is_known(&self, tenant: TenantId, now: u64) -> Result<bool, LogError> {
        let written = self.log.referred(lately_key(tenant)).await?;
        let age = written.map(|at| now.saturating_sub(at.n));
        Ok(age.is_some_and(|age| (SETTLED_MS..BATCH_MS).contains(&age)))
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
        let now = self.clock.now();
        let known = self.lately.borrow().get(&tenant).copied();
        if let Some((at, wrote)) = known
            && now.saturating_duration_since(at) < if wrote { YES } else { NO }
        {
            return Ok(wrote);
        }
        let wrote = self.log.referred(lately_key(tenant)).await?.is_some();
        // As of before it was asked: whoever waited long for the answer knows it for a shorter time.
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
    /// When it did so first; nothing where every core knew it before.
    since: Option<Instant>,
    /// When it did so last, in milliseconds of its clock.
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use uuid::Uuid;

    use super::*;
    use crate::log::memory::MemoryStore;
    use crate::runtime::TestClock;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    struct Cores {
        clock: TestClock,
        store: MemoryStore,
    }

    impl Cores {
        fn new() -> Self {
            let clock = TestClock::at(1_700_000_000_000);
            let store = MemoryStore::new(16, clock.clock()).unwrap();
            Self { clock, store }
        }

        /// A core that knows nothing yet.
        fn core(&self) -> Rc<Campaigns> {
            Campaigns::new(self.store.core(), self.clock.clock())
        }

        fn pass(&self, time: Duration) {
            self.clock.advance(time);
        }
    }

    async fn wait(core: &Campaigns) -> Duration {
        core.begins(TENANT, Campaigns::log_of(TENANT, "spring", "b-1"))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_first_message_waits_until_nobody_believes_that_there_is_none() {
        let cores = Cores::new();
        let (sender, hearer) = (cores.core(), cores.core());
        assert!(!hearer.wrote_lately(TENANT).await.unwrap());
        let left = wait(&sender).await;
        assert!(!hearer.wrote_lately(TENANT).await.unwrap(), "it has just asked");
        cores.pass(left);
        assert_eq!(wait(&sender).await, Duration::ZERO);
        assert!(hearer.wrote_lately(TENANT).await.unwrap());
    }

    #[tokio::test]
    async fn what_every_core_knows_is_not_waited_for_again() {
        let cores = Cores::new();
        cores.pass(wait(&cores.core()).await);
        assert!(
            !wait(&cores.core()).await.is_zero(),
            "another core cannot tell yet"
        );
        cores.pass(Duration::from_millis(SETTLED_MS));
        let begun = cores.core();
        assert_eq!(wait(&begun).await, Duration::ZERO);
        // It says so again in time, without a wait.
        cores.pass(Duration::from_millis(MARK_MS));
        assert_eq!(wait(&begun).await, Duration::ZERO);
        cores.pass(Duration::from_millis(BATCH_MS - 1));
        assert!(begun.wrote_lately(TENANT).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_forgotten_is_waited_for() {
        let cores = Cores::new();
        let core = cores.core();
        cores.pass(wait(&core).await);
        cores.pass(Duration::from_millis(BATCH_MS + MARK_MS + 1));
        assert!(!core.wrote_lately(TENANT).await.unwrap());
        assert!(!wait(&core).await.is_zero());
    }
}
