//! Puts back what Redis lost, before anybody goes on from there.
//!
//! A server that has begun anew, or has just become a master, is shut (`lua/fence.lua`): it may have lost what it acknowledged. Every core
//! that holds appends compares the tops of all logs in its ring with the store's. A missing append goes in again as it was if what it
//! continued is the store's top; that is a decided append like any other, so nodes that do the same at once do no harm. When all who
//! hold appends are done, or have not come for three seconds, the store is open. What does not fit any more, because somebody went on
//! without it, is told to the watchers: they keep what was said in it ([`WatchEvent::Stranded`]).
//!
//! [`WatchEvent::Stranded`]: crate::log::watch::WatchEvent::Stranded

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use fred::interfaces::ClientLike as _;
use fred::interfaces::Resp3Frame;
use fred::types::config::Server;
use fred::types::{ClientState, Value};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::log::append::{Answer, Append};
use crate::log::bounds::MAX_BATCH;
use crate::log::error::LogError;
use crate::log::local::Fanout;
use crate::model::{LogId, Position};

use super::encode;
use super::error::Access;
use super::link::{Call, Link};
use super::publication::Written;
use super::reply::{self, Items};
use super::ring::{Lost, Ring};

/// How often it is seen whether the store is as it was.
const LOOK: Duration = Duration::from_secs(1);
/// How long a core is waited for that has said it holds appends, in milliseconds, unless it says so again.
const HOLD_MS: u64 = 30_000;
/// Looks after which it says so again.
const HOLD_EVERY: u32 = 10;
/// Before the store is asked again whether everybody is done.
const PAUSE: Duration = Duration::from_millis(50);
/// Before mending begins again that has failed.
const FAILED_PAUSE: Duration = Duration::from_millis(250);
/// Partitions asked at once.
const AT_ONCE: usize = 64;

/// The ring of one core, shared between who writes, who hears, and who repairs.
#[derive(Debug)]
pub(super) struct Recent {
    /// Under which name the core tells others that it holds appends.
    holder: Uuid,
    ring: Mutex<Ring>,
}

impl Recent {
    pub(super) fn new(ring: Ring) -> Arc<Self> {
        Arc::new(Self {
            holder: Uuid::new_v4(),
            ring: Mutex::new(ring),
        })
    }

    pub(super) fn keep(&self, written: Written) {
        self.ring().keep(written, Instant::now());
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mends after each reconnect and whenever a call meets a shut partition, until the link is gone.
pub(super) async fn mind(
    link: Weak<Link>,
    recent: Arc<Recent>,
    fanout: Fanout,
    mut reconnects: Receiver<Server>,
) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0;
    loop {
        let Some(strong) = link.upgrade() else {
            return;
        };
        let suspicious = tokio::select! {
            event = reconnects.recv() => match event {
                Ok(_) | Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return,
            },
            () = strong.fence.shut() => true,
            _ = look.tick() => false,
        };
        if suspicious {
            mend_in_the_end(&strong, &recent, &fanout).await;
            continue;
        }
        looks += 1;
        let seen = if looks % HOLD_EVERY == 0 {
            hold(&strong, &recent).await
        } else {
            holders(&strong).await.map(drop)
        };
        let connected = |client: &fred::clients::Client| client.state() == ClientState::Connected;
        if seen.is_ok() && reconnects.is_empty() && strong.clients().all(connected) {
            recent.ring().sound(Instant::now());
        }
    }
}

/// Mends, however often it fails; not for a link that nobody uses.
async fn mend_in_the_end(link: &Arc<Link>, recent: &Recent, fanout: &Fanout) {
    let mut failed = false;
    while let Err(error) = mend(link, recent, fanout).await {
        if !std::mem::replace(&mut failed, true) {
            tracing::warn!(%error, "cannot tell yet whether redis has lost appends");
        }
        if Arc::strong_count(link) == 1 {
            return;
        }
        tokio::time::sleep(FAILED_PAUSE).await;
    }
}

/// Puts back what is missing and opens the store, with all others who hold appends.
///
/// # Errors
/// When the store cannot be asked. Nothing is forgotten.
pub(super) async fn mend(link: &Link, recent: &Recent, fanout: &Fanout) -> Result<(), LogError> {
    let stranded = repair(link, recent).await?;
    hold(link, recent).await?;
    let mut shut: Vec<u16> = (0..link.partitions()).collect();
    loop {
        let holders = holders(link).await?;
        let asked: Vec<_> = shut
            .iter()
            .map(|partition| is_open(link, *partition, recent.holder, &holders))
            .collect();
        let open: Vec<bool> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        let mut answers = open.into_iter();
        shut.retain(|_| !answers.next().unwrap_or_default());
        if shut.is_empty() {
            link.fence.open();
            for one in stranded {
                one.tell(fanout);
            }
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// An append that was lost and has no place any more.
struct Stranded {
    /// The last number that both histories share.
    after: u64,
    written: Written,
}

impl Stranded {
    fn tell(&self, fanout: &Fanout) {
        let (log, after) = (self.written.append.log, self.after);
        if fanout.stranded(log, after, &self.written.records()) {
            tracing::warn!(%log, after, "redis lost an append that has no place any more; what was said in it is kept");
        } else {
            tracing::error!(%log, after, "redis lost an append that has no place any more, and nobody could be told");
        }
    }
}

/// Says that this core holds appends, so that it is waited for.
pub(super) async fn hold(link: &Link, recent: &Recent) -> Result<(), LogError> {
    let args = || vec![encode::text(recent.holder.to_string()), encode::duration(HOLD_MS)];
    call(link, "nexus_3_hold", Access::Write, 0, args).await.map(drop)
}

/// Whom the others need not wait for any more.
pub(super) async fn let_go(link: &Link, recent: &Recent) -> Result<(), LogError> {
    let args = || vec![encode::text(recent.holder.to_string()), encode::duration(0)];
    call(link, "nexus_3_hold", Access::Write, 0, args).await.map(drop)
}

async fn holders(link: &Link) -> Result<Vec<String>, LogError> {
    let mut items = Items::of(
        call(link, "nexus_3_holders", Access::Read, 0, Vec::new).await?,
        "holders",
    )?;
    let mut holders = Vec::new();
    while !items.is_empty() {
        holders.push(items.text()?);
    }
    Ok(holders)
}

async fn is_open(link: &Link, partition: u16, holder: Uuid, holders: &[String]) -> Result<bool, LogError> {
    let args = || {
        std::iter::once(holder.to_string())
            .chain(holders.iter().cloned())
            .map(encode::text)
            .collect()
    };
    let answer = call(link, "nexus_3_mended", Access::Read, partition, args).await?;
    Ok(matches!(answer, Resp3Frame::Number { data: 1, .. }))
}

async fn call(
    link: &Link,
    function: &'static str,
    access: Access,
    partition: u16,
    args: impl Fn() -> Vec<Value>,
) -> Result<Resp3Frame, LogError> {
    let call = Call {
        function,
        access,
        partition,
    };
    link.call(call, args).await
}

/// Compares every log in the ring with the store and puts back what it can; returns what it cannot.
async fn repair(link: &Link, recent: &Recent) -> Result<Vec<Stranded>, LogError> {
    let mut stranded = Vec::new();
    let mut partitions: HashMap<u16, Vec<LogId>> = HashMap::new();
    for log in recent.ring().logs() {
        partitions.entry(link.number_of(log)).or_default().push(log);
    }
    for (partition, logs) in partitions {
        for logs in logs.chunks(MAX_BATCH) {
            for (log, top) in logs.iter().zip(tops(link, partition, logs).await?) {
                let lost = recent.ring().lost(*log, top);
                let is_whole = match lost {
                    Lost::Nothing => true,
                    Lost::Known(appends) => put_back(link, *log, appends).await?,
                    Lost::Unless(at) => has(link, *log, at).await?,
                    Lost::Beyond => false,
                };
                if !is_whole {
                    let kept = recent.ring().kept(*log);
                    stranded.extend(without_place(link, *log, kept).await?);
                }
            }
        }
    }
    Ok(stranded)
}

/// Those of these appends that are not in the store's history of the log.
async fn without_place(link: &Link, log: LogId, kept: Vec<Written>) -> Result<Vec<Stranded>, LogError> {
    let mut stranded = Vec::new();
    let mut shared = None;
    for written in kept {
        // What continues something lost is lost too.
        if shared.is_none() && has(link, log, written.top()).await? {
            continue;
        }
        let after = *shared.get_or_insert(written.before.n);
        stranded.push(Stranded { after, written });
    }
    Ok(stranded)
}

/// Whether every one of these is known to be in the store.
async fn put_back(link: &Link, log: LogId, appends: Vec<Append>) -> Result<bool, LogError> {
    let mut is_whole = true;
    for append in appends {
        let records = append.records.len();
        match written(link, append).await? {
            Answer::Appended { top, .. } => {
                tracing::warn!(%log, n = top.n, records, "put back what redis had lost");
            }
            Answer::Repeat { .. } => {}
            // Somebody else did, or has gone on from there: the history itself says which.
            Answer::Refused { .. } | Answer::KeyReused | Answer::Closed | Answer::OptedOut => {
                is_whole = false
            }
        }
    }
    Ok(is_whole)
}

async fn written(link: &Link, append: Append) -> Result<Answer, LogError> {
    let partition = link.number_of(append.log);
    let args = || encode::append(&append);
    let frame = call(link, "nexus_3_put_back", Access::Write, partition, args).await?;
    let (answer, _) = reply::answer(frame, append.log)?;
    Ok(answer)
}

async fn tops(link: &Link, partition: u16, logs: &[LogId]) -> Result<Vec<Position>, LogError> {
    let args = || logs.iter().copied().map(encode::log).collect();
    let frame = call(link, "nexus_3_tops_left", Access::Read, partition, args).await?;
    let mut items = Items::of(frame, "tops")?;
    logs.iter().map(|_| items.position()).collect()
}

/// Whether the log, as the store has it now, goes through this position.
async fn has(link: &Link, log: LogId, at: Position) -> Result<bool, LogError> {
    let args = || vec![encode::log(log), encode::number(at.n)];
    let frame = call(link, "nexus_3_hash_left", Access::Read, link.number_of(log), args).await?;
    Ok(match frame {
        Resp3Frame::BlobString { data, .. } => data[..] == at.hash.0,
        // Trimmed: it went through there.
        _ => true,
    })
}
