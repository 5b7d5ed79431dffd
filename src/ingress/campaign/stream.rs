//! The stream of statuses to one consumer: a cursor over the tenant's feed.
//!
//! At most [`WINDOW`] numbers are on their way unacknowledged; then nothing more is read until the consumer says what it has seen.
//! What it acknowledged is kept, so that the next stream goes on behind it, on whatever node.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Interval, MissedTickBehavior};

use crate::log::LogError;
use crate::model::{Media, TenantId};
use crate::net::websocket::{Event, Message, Socket, encode_text};
use crate::protocol::campaign::{BadFrame, ServiceStatus, ack_of, record_status};
use crate::protocol::securemail;
use crate::provisioning::Snapshots;
use crate::provisioning::access::{Bearer, Principal};
use crate::provisioning::objects::{ApiKey, Channel};
use crate::runtime::{DrainToken, Phase};
use crate::shard::Campaigns;

/// Numbers on their way unacknowledged.
const WINDOW: u64 = 1_000;
/// Statuses in one write.
const BATCH: usize = 100;
/// How often the feed is looked at, and an acknowledgement kept.
const EVERY: Duration = Duration::from_millis(200);

/// Whose stream it is.
pub(super) struct Consumer {
    pub(super) tenant: TenantId,
    pub(super) who: Principal,
    pub(super) campaigns: Rc<Campaigns>,
    pub(super) snapshots: Snapshots,
    pub(super) drain: DrainToken,
}

/// Why a stream ends.
enum End {
    /// The consumer is gone.
    Gone,
    /// It sent what it may not.
    Bad,
    /// Its key is no longer good.
    Revoked,
    /// This node goes; another takes over.
    Restart,
}

struct Stream {
    consumer: Consumer,
    /// Everything up to this number was written.
    sent: u64,
    /// Everything up to this number was acknowledged,
    acknowledged: u64,
    /// and up to this one it is kept.
    kept: u64,
    told: Option<ServiceStatus>,
    /// Whether the store answered the last time.
    up: bool,
}

pub(super) async fn serve(consumer: Consumer, mut socket: Socket) {
    let _open = consumer.drain.retain(Phase::Closing);
    let acknowledged = match consumer.campaigns.acknowledged(consumer.tenant).await {
        Ok(acknowledged) => acknowledged,
        Err(error) => {
            tracing::info!(%error, "no stream of statuses without the store");
            socket.close(1013, "try again later").await;
            return;
        }
    };
    let mut stream = Stream {
        consumer,
        sent: acknowledged,
        acknowledged,
        kept: acknowledged,
        told: None,
        up: true,
    };
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = stream.run(&mut socket, &mut every).await;
    // What was acknowledged last is kept even if the consumer left right after.
    let _ = stream.keep().await;
    match end {
        End::Gone => {}
        End::Bad => drop(socket.close(1008, "only Ack is expected").await),
        End::Revoked => drop(socket.close(4401, "no longer authorised").await),
        End::Restart => drop(socket.close(1012, "connect again").await),
    }
}

impl Stream {
    async fn run(&mut self, socket: &mut Socket, every: &mut Interval) -> End {
        loop {
            tokio::select! {
                event = socket.next() => match event {
                    Event::Messages(messages) => {
                        for message in messages {
                            if self.hear(&message).is_err() {
                                return End::Bad;
                            }
                        }
                    }
                    Event::Pong => {}
                    Event::Closed(_) => return End::Gone,
                },
                _ = every.tick() => {
                    if self.consumer.drain.phase() >= Phase::Closing {
                        return End::Restart;
                    }
                    if self.is_revoked() {
                        return End::Revoked;
                    }
                    let frames = self.gather().await;
                    if !frames.is_empty() && socket.send(&frames).await.is_err() {
                        return End::Gone;
                    }
                }
            }
        }
    }

    fn hear(&mut self, message: &Message) -> Result<(), BadFrame> {
        let Message::Text(text) = message else {
            return Err(BadFrame);
        };
        // Nobody has seen what was not sent.
        let seq = ack_of(text)?.min(self.sent);
        self.acknowledged = self.acknowledged.max(seq);
        Ok(())
    }

    fn is_revoked(&self) -> bool {
        let Bearer::ApiKey(id) = &self.consumer.who.bearer else {
            return false;
        };
        let snapshot = self.consumer.snapshots.load();
        let key = snapshot.get::<ApiKey>(self.consumer.who.tenant, id);
        !key.is_some_and(|key| key.value.enabled)
    }

    /// The frames of the next write.
    async fn gather(&mut self) -> Vec<Bytes> {
        let mut frames = Vec::new();
        let statuses = self.read().await;
        self.up = statuses.is_ok();
        let now = self.service();
        if self.told != Some(now) {
            self.told = Some(now);
            frames.push(encode_text(&now.frame(self.consumer.tenant)));
        }
        match statuses {
            Ok(statuses) => frames.extend(statuses.iter().map(|frame| encode_text(frame))),
            Err(error) => tracing::info!(%error, "statuses wait for the store"),
        }
        frames
    }

    async fn read(&mut self) -> Result<Vec<Bytes>, LogError> {
        self.keep().await?;
        if self.sent.saturating_sub(self.acknowledged) >= WINDOW {
            return Ok(Vec::new());
        }
        let (tenant, campaigns) = (self.consumer.tenant, &self.consumer.campaigns);
        let statuses = campaigns.statuses(tenant, self.sent, BATCH).await?;
        if statuses.up_to < self.sent {
            (self.acknowledged, self.kept) = (0, 0);
        }
        self.sent = statuses.up_to;
        let frames = statuses.told.iter();
        Ok(frames
            .map(|told| record_status(told.seq, told.at, &told.status))
            .collect())
    }

    async fn keep(&mut self) -> Result<(), LogError> {
        if self.acknowledged > self.kept {
            let (tenant, seq) = (self.consumer.tenant, self.acknowledged);
            self.consumer.campaigns.acknowledge(tenant, seq).await?;
            self.kept = seq;
        }
        Ok(())
    }

    fn service(&self) -> ServiceStatus {
        let snapshot = self.consumer.snapshots.load();
        let mut status = ServiceStatus {
            up: self.up,
            ..ServiceStatus::default()
        };
        for channel in snapshot.all::<Channel>(self.consumer.tenant) {
            let leaves = channel.value.provider != securemail::PROVIDER;
            let open = self.up && channel.value.enabled && leaves;
            match channel.value.media {
                Media::Sms => status.sms |= open,
                Media::Email => status.email |= open,
                Media::Social => status.social |= open,
                Media::Chat => {}
            }
        }
        status
    }
}
