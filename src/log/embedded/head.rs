//! The head of a log: what an append needs to know of it, in one row beside its newest record.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use redb::ReadableTable as _;

use crate::model::{LogId, Millis, Position, TenantId};

use super::codec::{Fields, Row};
use super::fault::Fault;
use super::schema::{Rows, head_key};

const HEAD: u8 = 1;
const CLOSED: u8 = 1;
const TENANT: u8 = 2;
const PEER: u8 = 4;
const ALIVE: u8 = 8;
const TIMERS: u8 = 16;

/// Where a log stands, and what else is to be forgotten with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) top: Position,
    /// Just before the first record kept.
    pub(super) base: Position,
    /// Number of the last snapshot; 0 for none.
    pub(super) snapshot: u64,
    pub(super) expires: Millis,
    pub(super) closed: bool,
    /// Whether it ever had a liveness deadline, or timers.
    pub(super) alive: bool,
    pub(super) timers: bool,
    /// Places of its records since the last full stretch.
    pub(super) recent: Vec<u64>,
    /// Among whose open sessions it is.
    pub(super) tenant: Option<TenantId>,
    /// Whose open session it is or was.
    pub(super) peer: Option<Bytes>,
}

impl Head {
    /// Where a rebuild begins: the last snapshot, else the first record kept.
    pub(super) fn tail_from(&self) -> u64 {
        self.snapshot.max(self.base.n + 1)
    }

    pub(super) fn is_gone(&self, now: Millis) -> bool {
        self.expires <= now
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let flag = |set, bit| if set { bit } else { 0 };
        let flags = flag(self.closed, CLOSED)
            | flag(self.tenant.is_some(), TENANT)
            | flag(self.peer.is_some(), PEER)
            | flag(self.alive, ALIVE)
            | flag(self.timers, TIMERS);
        let mut row = Row::new()
            .u8(HEAD)
            .u8(flags)
            .position(self.top)
            .position(self.base)
            .u64(self.snapshot)
            .u64(self.expires.0);
        row = encode_recent(row, &self.recent);
        if let Some(tenant) = self.tenant {
            row = row.tenant(tenant);
        }
        if let Some(peer) = &self.peer {
            row = row.raw(peer);
        }
        row.bytes()
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields(row);
        fields.version(HEAD)?;
        let flags = fields.u8()?;
        Ok(Self {
            closed: flags & CLOSED != 0,
            alive: flags & ALIVE != 0,
            timers: flags & TIMERS != 0,
            top: fields.position()?,
            base: fields.position()?,
            snapshot: fields.u64()?,
            expires: fields.millis()?,
            recent: decode_recent(&mut fields)?,
            tenant: (flags & TENANT != 0).then(|| fields.tenant()).transpose()?,
            peer: (flags & PEER != 0).then(|| Bytes::copy_from_slice(fields.0)),
        })
    }
}

/// Places grow, and those of one log lie close: their count, then each distance from the one before, seven bits a byte.
fn encode_recent(row: Row, recent: &[u64]) -> Row {
    let count = u8::try_from(recent.len()).unwrap_or(u8::MAX);
    let mut row = row.u8(count);
    let mut before = 0;
    for place in recent {
        let mut distance = place.wrapping_sub(before);
        before = *place;
        while distance >= 0x80 {
            row = row.u8((distance & 0x7f) as u8 | 0x80);
            distance >>= 7;
        }
        row = row.u8((distance & 0x7f) as u8);
    }
    row
}

fn decode_recent(fields: &mut Fields<'_>) -> Result<Vec<u64>, Fault> {
    let count = usize::from(fields.u8()?);
    let mut recent = Vec::with_capacity(count);
    let mut place = 0_u64;
    for _ in 0..count {
        let (mut distance, mut shift) = (0_u64, 0);
        loop {
            let byte = fields.u8()?;
            if shift > 63 {
                return Err(Fault::Damaged("a place beyond all places"));
            }
            distance |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        place = place.wrapping_add(distance);
        recent.push(place);
    }
    Ok(recent)
}

/// Heads of recently used logs, ahead of the disk by the group being applied.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// As they are written: half of what they are when read.
    known: HashMap<LogId, Box<[u8]>>,
    changed: HashSet<LogId>,
}

/// Beyond this all are forgotten and read again as needed.
const MAX_KNOWN: usize = 65_536;

impl Heads {
    /// As it is after what the group did so far; it may have expired.
    pub(super) fn get(&mut self, table: &Rows<'_>, log: LogId) -> Result<Option<Head>, Fault> {
        match self.known.entry(log) {
            Entry::Occupied(known) => Head::decode(known.get()).map(Some),
            Entry::Vacant(unknown) => {
                let Some(row) = table.get(&head_key(log)[..])? else {
                    return Ok(None);
                };
                let head = Head::decode(row.value())?;
                unknown.insert(row.value().into());
                Ok(Some(head))
            }
        }
    }

    pub(super) fn set(&mut self, log: LogId, head: &Head) {
        self.known.insert(log, head.encode().into_boxed_slice());
        self.changed.insert(log);
    }

    pub(super) fn remove(&mut self, log: LogId) {
        self.known.remove(&log);
        self.changed.remove(&log);
    }

    /// Writes each changed head once, however many appends of the group changed it.
    pub(super) fn write(&mut self, table: &mut Rows<'_>) -> Result<(), Fault> {
        for log in self.changed.drain() {
            if let Some(head) = self.known.get(&log) {
                table.insert(&head_key(log)[..], &head[..])?;
            }
        }
        if self.known.len() > MAX_KNOWN {
            self.known.clear();
        }
        Ok(())
    }

    /// The group did not happen: what is known is what is on the disk.
    pub(super) fn forget_all(&mut self) {
        self.known.clear();
        self.changed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChainHash;

    #[test]
    fn a_head_reads_back_as_written() {
        let plain = Head {
            top: Position {
                n: 7,
                hash: ChainHash([3; 8]),
            },
            snapshot: 4,
            expires: Millis(99),
            ..Head::default()
        };
        let full = Head {
            closed: true,
            alive: true,
            timers: true,
            recent: vec![3, 4, 200, 70_000, u64::MAX],
            tenant: Some(TenantId(uuid::Uuid::from_u128(5))),
            peer: Some(Bytes::from_static(b"peer")),
            ..plain.clone()
        };
        for head in [plain, full] {
            assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        }
        assert!(Head::decode(&[HEAD, 0, 1]).is_err());
        assert!(Head::decode(&[9; 60]).is_err());
    }
}
