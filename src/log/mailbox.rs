//! A customer's mailbox of secure e-mail: a feed of what lies in it, beside the sessions the mails themselves are in.
//!
//! Entries are admitted, never decided, so that any node enters a mail in one round trip. An entry is recognised by the mail it
//! stands for: whoever enters it, and however often, it lies there once for as long as an effect may still be tried.

use bytes::Bytes;

use crate::model::{Body, LogId, MailEvent, Millis, Position, Record};
use crate::protocol::entry;
use crate::protocol::securemail::Mail;

use super::append::{Answer, Append, Basis, Key, NewRecord, StoredBody, StoredRecord};
use super::bounds::MAX_BATCH;
use super::error::LogError;
use super::store::SharedLog;

/// Entries a mailbox keeps; older ones are forgotten.
const ENTRIES_MAX: u64 = 10_000;
/// Every so many entries what is too old is forgotten.
const TIDY_EVERY: u64 = 64;
/// Entries looked at when it is.
const TIDY_LOOK: usize = 256;
/// How often an append is tried: the first of all entries races with the others.
const TRIES: u32 = 5;
/// Above every number of a log, and exact in every store.
const TOP: u64 = u32::MAX as u64;

/// A stretch of a mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct MailPage {
    /// The entries, newest first. What cannot be read is left out.
    pub entries: Vec<Record<MailEvent>>,
    /// Where the next older stretch ends; `None`: there is none.
    pub below: Option<u64>,
}

/// The mailbox of one address.
pub struct Mailbox {
    log: SharedLog,
    id: LogId,
    keep_ms: u64,
}

impl Mailbox {
    /// The mailbox with this id (see [`LogId::mailbox`]), whose entries are kept so long.
    #[must_use]
    pub fn new(log: SharedLog, id: LogId, keep_ms: u64) -> Self {
        Self { log, id, keep_ms }
    }

    /// Enters a mail. Entering it again changes nothing.
    ///
    /// # Errors
    /// The store's; trying again is safe.
    pub async fn enter(&self, mail: &Mail) -> Result<(), LogError> {
        self.put(b'm', (mail.session, mail.n), mail.entry()).await
    }

    /// Notes that a mail was read. Noting it again changes nothing.
    ///
    /// # Errors
    /// The store's; trying again is safe.
    pub async fn read(&self, session: LogId, n: u64, at: Millis) -> Result<(), LogError> {
        let entry = Record {
            at,
            cause: None,
            event: MailEvent::Read { session, n },
            body: Body::None,
        };
        self.put(b'r', (session, n), entry).await
    }

    /// The entries up to and including number `upto`; `None` for the newest.
    ///
    /// # Errors
    /// The store's.
    pub async fn page(&self, upto: Option<u64>) -> Result<MailPage, LogError> {
        let page = self
            .log
            .read_backward(self.id, upto.unwrap_or(TOP), MAX_BATCH)
            .await?;
        let records = page.map(|page| page.records).unwrap_or_default();
        let oldest = records.first().map_or(0, |record| record.n);
        let whole = records.len() == MAX_BATCH;
        Ok(MailPage {
            entries: records.iter().rev().filter_map(decode).collect(),
            below: oldest.checked_sub(1).filter(|below| whole && *below > 0),
        })
    }

    async fn put(&self, what: u8, mail: (LogId, u64), entry: Record<MailEvent>) -> Result<(), LogError> {
        let append = Append {
            log: self.id,
            basis: Basis::Admitted,
            records: vec![encode(&entry)],
            key: Some(self.key(what, mail)),
            guard: None,
            effects: Vec::new(),
            timers: Vec::new(),
            indexes: Vec::new(),
            expire_ms: self.keep_ms,
            closes: false,
        };
        let mut basis = Basis::Admitted;
        for _ in 0..TRIES {
            let asked = Append {
                basis: basis.clone(),
                ..append.clone()
            };
            match self.log.append(asked).await {
                Ok(Answer::Appended { first, .. }) => {
                    if first % TIDY_EVERY == 0 {
                        self.tidy(first, entry.at).await;
                    }
                    return Ok(());
                }
                Ok(Answer::Repeat { .. } | Answer::KeyReused) => return Ok(()),
                // There is none yet, or there is one now.
                Ok(Answer::Closed) => basis = Basis::Decided(Position::default()),
                Ok(Answer::Refused { .. } | Answer::OptedOut) => basis = Basis::Admitted,
                // The key makes a second try safe.
                Err(LogError::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(LogError::unavailable("a mailbox took no entry"))
    }

    fn key(&self, what: u8, (session, n): (LogId, u64)) -> Key {
        let mut key = Vec::with_capacity(41);
        key.push(what);
        key.extend_from_slice(self.id.as_bytes());
        key.extend_from_slice(session.as_bytes());
        key.extend_from_slice(&n.to_be_bytes());
        Key {
            key: key.into(),
            body_hash: [0; 16],
            answer: Bytes::new(),
        }
    }

    /// Forgets what is too old or too much. What could not be forgotten now is next time.
    async fn tidy(&self, top: u64, now: Millis) {
        let surplus = top.saturating_sub(ENTRIES_MAX);
        let oldest = self.log.read_forward(self.id, 0, TIDY_LOOK).await;
        let records = oldest.ok().flatten().map(|page| page.records).unwrap_or_default();
        let aged = records
            .iter()
            .take_while(|record| decode(record).is_some_and(|entry| now.since(entry.at) > self.keep_ms))
            .last()
            .map_or(0, |record| record.n + 1);
        let below = surplus.max(aged);
        if below > 0
            && let Err(error) = self.log.trim(self.id, below).await
        {
            tracing::warn!(%error, "a mailbox was not trimmed");
        }
    }
}

/// Every entry stands by itself, so that whatever is older can be forgotten.
fn encode(record: &Record<MailEvent>) -> NewRecord {
    let stored = entry::encode(record);
    NewRecord {
        digest: stored.digest,
        envelope: stored.envelope,
        body: stored.body,
        snapshot: true,
    }
}

fn decode(stored: &StoredRecord) -> Option<Record<MailEvent>> {
    let body = match &stored.body {
        StoredBody::None => Body::None,
        StoredBody::Present(bytes) => Body::Present(bytes.clone()),
        StoredBody::Erased => Body::Erased,
    };
    entry::decode(&stored.envelope, body).ok()
}
