//! Batches of campaigns and the statuses told of them, in feeds.
//!
//! A batch is a feed of its own, whose id follows from tenant, campaign and batch: every node finds it without asking, so a repeat
//! meets the first. Its messages are decided appends with one effect each; a status is admitted, and carries the effect that tells
//! it in the tenant's feed. There the number of a record is the `seq` a consumer acknowledges.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use crate::log::{
    Answer, Append, Basis, EffectId, Key, LogError, NewEffect, NewRecord, Referred, SharedLog, StoredBody,
    StoredRecord,
};
use crate::model::{
    BatchHead, Body, DeliveryStatus, Effect, FeedEvent, LogId, Millis, Notice, Position, Record,
    RecordStatus, Target, TenantId,
};
use crate::protocol::campaign::Batch;
use crate::protocol::entry;
use crate::runtime::Clock;

use super::replies::Mark;

/// A batch is kept so long after its last record, in milliseconds: as long as a provider's reference leads to it.
pub(super) const BATCH_MS: u64 = 7 * 24 * 3_600_000;
/// Statuses are kept for this long, in milliseconds.
const STATUS_MS: u64 = 72 * 3_600_000;
/// Records read at once.
const PAGE: usize = 500;
/// Batches whose state is kept in memory.
const KNOWN: usize = 64;
/// How often a read or an append is begun again when somebody else was faster.
const TURNS: usize = 8;
/// After so many statuses those past their time are forgotten.
const TRIM_EVERY: u64 = 256;

/// A batch and where its log stands.
#[derive(Debug, Clone, Default)]
pub struct KnownBatch {
    /// The last record of it that was read.
    pub top: Position,
    /// What it says so far.
    pub batch: Rc<Batch>,
}

/// A status of the tenant's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Millis,
    /// What it says.
    pub status: RecordStatus,
}

/// A stretch of the tenant's feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// In order of number.
    pub told: Vec<Told>,
    /// Everything up to this number has been read.
    pub up_to: u64,
}

/// The campaigns of one core.
pub struct Campaigns {
    pub(super) log: SharedLog,
    pub(super) clock: Clock,
    known: RefCell<HashMap<LogId, KnownBatch>>,
    /// Tenants of which it is written down that a campaign writes.
    pub(super) marked: RefCell<HashMap<TenantId, Mark>>,
    /// Whether a tenant's campaigns write, and when that was asked.
    pub(super) lately: RefCell<HashMap<TenantId, (Instant, bool)>>,
}

impl Campaigns {
    /// Campaigns over a core's log.
    #[must_use]
    pub fn new(log: SharedLog, clock: Clock) -> Rc<Self> {
        Rc::new(Self {
            log,
            clock,
            known: RefCell::default(),
            marked: RefCell::default(),
            lately: RefCell::default(),
        })
    }

    /// Where a batch is.
    #[must_use]
    pub fn log_of(tenant: TenantId, campaign: &str, batch: &str) -> LogId {
        // No name has a slash, so this is unambiguous, and never the name of the tenant's own feed.
        LogId::feed(tenant, &format!("campaign/{campaign}/{batch}"))
    }

    fn feed(tenant: TenantId) -> LogId {
        LogId::feed(tenant, "campaign")
    }

    /// The newest state of a batch; without a head where there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn batch(&self, log: LogId) -> Result<KnownBatch, LogError> {
        let mut known = self.known.borrow().get(&log).cloned().unwrap_or_default();
        for _ in 0..TURNS {
            match self.catch_up(log, &mut known).await? {
                Caught::All => {
                    let mut all = self.known.borrow_mut();
                    if all.len() >= KNOWN && !all.contains_key(&log) {
                        // What is forgotten is read again.
                        all.clear();
                    }
                    all.insert(log, known.clone());
                    return Ok(known);
                }
                Caught::Some => {}
                // The store went back behind what we knew: begin again.
                Caught::Another => known = KnownBatch::default(),
                Caught::Nothing => {
                    self.known.borrow_mut().remove(&log);
                    return Ok(KnownBatch::default());
                }
            }
        }
        Err(LogError::unavailable(
            "the batch changes faster than it can be read".to_owned(),
        ))
    }

    async fn catch_up(&self, log: LogId, known: &mut KnownBatch) -> Result<Caught, LogError> {
        let Some(page) = self.log.read_forward(log, known.top.n + 1, PAGE).await? else {
            return Ok(Caught::Nothing);
        };
        if page.top.n < known.top.n {
            return Ok(Caught::Another);
        }
        for stored in &page.records {
            if let Err(broken) = stored.verify(known.top) {
                return match known.top.n {
                    0 => Err(broken),
                    _ => Ok(Caught::Another),
                };
            }
            let event = decode(stored)?.event;
            Rc::make_mut(&mut known.batch).apply(stored.n, event);
            known.top = stored.position();
        }
        Ok(match known.top {
            top if top == page.top => Caught::All,
            top if top.n < page.top.n => Caught::Some,
            _ => Caught::Another,
        })
    }

    /// Writes the next messages of a batch after what `known` says of it, the head before the first: at most 30, and at most
    /// 200 KiB. `false`: somebody else wrote meanwhile; read on and decide again.
    ///
    /// # Errors
    /// The store's.
    pub async fn extend(
        &self,
        log: LogId,
        known: &KnownBatch,
        head: &BatchHead,
        messages: Vec<(FeedEvent, Body)>,
    ) -> Result<bool, LogError> {
        let mut events = Vec::with_capacity(messages.len() + 1);
        if known.batch.head().is_none() {
            events.push((FeedEvent::Batch(head.clone()), Body::None));
        }
        events.extend(messages);
        let mut effects = Vec::new();
        for ((n, place), (event, _)) in (known.top.n + 1..).zip(0u16..).zip(&events) {
            if matches!(event, FeedEvent::Message { .. }) {
                let target = Target::Campaign(head.channel.clone());
                effects.push(effect(place, head.tenant, target, Notice::Said { n }));
            }
        }
        let records = events
            .into_iter()
            .map(|(event, body)| self.record(event, body, false))
            .collect();
        let append = append(log, Basis::Decided(known.top), records, effects, BATCH_MS);
        match self.log.append(append).await {
            Ok(answer) => Ok(matches!(answer, Answer::Appended { .. })),
            // Read back: what was written says so itself.
            Err(LogError::Unknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One record of a batch, as it was written; `None` where it is not.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self, log: LogId, n: u64) -> Result<Option<Record<FeedEvent>>, LogError> {
        let page = self.log.read_forward(log, n, 1).await?;
        let stored = page.and_then(|page| page.records.into_iter().find(|stored| stored.n == n));
        stored.map(|stored| decode(&stored)).transpose()
    }

    /// Writes down how far a message got, unless that is known or would move it backwards.
    ///
    /// # Errors
    /// The store's.
    pub async fn note(
        &self,
        log: LogId,
        of: u64,
        status: DeliveryStatus,
        code: Option<String>,
        detail: Option<String>,
    ) -> Result<(), LogError> {
        for _ in 0..TURNS {
            let known = self.batch(log).await?;
            let (Some(head), Some(row)) = (known.batch.head(), known.batch.row(of)) else {
                return Ok(());
            };
            if !status.follows(row.status) {
                return Ok(());
            }
            let event = FeedEvent::Status {
                of,
                status,
                code: code.clone(),
                detail: detail.clone(),
            };
            let told = effect(0, head.tenant, Target::Statuses, Notice::Status { of });
            let records = vec![self.record(event, Body::None, false)];
            let append = append(log, Basis::Admitted, records, vec![told], BATCH_MS);
            match self.log.append(append).await {
                Ok(_) => return Ok(()),
                Err(LogError::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(LogError::unavailable(
            "the status could not be written".to_owned(),
        ))
    }

    /// Tells a status in the tenant's feed: once, however often it is asked for.
    ///
    /// # Errors
    /// The store's.
    pub async fn tell(&self, id: EffectId, tenant: TenantId) -> Result<(), LogError> {
        let known = self.batch(id.log).await?;
        let Some(FeedEvent::Status {
            of,
            status,
            code,
            detail,
        }) = self.read(id.log, id.n).await?.map(|record| record.event)
        else {
            return Ok(());
        };
        let (Some(head), Some(row)) = (known.batch.head(), known.batch.row(of)) else {
            return Ok(());
        };
        let told = FeedEvent::Told(RecordStatus {
            campaign: head.campaign.clone(),
            batch: head.batch.clone(),
            record: row.record.clone(),
            media: head.media,
            test: head.test,
            status,
            code,
            detail,
        });
        let feed = Self::feed(tenant);
        for _ in 0..TURNS {
            let records = vec![self.record(told.clone(), Body::None, false)];
            let mut entry = append(feed, Basis::Admitted, records, Vec::new(), STATUS_MS);
            entry.key = Some(Key {
                key: format!("told {id}").into(),
                body_hash: [0; 16],
                answer: Bytes::new(),
            });
            match self.log.append(entry).await? {
                Answer::Appended { first, .. } => {
                    if first.is_multiple_of(TRIM_EVERY) {
                        self.trim(feed).await?;
                    }
                    return Ok(());
                }
                Answer::Closed => {
                    let opened = vec![self.record(FeedEvent::Opened { tenant }, Body::None, false)];
                    let basis = Basis::Decided(Position::default());
                    // Whoever opens it, it is open then.
                    self.log
                        .append(append(feed, basis, opened, Vec::new(), STATUS_MS))
                        .await?;
                }
                Answer::Repeat { .. } | Answer::KeyReused | Answer::Refused { .. } | Answer::OptedOut => {
                    return Ok(());
                }
            }
        }
        Err(LogError::unavailable("the feed does not open".to_owned()))
    }

    /// Forgets statuses past their time.
    async fn trim(&self, feed: LogId) -> Result<(), LogError> {
        let before = Millis(self.clock.wall_ms().saturating_sub(STATUS_MS));
        let Some(page) = self.log.read_forward(feed, 1, PAGE).await? else {
            return Ok(());
        };
        let mut old = None;
        for stored in &page.records {
            if decode(stored)?.at >= before {
                break;
            }
            old = Some(stored.n);
        }
        let Some(old) = old else { return Ok(()) };
        // A store forgets nothing after the last place where a rebuild may begin.
        let kept = vec![self.record(FeedEvent::Kept, Body::None, true)];
        self.log
            .append(append(feed, Basis::Admitted, kept, Vec::new(), STATUS_MS))
            .await?;
        self.log.trim(feed, old + 1).await
    }

    /// Up to `limit` statuses of a tenant after number `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn statuses(&self, tenant: TenantId, after: u64, limit: usize) -> Result<Statuses, LogError> {
        let page = self
            .log
            .read_forward(Self::feed(tenant), after + 1, limit)
            .await?;
        let mut statuses = Statuses {
            told: Vec::new(),
            up_to: after,
        };
        let Some(page) = page else { return Ok(statuses) };
        if page.top.n < after {
            // The feed is another than the one that was acknowledged: from its beginning.
            statuses.up_to = 0;
            return Ok(statuses);
        }
        for stored in &page.records {
            statuses.up_to = stored.n;
            let record = decode(stored)?;
            if let FeedEvent::Told(status) = record.event {
                statuses.told.push(Told {
                    seq: stored.n,
                    at: record.at,
                    status,
                });
            }
        }
        Ok(statuses)
    }

    /// Up to which number the tenant's consumer has seen everything; 0 where it has seen nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn acknowledged(&self, tenant: TenantId) -> Result<u64, LogError> {
        let at = self.log.referred(ack_key(tenant)).await?;
        Ok(at.map_or(0, |at| at.n))
    }

    /// The tenant's consumer has seen everything up to a number.
    ///
    /// # Errors
    /// The store's.
    pub async fn acknowledge(&self, tenant: TenantId, seq: u64) -> Result<(), LogError> {
        let at = Referred {
            log: Self::feed(tenant),
            n: seq,
        };
        // Longer than any status is kept.
        self.log.refer(ack_key(tenant), at, 2 * STATUS_MS).await
    }

    fn record(&self, event: FeedEvent, body: Body, snapshot: bool) -> NewRecord {
        let stored = entry::encode(&Record {
            at: Millis(self.clock.wall_ms()),
            cause: None,
            event,
            body,
        });
        NewRecord {
            digest: stored.digest,
            envelope: stored.envelope,
            body: stored.body,
            snapshot,
        }
    }
}

/// How far reading on came.
enum Caught {
    /// To the top.
    All,
    /// There is more.
    Some,
    /// It is another log than the one known.
    Another,
    /// There is no such log.
    Nothing,
}

fn effect(place: u16, tenant: TenantId, target: Target, notice: Notice) -> NewEffect {
    let effect = Effect::Deliver {
        tenant,
        target,
        notice,
    };
    NewEffect {
        place,
        lane: effect.lane(),
        delay_ms: 0,
        payload: entry::encode_effect(&effect),
    }
}

fn append(
    log: LogId,
    basis: Basis,
    records: Vec<NewRecord>,
    effects: Vec<NewEffect>,
    expire_ms: u64,
) -> Append {
    Append {
        log,
        basis,
        records,
        key: None,
        guard: None,
        effects,
        timers: Vec::new(),
        indexes: Vec::new(),
        expire_ms,
        closes: false,
    }
}

fn ack_key(tenant: TenantId) -> Bytes {
    [b"a-campaign-", &tenant.0.as_bytes()[..]].concat().into()
}

fn decode(stored: &StoredRecord) -> Result<Record<FeedEvent>, LogError> {
    let body = match &stored.body {
        StoredBody::None => Body::None,
        StoredBody::Present(bytes) => Body::Present(bytes.clone()),
        StoredBody::Erased => Body::Erased,
    };
    entry::decode(&stored.envelope, body).map_err(|error| LogError::Corrupt {
        reason: error.to_string(),
    })
}
