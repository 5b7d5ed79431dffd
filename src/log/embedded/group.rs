//! Appends, applied one after the other to the transaction of their group.

use crate::log::append::{
    Answer, Append, Basis, Index, NewEffect, NewRecord, PeerKey, StoredBody, StoredRecord, TimerChange,
};
use crate::model::{LogId, Millis, Position, TenantId};
use redb::ReadableTable as _;

use super::codec::{Fields, Row, encode_record};
use super::fault::Fault;
use super::head::{Head, Heads};
use super::places::{STRETCH, encode_places, stretch_of};
use super::schema::{
    Tables, end_of_hour, expiry_key, open_key, peer_key, place_key, stretch_key, timer_due_key, timer_key,
};
use super::{keys, lanes, sweep};

/// Effects of one group are numbered below this: 256 appends with 128 effects each.
const EFFECTS_PER_GROUP: u64 = 1 << 16;

/// The transaction of one group, while it is being put together.
pub(super) struct Group<'t> {
    pub(super) tables: Tables<'t>,
    pub(super) heads: &'t mut Heads,
    pub(super) now: Millis,
    pub(super) partitions: u16,
    /// Whether there is anything to commit.
    pub(super) dirty: bool,
    /// What follows from the commit.
    pub(super) after: Vec<After>,
    /// Where the next record goes.
    pub(super) next_place: u64,
    next_effect: u64,
}

/// Something to be done once the group is on the disk.
#[derive(Debug)]
pub(super) enum After {
    /// Tell the watchers.
    Records(LogId, Vec<StoredRecord>),
    /// The log's liveness deadline.
    Alive(LogId, Millis),
    /// It has none any more.
    NotAlive(LogId),
    /// How many dead letters went for their age or number.
    Dropped(u64),
}

/// Into which log, and with what before the records.
struct Target<'a> {
    log: LogId,
    opening: &'a [NewRecord],
    opening_effects: &'a [NewEffect],
    effects: &'a [NewEffect],
}

impl<'t> Group<'t> {
    /// `number` is the group's own and only ever grows.
    pub(super) fn new(
        tables: Tables<'t>,
        heads: &'t mut Heads,
        number: u64,
        next_place: u64,
        partitions: u16,
        now: Millis,
    ) -> Self {
        Self {
            tables,
            heads,
            now,
            partitions,
            dirty: false,
            after: Vec::new(),
            next_place,
            next_effect: number.saturating_mul(EFFECTS_PER_GROUP),
        }
    }

    pub(super) fn partition(&self, log: LogId) -> u16 {
        log.spread().partition(self.partitions)
    }

    /// The head of a log that is there and has not expired.
    pub(super) fn head(&mut self, log: LogId) -> Result<Option<Head>, Fault> {
        let now = self.now;
        let head = self.heads.get(&self.tables.log, log)?;
        Ok(head.filter(|head| !head.is_gone(now)))
    }

    /// The whole append or nothing of it.
    pub(super) fn append(&mut self, append: &Append) -> Result<Answer, Fault> {
        if let Some(key) = &append.key {
            let partition = self.partition(append.log);
            if let Some(answer) = keys::recall(&self.tables.key, partition, key, self.now)? {
                return Ok(answer);
            }
        }
        if let Some(peer) = &append.guard {
            let key = peer_key(self.partition(append.log), &peer.0);
            if self.tables.opted.get(&key[..])?.is_some() {
                return Ok(Answer::OptedOut);
            }
        }
        match self.target(append)? {
            Ok(target) => self.write(append, &target),
            Err(answer) => Ok(answer),
        }
    }

    fn target<'a>(&mut self, append: &'a Append) -> Result<Result<Target<'a>, Answer>, Fault> {
        let into = |log| Target {
            log,
            opening: &[],
            opening_effects: &[],
            effects: &append.effects,
        };
        let head = self.head(append.log)?;
        let top = head.as_ref().map(|head| head.top).unwrap_or_default();
        let is_open = head.is_some_and(|head| !head.closed);
        Ok(match &append.basis {
            Basis::Decided(position) if *position == top => Ok(into(append.log)),
            Basis::Decided(_) => Err(Answer::Refused { top }),
            Basis::Admitted if is_open => Ok(into(append.log)),
            Basis::Admitted => Err(Answer::Closed),
            Basis::Peer {
                peer,
                opening,
                opening_effects,
                quiet,
            } => match self.open_session(append.log, peer)? {
                Some((log, top)) if *quiet == Some(top) => Ok(Target {
                    effects: &[],
                    ..into(log)
                }),
                Some((log, _)) => Ok(into(log)),
                None if opening.is_empty() => Err(Answer::Closed),
                None if top.n > 0 => Err(Answer::Refused { top }),
                None => Ok(Target {
                    opening,
                    opening_effects,
                    ..into(append.log)
                }),
            },
        })
    }

    /// The peer's open session, and its top.
    fn open_session(&mut self, beside: LogId, peer: &PeerKey) -> Result<Option<(LogId, Position)>, Fault> {
        let Some(log) = self.peer_row(self.partition(beside), peer)? else {
            return Ok(None);
        };
        let head = self.head(log)?.filter(|head| !head.closed);
        Ok(head.map(|head| (log, head.top)))
    }

    fn peer_row(&self, partition: u16, peer: &PeerKey) -> Result<Option<LogId>, Fault> {
        let row = self.tables.peer.get(&peer_key(partition, &peer.0)[..])?;
        row.map(|row| Fields(row.value()).log()).transpose()
    }

    fn write(&mut self, append: &Append, target: &Target<'_>) -> Result<Answer, Fault> {
        self.dirty = true;
        let log = target.log;
        let mut head = self.head_to_write(log)?;
        let begin = head.top.n + 1;
        let first = begin + target.opening.len() as u64;
        let mut stored = Vec::with_capacity(target.opening.len() + append.records.len());
        for record in target.opening.iter().chain(&append.records) {
            stored.push(self.record(log, &mut head, record)?);
        }
        for effect in target.opening_effects {
            self.effect(log, begin, effect)?;
        }
        for effect in target.effects {
            self.effect(log, first, effect)?;
        }
        for change in &append.timers {
            self.timer(log, &mut head, *change)?;
        }
        self.expire(log, &mut head, append.expire_ms)?;
        head.closed |= append.closes;
        let opened = !target.opening.is_empty();
        if opened && let Basis::Peer { peer, .. } = &append.basis {
            self.index(log, &mut head, &Index::Peer(peer.clone()))?;
        }
        for index in &append.indexes {
            self.index(log, &mut head, index)?;
        }
        if let Some(key) = &append.key {
            let partition = self.partition(log);
            keys::remember(&mut self.tables.key, partition, key, log, first, self.now)?;
        }
        let top = head.top;
        self.heads.set(log, &head);
        self.after.push(After::Records(log, stored));
        Ok(Answer::Appended {
            log,
            first,
            top,
            opened,
        })
    }

    /// A log that expired and was not swept yet begins anew.
    fn head_to_write(&mut self, log: LogId) -> Result<Head, Fault> {
        let now = self.now;
        match self.heads.get(&self.tables.log, log)? {
            Some(head) if head.is_gone(now) => {
                sweep::forget(self, log, &head, usize::MAX)?;
                Ok(Head::default())
            }
            head => Ok(head.unwrap_or_default()),
        }
    }

    fn record(&mut self, log: LogId, head: &mut Head, record: &NewRecord) -> Result<StoredRecord, Fault> {
        head.top = head.top.then(&record.digest);
        let (n, hash) = (head.top.n, head.top.hash);
        if record.snapshot {
            head.snapshot = n;
        }
        let place = self.next_place;
        self.next_place += 1;
        let row = Row::new()
            .log(log)
            .u64(n)
            .raw(&encode_record(hash, record))
            .bytes();
        self.tables.record.insert(&place_key(place)[..], &row[..])?;
        head.recent.push(place);
        if n.is_multiple_of(STRETCH) {
            let key = stretch_key(log, stretch_of(n));
            let places = encode_places(&std::mem::take(&mut head.recent));
            self.tables.log.insert(&key[..], &places[..])?;
        }
        Ok(StoredRecord {
            n,
            hash,
            digest: record.digest,
            envelope: record.envelope.clone(),
            body: record.body.clone().map_or(StoredBody::None, StoredBody::Present),
        })
    }

    pub(super) fn effect(&mut self, log: LogId, n: u64, effect: &NewEffect) -> Result<(), Fault> {
        let sequence = self.next_effect;
        self.next_effect += 1;
        let partition = self.partition(log);
        lanes::push(&mut self.tables, partition, log, n, effect, sequence, self.now)
    }

    fn timer(&mut self, log: LogId, head: &mut Head, change: TimerChange) -> Result<(), Fault> {
        let partition = self.partition(log);
        let (TimerChange::Set { name, .. } | TimerChange::Clear { name }) = change;
        let key = timer_key(log, name);
        let before = match self.tables.timer.remove(&key[..])? {
            Some(row) => Some(Fields(row.value()).millis()?),
            None => None,
        };
        if let Some(before) = before {
            let due = timer_due_key(partition, before, log, name);
            self.tables.timer_due.remove(&due[..])?;
        }
        if let TimerChange::Set { due, .. } = change {
            head.timers = true;
            self.tables.timer.insert(&key[..], &due.0.to_be_bytes()[..])?;
            let due = timer_due_key(partition, due, log, name);
            self.tables.timer_due.insert(&due[..], &[][..])?;
        }
        Ok(())
    }

    /// Moves the end of a log; its rows in other tables only where it comes into another hour.
    pub(super) fn expire(&mut self, log: LogId, head: &mut Head, expire_ms: u64) -> Result<(), Fault> {
        let before = std::mem::replace(&mut head.expires, self.now.plus(expire_ms));
        let (old, new) = (expiry_key(before, log), expiry_key(head.expires, log));
        if old != new {
            self.tables.expiry.remove(&old[..])?;
            self.tables.expiry.insert(&new[..], &[][..])?;
            if let Some(tenant) = head.tenant {
                self.open(tenant, log, head)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, tenant: TenantId, log: LogId, head: &Head) -> Result<(), Fault> {
        let until = end_of_hour(head.expires).0.to_be_bytes();
        self.tables.open.insert(&open_key(tenant, log)[..], &until[..])?;
        Ok(())
    }

    fn index(&mut self, log: LogId, head: &mut Head, index: &Index) -> Result<(), Fault> {
        match index {
            Index::Open(tenant) => {
                if head.tenant.replace(*tenant) != Some(*tenant) {
                    self.open(*tenant, log, head)?;
                }
            }
            Index::Shut(tenant) => {
                self.tables.open.remove(&open_key(*tenant, log)[..])?;
                head.tenant = head.tenant.filter(|other| other != tenant);
            }
            Index::Peer(peer) => {
                let key = peer_key(self.partition(log), &peer.0);
                self.tables.peer.insert(&key[..], &log.as_bytes()[..])?;
                head.peer = Some(peer.0.clone());
            }
            Index::Unpeer(peer) => {
                let partition = self.partition(log);
                if self.peer_row(partition, peer)? == Some(log) {
                    self.tables.peer.remove(&peer_key(partition, &peer.0)[..])?;
                    head.peer = None;
                }
            }
            Index::Alive { ttl_ms } => {
                head.alive = true;
                self.tables
                    .alive
                    .insert(&log.as_bytes()[..], &ttl_ms.to_be_bytes()[..])?;
                self.after.push(After::Alive(log, self.now.plus(*ttl_ms)));
            }
            Index::NotAlive => {
                self.tables.alive.remove(&log.as_bytes()[..])?;
                self.after.push(After::NotAlive(log));
            }
            Index::OptOut(peer) => self.opt(self.partition(log), peer, true)?,
            Index::OptIn(peer) => self.opt(self.partition(log), peer, false)?,
        }
        Ok(())
    }

    /// Opts a peer out, or in again.
    pub(super) fn opt(&mut self, partition: u16, peer: &PeerKey, out: bool) -> Result<(), Fault> {
        self.dirty = true;
        let key = peer_key(partition, &peer.0);
        if out {
            self.tables.opted.insert(&key[..], &[][..])?;
        } else {
            self.tables.opted.remove(&key[..])?;
        }
        Ok(())
    }
}
