//! The whole state and the rules of an append. Pure: time is an argument.

use std::collections::{HashMap, HashSet};

use crate::log::append::{
    Answer, Append, Basis, Index, NewEffect, NewRecord, PeerKey, StoredRecord, TimerChange,
};
use crate::log::local::{Deadlines, MatchTables};
use crate::log::store::NodeId;
use crate::model::{LogId, Millis, Spread, TenantId};

use super::dead::DeadLetters;
use super::keys::Keys;
use super::lanes::Lanes;
use super::logs::Logs;
use super::references::References;

/// Everything a store holds.
#[derive(Debug)]
pub(super) struct State {
    pub(super) logs: Logs,
    pub(super) partitions: Vec<Partition>,
    pub(super) open: HashMap<TenantId, HashMap<LogId, Millis>>,
    pub(super) tables: MatchTables,
    pub(super) nodes: HashMap<NodeId, (u32, Millis)>,
    pub(super) spent: Deadlines<[u8; 16]>,
}

/// What is found by partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) keys: Keys,
    pub(super) peers: HashMap<PeerKey, LogId>,
    pub(super) lanes: Lanes,
    pub(super) timers: Deadlines<(LogId, u16)>,
    pub(super) alive: Deadlines<LogId>,
    pub(super) dead: DeadLetters,
    pub(super) references: References,
    pub(super) opted_out: HashSet<PeerKey>,
}

impl Partition {
    pub(super) fn opt(&mut self, peer: PeerKey, out: bool) {
        if out {
            self.opted_out.insert(peer);
        } else {
            self.opted_out.remove(&peer);
        }
    }
}

/// Into which log, and with what before the records.
struct Target<'a> {
    log: LogId,
    opening: &'a [NewRecord],
    opening_effects: &'a [NewEffect],
    effects: &'a [NewEffect],
}

impl State {
    pub(super) fn new(partitions: u16) -> Self {
        Self {
            logs: Logs::default(),
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            open: HashMap::new(),
            tables: MatchTables::default(),
            nodes: HashMap::new(),
            spent: Deadlines::default(),
        }
    }

    /// A partition the caller names is his to get right; modulo keeps a wrong one from ending the process.
    pub(super) fn partition(&mut self, number: u16) -> &mut Partition {
        let count = self.partitions.len();
        &mut self.partitions[usize::from(number) % count]
    }

    pub(super) fn of(&mut self, log: LogId) -> &mut Partition {
        self.spread(log.spread())
    }

    pub(super) fn spread(&mut self, spread: Spread) -> &mut Partition {
        self.partition(spread.partition(self.count()))
    }

    /// Whether a partition is that of a log.
    pub(super) fn is_of(&self, log: LogId, partition: u16) -> bool {
        log.spread().partition(self.count()) == partition
    }

    fn count(&self) -> u16 {
        u16::try_from(self.partitions.len()).unwrap_or(u16::MAX)
    }

    /// The whole append or nothing of it; with it, what watchers are to be told.
    pub(super) fn append(&mut self, append: &Append, now: Millis) -> (Answer, LogId, Vec<StoredRecord>) {
        let nothing = |answer| (answer, append.log, Vec::new());
        if let Some(key) = &append.key
            && let Some(answer) = self.of(append.log).keys.recall(key, now)
        {
            return nothing(answer);
        }
        if let Some(peer) = &append.guard
            && self.of(append.log).opted_out.contains(peer)
        {
            return nothing(Answer::OptedOut);
        }
        match self.target(append, now) {
            Ok(target) => self.write(append, &target, now),
            Err(answer) => nothing(answer),
        }
    }

    fn target<'a>(&mut self, append: &'a Append, now: Millis) -> Result<Target<'a>, Answer> {
        let into = |log| Target {
            log,
            opening: &[],
            opening_effects: &[],
            effects: &append.effects,
        };
        let top = self.logs.top(append.log, now);
        match &append.basis {
            Basis::Decided(position) if *position == top => Ok(into(append.log)),
            Basis::Decided(_) => Err(Answer::Refused { top }),
            Basis::Admitted => match self.logs.get(append.log, now) {
                Some(entry) if !entry.is_closed() => Ok(into(append.log)),
                _ => Err(Answer::Closed),
            },
            Basis::Peer {
                peer,
                opening,
                opening_effects,
                quiet,
            } => match self.open_session(append.log, peer, now) {
                Some(log) if *quiet == Some(self.logs.top(log, now)) => Ok(Target {
                    effects: &[],
                    ..into(log)
                }),
                Some(log) => Ok(into(log)),
                None if opening.is_empty() => Err(Answer::Closed),
                None if top.n > 0 => Err(Answer::Refused { top }),
                None => Ok(Target {
                    opening,
                    opening_effects,
                    ..into(append.log)
                }),
            },
        }
    }

    fn open_session(&mut self, beside: LogId, peer: &PeerKey, now: Millis) -> Option<LogId> {
        let log = self.of(beside).peers.get(peer).copied()?;
        self.is_open(log, now).then_some(log)
    }

    pub(super) fn is_open(&self, log: LogId, now: Millis) -> bool {
        self.logs.get(log, now).is_some_and(|entry| !entry.is_closed())
    }

    fn write(
        &mut self,
        append: &Append,
        target: &Target<'_>,
        now: Millis,
    ) -> (Answer, LogId, Vec<StoredRecord>) {
        let log = target.log;
        let expires = now.plus(append.expire_ms);
        let records = target.opening.iter().chain(&append.records);
        let stored = self.logs.append(log, records, expires, append.closes, now);
        let top = self.logs.top(log, now);
        let opened = !target.opening.is_empty();
        let begin = top.n + 1 - stored.len() as u64;
        let first = begin + target.opening.len() as u64;

        let partition = self.of(log);
        partition.lanes.push(log, begin, target.opening_effects, now);
        partition.lanes.push(log, first, target.effects, now);
        for change in &append.timers {
            match *change {
                TimerChange::Set { name, due } => {
                    partition.timers.set((log, name), due);
                }
                TimerChange::Clear { name } => partition.timers.clear(&(log, name)),
            }
        }
        if let Some(key) = append.key.clone() {
            partition.keys.remember(key, log, first, now);
        }
        if opened && let Basis::Peer { peer, .. } = &append.basis {
            partition.peers.insert(peer.clone(), log);
        }
        for index in &append.indexes {
            self.index(log, index, expires, now);
        }
        let answer = Answer::Appended {
            log,
            first,
            top,
            opened,
        };
        (answer, log, stored)
    }

    fn index(&mut self, log: LogId, index: &Index, expires: Millis, now: Millis) {
        match index {
            Index::Open(tenant) => {
                self.open.entry(*tenant).or_default().insert(log, expires);
            }
            Index::Shut(tenant) => {
                if let Some(open) = self.open.get_mut(tenant) {
                    open.remove(&log);
                }
            }
            Index::Peer(peer) => {
                self.of(log).peers.insert(peer.clone(), log);
            }
            Index::Unpeer(peer) => {
                let peers = &mut self.of(log).peers;
                if peers.get(peer) == Some(&log) {
                    peers.remove(peer);
                }
            }
            Index::Alive { ttl_ms } => {
                self.of(log).alive.set(log, now.plus(*ttl_ms));
            }
            Index::NotAlive => self.of(log).alive.clear(&log),
            Index::OptOut(peer) => self.of(log).opt(peer.clone(), true),
            Index::OptIn(peer) => self.of(log).opt(peer.clone(), false),
        }
    }
}
