//! One core's command connection: calls of our functions, pipelined, each answered by its own reply or by an error.
//!
//! The client never sends a call twice by itself. Each call carries a nonce that the function gives back, so that a reply matched to
//! the wrong call is seen; the connection is then made anew. The same is done when calls time out while nothing at all is heard.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fred::bytes_utils::Str;
use fred::clients::{Client, WithOptions};
use fred::error::ErrorKind;
use fred::interfaces::{ClientLike, Resp3Frame};
use fred::types::config::Options;
use fred::types::{ClientState, ClusterHash, CustomCommand, Value};
use tokio::sync::Notify;

use crate::log::error::LogError;
use crate::model::LogId;

use super::error::{self, Access};
use super::keys::Partition;
use super::library;
use super::options::RedisOptions;

/// A connection that is made anew is given this long before it may be made anew again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// How often a call is made that the server turned away for want of the functions, or before it was open.
const TRIES: usize = 4;

/// A call of one function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The function's full name.
    pub(super) function: &'static str,
    /// Whether it changes anything.
    pub(super) access: Access,
    /// Where.
    pub(super) partition: u16,
}

/// One connection (of a cluster: one to each master).
#[derive(Debug)]
struct Line {
    client: Client,
    /// Follows redirections and tries again: nothing is lost by asking twice.
    reads: WithOptions<Client>,
    /// One attempt. A redirection would be a second, so an append that meets a slot on the move ends unknown; the client has learnt
    /// the new place by then.
    writes: WithOptions<Client>,
}

/// The connections. Shared with the tasks of their core. Calls of one partition keep to one of them, and so to their order.
#[derive(Debug)]
pub(super) struct Link {
    /// At least one.
    lines: Vec<Line>,
    partitions: Vec<Partition>,
    identity: Bytes,
    load_library: bool,
    command_timeout: Duration,
    /// Tells who mends that a partition is shut, and who waits that all are open.
    pub(super) fence: Fence,
    max_in_flight: usize,
    in_flight: AtomicUsize,
    next_nonce: AtomicU64,
    renewing: Arc<AtomicBool>,
    /// When a reply was last had, by what answers for a partition.
    heard: Mutex<HashMap<u16, Instant>>,
}

impl Link {
    /// Connects; the identity is what `RedisStore` found.
    pub(super) fn new(
        clients: Vec<Client>,
        partitions: Vec<Partition>,
        identity: Bytes,
        options: &RedisOptions,
    ) -> Self {
        let attempts = |client: &Client, count| {
            client.with_options(&Options {
                max_attempts: Some(count),
                ..Options::default()
            })
        };
        let lines = clients.into_iter().map(|client| Line {
            reads: attempts(&client, 3),
            writes: attempts(&client, 1),
            client,
        });
        Self {
            lines: lines.collect(),
            partitions,
            identity,
            load_library: options.load_library,
            command_timeout: options.command_timeout,
            fence: Fence::default(),
            max_in_flight: options.max_in_flight,
            in_flight: AtomicUsize::new(0),
            next_nonce: AtomicU64::new(0),
            renewing: Arc::default(),
            heard: Mutex::default(),
        }
    }

    /// The connection that answers for a partition.
    fn line(&self, partition: u16) -> &Line {
        &self.lines[usize::from(partition) % self.lines.len()]
    }

    /// The client of a partition.
    pub(super) fn client(&self, partition: u16) -> &Client {
        &self.line(partition).client
    }

    /// Every client.
    pub(super) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.lines.iter().map(|line| &line.client)
    }

    pub(super) fn partition(&self, number: u16) -> &Partition {
        &self.partitions[usize::from(number) % self.partitions.len()]
    }

    /// The partition of a log.
    pub(super) fn number_of(&self, log: LogId) -> u16 {
        log.spread()
            .partition(u16::try_from(self.partitions.len()).unwrap_or(u16::MAX))
    }

    /// Calls the function and returns its result. `args` follow nonce and identity; they are made again in the rare case that
    /// the server did not know the function, or was not open yet.
    pub(super) async fn call(
        &self,
        call: Call,
        args: impl Fn() -> Vec<Value>,
    ) -> Result<Resp3Frame, LogError> {
        let until = Instant::now() + self.command_timeout;
        for _ in 0..TRIES {
            match self.call_once(call, args()).await? {
                Turned::Answered(result) => return Ok(result),
                Turned::Unknown => {
                    let policy = if self.load_library {
                        library::Policy::Load
                    } else {
                        library::Policy::Verify
                    };
                    library::ensure(self.client(call.partition), policy).await?;
                }
                Turned::Shut => {
                    self.fence
                        .opened(until.saturating_duration_since(Instant::now()))
                        .await
                }
            }
        }
        Err(LogError::unavailable("redis is not open yet"))
    }

    /// How many partitions there are.
    pub(super) fn partitions(&self) -> u16 {
        u16::try_from(self.partitions.len()).unwrap_or(u16::MAX)
    }

    async fn call_once(&self, call: Call, args: Vec<Value>) -> Result<Turned, LogError> {
        let Call {
            function,
            access,
            partition,
        } = call;
        let _place = self.take_place(partition)?;
        let nonce = self.nonce();
        let keys = self.partition(partition);
        let mut line = Vec::with_capacity(args.len() + 6);
        line.push(Value::String(Str::from_static(function)));
        line.push(Value::String(Str::from_static("2")));
        line.extend(
            [&keys.store, &keys.whole, &nonce, &self.identity].map(|part| Value::Bytes(part.clone())),
        );
        line.extend(args);
        let command = CustomCommand::new_static("FCALL", ClusterHash::Custom(keys.slot), false);
        let client = match access {
            Access::Read => &self.line(partition).reads,
            Access::Write => &self.line(partition).writes,
        };
        let asked = Instant::now();
        match client.custom_raw(command, line).await {
            Ok(reply) => {
                self.note_heard(partition);
                self.match_reply(&nonce, reply, access)
            }
            Err(error) => {
                if *error.kind() == ErrorKind::Timeout && !self.heard_since(partition, asked) {
                    self.renew("nothing is heard");
                }
                Err(error::cut(&error, access))
            }
        }
    }

    fn match_reply(&self, nonce: &Bytes, reply: Resp3Frame, access: Access) -> Result<Turned, LogError> {
        let mut parts = match reply {
            Resp3Frame::Array { data, .. } => data,
            Resp3Frame::SimpleError { data, .. } => return answer_error(&data, access),
            Resp3Frame::BlobError { data, .. } => {
                return answer_error(&String::from_utf8_lossy(&data), access);
            }
            _ => return Err(self.mixed_up(access)),
        };
        match parts.first() {
            Some(Resp3Frame::BlobString { data, .. }) if data == nonce => {}
            _ => return Err(self.mixed_up(access)),
        }
        match (parts.pop(), parts.len()) {
            (Some(Resp3Frame::BlobString { data, .. }), 1) if data == "W" => Err(LogError::WrongStore {
                reason: "the partition's identity is missing or another".to_owned(),
            }),
            (Some(Resp3Frame::BlobString { data, .. }), 1) if data == "B" => Ok(Turned::Shut),
            (Some(result), 1) => Ok(Turned::Answered(result)),
            // A result of `false` ends the list.
            (_, 0) => Ok(Turned::Answered(Resp3Frame::Null)),
            _ => Err(error::damaged("envelope")),
        }
    }

    fn mixed_up(&self, access: Access) -> LogError {
        self.renew("a reply belongs to another call");
        error::open("a reply belongs to another call".to_owned(), access)
    }

    /// Closes all connections and makes them anew; until then calls are refused, for none could be answered.
    fn renew(&self, why: &'static str) {
        if self.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::warn!(why, "making the redis connection anew");
        let clients: Vec<Client> = self.clients().cloned().collect();
        let renewing = Arc::clone(&self.renewing);
        tokio::spawn(async move {
            let all = clients.iter().map(ClientLike::force_reconnection);
            let _ = tokio::time::timeout(RENEWAL_PAUSE, futures_util::future::join_all(all)).await;
            renewing.store(false, Ordering::Release);
        });
    }

    fn take_place(&self, partition: u16) -> Result<Place<'_>, LogError> {
        if self.renewing.load(Ordering::Acquire) || self.client(partition).state() != ClientState::Connected {
            return Err(LogError::unavailable("not connected to redis"));
        }
        let place = Place(&self.in_flight);
        if self.in_flight.fetch_add(1, Ordering::AcqRel) >= self.max_in_flight {
            return Err(LogError::unavailable("too many redis calls in flight"));
        }
        Ok(place)
    }

    fn nonce(&self) -> Bytes {
        let nonce = self.next_nonce.fetch_add(1, Ordering::Relaxed);
        Bytes::copy_from_slice(&nonce.to_be_bytes())
    }

    /// On a single server a connection answers for every partition that keeps to it.
    fn answers_for(&self, partition: u16) -> u16 {
        if self.client(partition).is_clustered() {
            partition
        } else {
            partition % u16::try_from(self.lines.len()).unwrap_or(u16::MAX)
        }
    }

    fn note_heard(&self, partition: u16) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(self.answers_for(partition), Instant::now());
    }

    fn heard_since(&self, partition: u16, since: Instant) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard
            .get(&self.answers_for(partition))
            .is_some_and(|at| *at > since)
    }
}

/// What became of a call.
#[derive(Debug)]
enum Turned {
    /// The function's result.
    Answered(Resp3Frame),
    /// The server does not know the function, so nothing happened.
    Unknown,
    /// The server has begun anew and is not open before what it may have lost is put back (`lua/fence.lua`). Nothing happened.
    Shut,
}

/// Between calls that meet a shut partition and the task that mends.
#[derive(Debug, Default)]
pub(super) struct Fence {
    shut: Notify,
    opened: Notify,
}

impl Fence {
    /// Asks for mending and waits for it, but not for longer than this.
    async fn opened(&self, at_most: Duration) {
        let opened = self.opened.notified();
        self.shut.notify_one();
        // Whether it is open, the next try will tell.
        let _ = tokio::time::timeout(at_most, opened).await;
    }

    /// Ready when somebody has met a shut partition.
    pub(super) async fn shut(&self) {
        self.shut.notified().await;
    }

    /// All partitions are open.
    pub(super) fn open(&self) {
        self.opened.notify_waiters();
    }
}

/// A call's place among those in flight; taken even when there was none left, so that dropping it always gives one back.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn answer_error(text: &str, access: Access) -> Result<Turned, LogError> {
    if error::is_missing_function(text) {
        return Ok(Turned::Unknown);
    }
    Err(error::refused(text, access))
}
