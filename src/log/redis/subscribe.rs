//! One core's subscriptions, on a connection of their own.
//!
//! A subscription can be lost without a word: the connection is cut and made again, a cluster moves the slot, a proxy forgets. So
//! the subscriber also subscribes to a channel of its own beside those it watches, and publishes a beat there every second.
//! What does not hear its beat for `watch_timeout` is lost; watchers are told, everything is subscribed again, and they
//! are told once more, since what was published in between went unheard.
//!
//! Channels are subscribed one by one: for a list, Redis answers once a channel, which the client would take for answers
//! to other calls.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::{ClientLike as _, EventInterface as _, PubsubInterface as _};
use fred::types::{ClusterHash, CustomCommand, Message, Value};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::log::error::LogError;
use crate::log::local::{Fanout, Subscriptions};
use crate::log::watch::Watch;
use crate::model::LogId;

use super::connect;
use super::keys::{self, Partition};
use super::link::Link;
use super::options::RedisOptions;
use super::publication::{self, Told};
use super::rollback::Recent;

const BEAT: Duration = Duration::from_secs(1);
/// Subscriptions asked for at once when all are made again.
const AT_ONCE: usize = 64;

/// The subscriptions of one core.
pub(super) struct Subscriber {
    client: Client,
    link: Arc<Link>,
    name: String,
    timeout: Duration,
    clustered: bool,
    fanout: Fanout,
    subscriptions: Mutex<Subscriptions>,
    groups: Mutex<HashMap<u16, Group>>,
    recent: Arc<Recent>,
}

/// What is lost together: a partition of a cluster, or all of a single server.
#[derive(Debug)]
struct Group {
    logs: HashSet<LogId>,
    state: State,
}

/// `Fresh` -> `Sound` <-> `Waiting` -> `Lost` -> `Restoring` -> `Waiting`, or `Lost` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its beat channel is not subscribed yet.
    Fresh,
    /// The last beat was heard.
    Sound,
    /// A beat is under way.
    Waiting { since: Instant },
    /// Nothing may be relied on.
    Lost,
    /// Being subscribed again.
    Restoring,
}

impl Subscriber {
    /// Connects and starts listening; ends with the last handle.
    pub(super) async fn connect(
        options: &RedisOptions,
        link: Arc<Link>,
        recent: Arc<Recent>,
        fanout: Fanout,
    ) -> Result<Arc<Self>, LogError> {
        let client = connect::connect(options, 3).await?;
        let subscriber = Arc::new(Self {
            link,
            name: Uuid::new_v4().simple().to_string(),
            timeout: options.watch_timeout,
            clustered: options.cluster,
            subscriptions: Mutex::new(fanout.join(options.watch_capacity)),
            fanout,
            groups: Mutex::default(),
            recent,
            client,
        });
        let messages = subscriber.client.message_rx();
        let reconnects = subscriber.client.reconnect_rx();
        tokio::spawn(listen(Arc::downgrade(&subscriber), messages));
        tokio::spawn(mind(Arc::downgrade(&subscriber), reconnects));
        Ok(subscriber)
    }

    pub(super) fn take(&self) -> Option<Watch> {
        lock(&self.subscriptions).take()
    }

    /// Subscribes; ready when the server has confirmed it.
    pub(super) async fn watch(self: &Arc<Self>, partition: u16, log: LogId) -> Result<(), LogError> {
        lock(&self.subscriptions).watch(log);
        let group = self.group_of(partition);
        let fresh = {
            let mut groups = lock(&self.groups);
            let entry = groups.entry(group).or_insert_with(|| Group {
                logs: HashSet::new(),
                state: State::Fresh,
            });
            entry.logs.insert(log);
            entry.state == State::Fresh
        };
        let subscribed = async {
            if fresh {
                self.client.ssubscribe(self.beat_channel(group)).await?;
                self.heard_beat(group, true);
            }
            self.client.ssubscribe(self.channel(log)).await
        };
        subscribed.await.map_err(|error| {
            self.unwatch(log);
            LogError::unavailable(format!("cannot subscribe: {error}"))
        })
    }

    pub(super) fn unwatch(self: &Arc<Self>, log: LogId) {
        lock(&self.subscriptions).unwatch(log);
        let group = self.group_of(self.link.number_of(log));
        let mut groups = lock(&self.groups);
        let Some(entry) = groups.get_mut(&group) else {
            return;
        };
        if !entry.logs.remove(&log) {
            return;
        }
        if entry.logs.is_empty() {
            groups.remove(&group);
        }
        drop(groups);
        let subscriber = Arc::clone(self);
        tokio::spawn(async move {
            // It may be watched again by now; asking and sending are one step on this thread.
            let (watched, beats) = subscriber.wants(group, log);
            if !watched {
                let _ = subscriber.client.sunsubscribe(subscriber.channel(log)).await;
            }
            if !beats {
                let _ = subscriber
                    .client
                    .sunsubscribe(subscriber.beat_channel(group))
                    .await;
            }
        });
    }

    /// Whether the log is watched, and whether its group has a beat.
    fn wants(&self, group: u16, log: LogId) -> (bool, bool) {
        match lock(&self.groups).get(&group) {
            Some(group) => (group.logs.contains(&log), true),
            None => (false, false),
        }
    }

    fn group_of(&self, partition: u16) -> u16 {
        if self.clustered { partition } else { 0 }
    }

    fn channel(&self, log: LogId) -> String {
        self.link.partition(self.link.number_of(log)).channel(log)
    }

    fn beat_channel(&self, group: u16) -> String {
        self.link.partition(group).beat_channel(&self.name)
    }

    fn heard(&self, message: &Message) {
        let Some(payload) = message.value.as_bytes() else {
            return;
        };
        let Some(log) = keys::log_of(&message.channel) else {
            if let Ok(group) = payload.try_into().map(u16::from_be_bytes) {
                self.heard_beat(group, false);
            }
            return;
        };
        match publication::decode(log, payload) {
            Some(Told::Append(written)) => {
                self.fanout.records(log, &written.records());
                self.recent.keep(*written);
            }
            Some(Told::Signal(payload)) => self.fanout.signal(log, &payload),
            // Not published by us: somebody may have missed something all the same.
            None => self.fanout.lose(self.link.number_of(log)),
        }
    }

    fn heard_beat(&self, group: u16, first: bool) {
        if let Some(group) = lock(&self.groups).get_mut(&group)
            && (matches!(group.state, State::Waiting { .. }) || (first && group.state == State::Fresh))
        {
            group.state = State::Sound;
        }
    }

    /// Once a second: beats, and what has not heard its own.
    fn tick(self: &Arc<Self>) {
        let now = Instant::now();
        let (mut beats, mut lost) = (Vec::new(), Vec::new());
        for (number, group) in lock(&self.groups).iter_mut() {
            match group.state {
                State::Sound => {
                    group.state = State::Waiting { since: now };
                    beats.push(*number);
                }
                State::Waiting { since } if now.duration_since(since) >= self.timeout => lost.push(*number),
                State::Waiting { .. } => beats.push(*number),
                State::Lost => lost.push(*number),
                State::Fresh | State::Restoring => {}
            }
        }
        self.lose(lost);
        let link = Arc::clone(&self.link);
        let name = self.name.clone();
        tokio::spawn(async move {
            let beats = beats.into_iter().map(|group| {
                let partition = link.partition(group);
                let payload = Bytes::copy_from_slice(&group.to_be_bytes());
                publish(
                    link.client(group),
                    partition,
                    partition.beat_channel(&name),
                    payload,
                )
            });
            join_all(beats).await;
        });
    }

    fn lose_all(self: &Arc<Self>) {
        let groups = lock(&self.groups).keys().copied().collect();
        self.lose(groups);
    }

    fn lose(self: &Arc<Self>, numbers: Vec<u16>) {
        for number in numbers {
            {
                let mut groups = lock(&self.groups);
                let Some(group) = groups.get_mut(&number) else {
                    continue;
                };
                if group.state == State::Restoring {
                    continue;
                }
                group.state = State::Restoring;
                self.tell_lost(group);
            }
            tokio::spawn(Arc::clone(self).restore(number));
        }
    }

    fn tell_lost(&self, group: &Group) {
        let partitions: BTreeSet<u16> = group.logs.iter().map(|log| self.link.number_of(*log)).collect();
        for partition in partitions {
            self.fanout.lose(partition);
        }
    }

    /// Subscribes everything of a group again.
    async fn restore(self: Arc<Self>, number: u16) {
        let logs: Vec<LogId> = match lock(&self.groups).get(&number) {
            Some(group) => group.logs.iter().copied().collect(),
            None => return,
        };
        let channels =
            std::iter::once(self.beat_channel(number)).chain(logs.into_iter().map(|log| self.channel(log)));
        let restored = stream::iter(channels.map(|channel| self.client.ssubscribe(channel)))
            .buffer_unordered(AT_ONCE)
            .all(|result| std::future::ready(result.is_ok()))
            .await;
        let mut groups = lock(&self.groups);
        let Some(group) = groups.get_mut(&number) else {
            return;
        };
        if restored {
            group.state = State::Sound;
            self.tell_lost(group);
        } else {
            group.state = State::Lost;
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        connect::close(&self.client);
    }
}

/// Hands on what is published, until the subscriber is gone.
async fn listen(subscriber: Weak<Subscriber>, mut messages: Receiver<Message>) {
    loop {
        let received = tokio::time::timeout(BEAT, messages.recv()).await;
        let Some(subscriber) = subscriber.upgrade() else {
            return;
        };
        match received {
            Ok(Ok(message)) => subscriber.heard(&message),
            Ok(Err(RecvError::Lagged(_))) => {
                for group in lock(&subscriber.groups).values() {
                    subscriber.tell_lost(group);
                }
            }
            Ok(Err(RecvError::Closed)) => return,
            Err(_idle) => {}
        }
    }
}

/// Beats, and sees what was lost, until the subscriber is gone.
async fn mind<T: Clone>(subscriber: Weak<Subscriber>, mut reconnects: Receiver<T>) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let reconnected = tokio::select! {
            event = reconnects.recv() => match event {
                Err(RecvError::Closed) => return,
                Ok(_) | Err(RecvError::Lagged(_)) => true,
            },
            _ = beat.tick() => false,
        };
        let Some(subscriber) = subscriber.upgrade() else {
            return;
        };
        if reconnected {
            subscriber.lose_all();
        } else {
            subscriber.tick();
        }
    }
}

/// Publishes to a channel of a partition. Best effort.
pub(super) async fn publish(client: &Client, partition: &Partition, channel: String, payload: Bytes) {
    let command = CustomCommand::new_static("SPUBLISH", ClusterHash::Custom(partition.slot), false);
    let line = vec![Value::from(channel), Value::Bytes(payload)];
    if let Err(error) = client.custom_raw(command, line).await {
        tracing::debug!(%error, "a publication was not sent");
    }
}

/// Every critical section here leaves the state whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
