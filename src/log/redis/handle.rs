//! The trait of the log over the functions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use fred::interfaces::Resp3Frame;
use fred::types::Value;
use futures_util::FutureExt as _;
use futures_util::future::try_join_all;

use crate::log::append::{Answer, Append, PeerKey};
use crate::log::bounds::{MAX_BATCH, check_batch};
use crate::log::effects::{EffectId, Leased};
use crate::log::error::LogError;
use crate::log::local::canary;
use crate::log::matching::{MatchAnswer, QueueRank};
use crate::log::store::{DueTimer, Log, LogFuture, NodeId, Page, StoreInfo, Tail};
use crate::log::watch::Watch;
use crate::model::{LogId, MatchOp, Position, Spread, TenantId};

use super::connect;
use super::encode;
use super::error::{Access, damaged};
use super::link::{Call, Link};
use super::publication::{self, Written};
use super::reply::{self, Items};
use super::rollback::{self, Recent};
use super::subscribe::{self, Subscriber};

/// Signals on their way; more are dropped.
const MAX_SIGNALS: usize = 1_024;

/// One core's handle: every call of the trait as a call of one function.
pub(super) struct RedisCore {
    pub(super) info: StoreInfo,
    link: Arc<Link>,
    subscriber: Arc<Subscriber>,
    recent: Arc<Recent>,
    signals: Arc<AtomicUsize>,
}

impl Drop for RedisCore {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (link, recent) = (Arc::clone(&self.link), Arc::clone(&self.recent));
        runtime.spawn(async move {
            // Who ends in order need not be waited for.
            let _ = rollback::let_go(&link, &recent).await;
            link.clients().for_each(connect::close);
        });
    }
}

impl RedisCore {
    pub(super) fn new(
        info: StoreInfo,
        link: Arc<Link>,
        subscriber: Arc<Subscriber>,
        recent: Arc<Recent>,
    ) -> Self {
        Self {
            info,
            link,
            subscriber,
            recent,
            signals: Arc::default(),
        }
    }

    pub(super) async fn read(
        &self,
        function: &'static str,
        partition: u16,
        args: Vec<Value>,
    ) -> Result<Resp3Frame, LogError> {
        self.call(function, Access::Read, partition, args).await
    }

    pub(super) async fn write(
        &self,
        function: &'static str,
        partition: u16,
        args: Vec<Value>,
    ) -> Result<Resp3Frame, LogError> {
        self.call(function, Access::Write, partition, args).await
    }

    async fn call(
        &self,
        function: &'static str,
        access: Access,
        partition: u16,
        args: Vec<Value>,
    ) -> Result<Resp3Frame, LogError> {
        let call = Call {
            function,
            access,
            partition,
        };
        self.link.call(call, || args.clone()).await
    }

    pub(super) fn of(&self, log: LogId) -> u16 {
        self.link.number_of(log)
    }

    fn of_tenant(&self, tenant: TenantId) -> u16 {
        Spread::of_tenant(tenant).partition(self.info.partitions)
    }

    async fn page(
        &self,
        log: LogId,
        direction: &'static str,
        here: u64,
        limit: usize,
    ) -> Result<Option<Page>, LogError> {
        let args = vec![
            encode::log(log),
            Value::from(direction),
            encode::number(here),
            count(limit),
        ];
        reply::page(self.read("nexus_3_read", self.of(log), args).await?)
    }
}

fn count(limit: usize) -> Value {
    encode::number(limit.min(MAX_BATCH) as u64)
}

/// A lane of the log of an effect, as the functions name it.
pub(super) fn lane(id: EffectId, lane: &str) -> Value {
    encode::text(format!("{}{lane}", id.log))
}

impl Log for RedisCore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn append(&self, append: Append) -> LogFuture<'_, Answer> {
        async move {
            append.check()?;
            let call = Call {
                function: "nexus_3_append",
                access: Access::Write,
                partition: self.of(append.log),
            };
            let frame = self.link.call(call, || encode::append(&append)).await?;
            let (answer, before) = reply::answer(frame, append.log)?;
            if let (Answer::Appended { log, opened, .. }, Some(before)) = (&answer, before) {
                self.recent.keep(Written::new(append, *log, before, *opened));
            }
            Ok(answer)
        }
        .boxed_local()
    }

    fn tail(&self, log: LogId) -> LogFuture<'_, Option<Tail>> {
        async move {
            reply::tail(
                self.read("nexus_3_tail", self.of(log), vec![encode::log(log)])
                    .await?,
            )
        }
        .boxed_local()
    }

    fn read_forward(&self, log: LogId, from: u64, limit: usize) -> LogFuture<'_, Option<Page>> {
        self.page(log, "F", from, limit).boxed_local()
    }

    fn read_backward(&self, log: LogId, to: u64, limit: usize) -> LogFuture<'_, Option<Page>> {
        self.page(log, "B", to, limit).boxed_local()
    }

    fn tops(&self, partition: u16, logs: Vec<LogId>) -> LogFuture<'_, Vec<Option<Position>>> {
        async move {
            check_batch(logs.len())?;
            let here = |log: &LogId| self.of(*log) == partition;
            let args = logs.iter().copied().filter(here).map(encode::log).collect();
            let mut items = Items::of(self.read("nexus_3_tops", partition, args).await?, "tops")?;
            logs.iter()
                .map(|log| {
                    if !here(log) {
                        return Ok(None);
                    }
                    let top = items.position()?;
                    Ok((top.n > 0).then_some(top))
                })
                .collect()
        }
        .boxed_local()
    }

    fn erase(&self, log: LogId, numbers: Vec<u64>) -> LogFuture<'_, ()> {
        async move {
            check_batch(numbers.len())?;
            let numbers = numbers.into_iter().map(encode::number);
            let args = std::iter::once(encode::log(log)).chain(numbers).collect();
            self.write("nexus_3_erase", self.of(log), args).await.map(drop)
        }
        .boxed_local()
    }

    fn trim(&self, log: LogId, below: u64) -> LogFuture<'_, ()> {
        async move {
            let args = vec![encode::log(log), encode::number(below)];
            self.write("nexus_3_trim", self.of(log), args).await.map(drop)
        }
        .boxed_local()
    }

    fn peer(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, Option<LogId>> {
        async move {
            match self
                .read("nexus_3_peer", partition, vec![Value::Bytes(peer.0)])
                .await?
            {
                Resp3Frame::Null => Ok(None),
                Resp3Frame::BlobString { data, .. } => std::str::from_utf8(&data)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .map(Some)
                    .ok_or_else(|| damaged("peer")),
                _ => Err(damaged("peer")),
            }
        }
        .boxed_local()
    }

    fn open_sessions(&self, tenant: TenantId) -> LogFuture<'_, u64> {
        async move {
            let counts = (0..self.info.partitions).map(|partition| async move {
                let args = vec![encode::text(tenant.to_string())];
                number(&self.read("nexus_3_open", partition, args).await?, "open")
            });
            Ok(try_join_all(counts).await?.into_iter().sum())
        }
        .boxed_local()
    }

    fn take_watch(&self) -> Option<Watch> {
        self.subscriber.take()
    }

    fn watch(&self, log: LogId) -> LogFuture<'_, ()> {
        self.subscriber.watch(self.of(log), log).boxed_local()
    }

    fn unwatch(&self, log: LogId) {
        self.subscriber.unwatch(log);
    }

    fn signal(&self, log: LogId, payload: Bytes) {
        if self.signals.fetch_add(1, Ordering::AcqRel) >= MAX_SIGNALS {
            self.signals.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let (link, signals) = (Arc::clone(&self.link), Arc::clone(&self.signals));
        tokio::spawn(async move {
            let number = link.number_of(log);
            let partition = link.partition(number);
            let channel = partition.channel(log);
            subscribe::publish(
                link.client(number),
                partition,
                channel,
                publication::signal(&payload),
            )
            .await;
            signals.fetch_sub(1, Ordering::AcqRel);
        });
    }

    fn lease_effects(&self, partition: u16, limit: usize, lease_ms: u64) -> LogFuture<'_, Vec<Leased>> {
        async move {
            let args = vec![count(limit), encode::duration(lease_ms)];
            reply::leased(self.write("nexus_3_lease", partition, args).await?)
        }
        .boxed_local()
    }

    fn complete_effect(&self, id: EffectId, lane: String) -> LogFuture<'_, ()> {
        async move {
            let args = vec![self::lane(id, &lane), encode::effect(id.n, id.place)];
            self.write("nexus_3_complete", self.of(id.log), args)
                .await
                .map(drop)
        }
        .boxed_local()
    }

    fn claim_effect(&self, id: EffectId, lane: String, lease_ms: u64) -> LogFuture<'_, bool> {
        async move {
            let args = vec![
                self::lane(id, &lane),
                encode::effect(id.n, id.place),
                encode::duration(lease_ms),
            ];
            let frame = self.write("nexus_3_claim", self.of(id.log), args).await?;
            Ok(number(&frame, "claim")? == 1)
        }
        .boxed_local()
    }

    fn retry_effect(&self, id: EffectId, lane: String, after_ms: u64) -> LogFuture<'_, ()> {
        async move {
            let args = vec![
                self::lane(id, &lane),
                encode::effect(id.n, id.place),
                encode::duration(after_ms),
            ];
            self.write("nexus_3_retry", self.of(id.log), args).await.map(drop)
        }
        .boxed_local()
    }

    fn due_timers(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<DueTimer>> {
        async move { reply::due(self.write("nexus_3_due", partition, vec![count(limit)]).await?) }
            .boxed_local()
    }

    fn renew(&self, partition: u16, logs: Vec<LogId>, ttl_ms: u64) -> LogFuture<'_, ()> {
        async move {
            let renewals = logs.chunks(MAX_BATCH).map(|logs| {
                let logs = logs.iter().copied().map(encode::log);
                let args = std::iter::once(encode::duration(ttl_ms)).chain(logs).collect();
                self.write("nexus_3_renew", partition, args)
            });
            try_join_all(renewals).await.map(drop)
        }
        .boxed_local()
    }

    fn lapsed(&self, partition: u16, limit: usize) -> LogFuture<'_, Vec<LogId>> {
        async move {
            let frame = self.read("nexus_3_lapsed", partition, vec![count(limit)]).await?;
            let mut items = Items::of(frame, "lapsed")?;
            let mut logs = Vec::new();
            while !items.is_empty() {
                logs.push(items.log()?);
            }
            Ok(logs)
        }
        .boxed_local()
    }

    fn matching(&self, tenant: TenantId, op: MatchOp) -> LogFuture<'_, MatchAnswer> {
        async move {
            let op = serde_json::to_string(&op).map_err(|error| LogError::OutOfBounds {
                reason: error.to_string(),
            })?;
            let args = vec![encode::text(tenant.to_string()), encode::text(op)];
            reply::pair(self.write("nexus_3_match", self.of_tenant(tenant), args).await?)
        }
        .boxed_local()
    }

    fn hold_best_pair(&self, tenant: TenantId) -> LogFuture<'_, MatchAnswer> {
        async move {
            let args = vec![encode::text(tenant.to_string())];
            reply::pair(self.write("nexus_3_best", self.of_tenant(tenant), args).await?)
        }
        .boxed_local()
    }

    fn queue_rank(
        &self,
        tenant: TenantId,
        queue: String,
        session: LogId,
    ) -> LogFuture<'_, Option<QueueRank>> {
        async move {
            let args = vec![
                encode::text(tenant.to_string()),
                encode::text(queue),
                encode::log(session),
            ];
            let frame = self.read("nexus_3_rank", self.of_tenant(tenant), args).await?;
            if matches!(frame, Resp3Frame::Null) {
                return Ok(None);
            }
            let mut items = Items::of(frame, "rank")?;
            Ok(Some(QueueRank {
                position: items.number()?,
                mean_interval_ms: items.signed()?.try_into().ok(),
            }))
        }
        .boxed_local()
    }

    fn announce(&self, node: NodeId, level: u32, ttl_ms: u64) -> LogFuture<'_, Vec<(NodeId, u32)>> {
        async move {
            let args = vec![
                encode::text(node.0.to_string()),
                encode::number(level.into()),
                encode::duration(ttl_ms),
            ];
            let mut items = Items::of(self.write("nexus_3_announce", 0, args).await?, "announce")?;
            let mut nodes = Vec::new();
            while !items.is_empty() {
                let node = items.text()?.parse().map_err(|_| damaged("announce"))?;
                let level = items.number()?.try_into().map_err(|_| damaged("announce"))?;
                nodes.push((NodeId(node), level));
            }
            Ok(nodes)
        }
        .boxed_local()
    }

    fn spend(&self, token: [u8; 16], ttl_ms: u64) -> LogFuture<'_, bool> {
        async move {
            let partition = Spread::of(&[&token]).partition(self.info.partitions);
            let args = vec![
                Value::Bytes(Bytes::copy_from_slice(&token)),
                encode::duration(ttl_ms.max(1)),
            ];
            let frame = self.write("nexus_3_spend", partition, args).await?;
            Ok(number(&frame, "spend")? == 1)
        }
        .boxed_local()
    }

    fn canary(&self) -> LogFuture<'_, ()> {
        canary(self).boxed_local()
    }
}

pub(super) fn number(frame: &Resp3Frame, what: &'static str) -> Result<u64, LogError> {
    match frame {
        Resp3Frame::Number { data, .. } => (*data).try_into().map_err(|_| damaged(what)),
        _ => Err(damaged(what)),
    }
}
