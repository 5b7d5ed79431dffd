//! Forgetting, in bounded steps: each group removes a few rows of what nobody can see any more.

use redb::ReadableTable as _;

use crate::log::local::DEPARTED_MS;
use crate::model::{LogId, Millis};

use super::codec::Fields;
use super::fault::Fault;
use super::group::{After, Group};
use super::head::Head;
use super::keys;
use super::places::decode_places;
use super::schema::{
    HOUR_MS, Rows, after, head_key, open_key, peer_key, place_key, stretch_key, timer_due_key,
};

/// Rows that one group removes at most.
const STEP: usize = 256;

impl Group<'_> {
    pub(super) fn sweep(&mut self) -> Result<(), Fault> {
        let now = self.now;
        let mut budget = STEP.saturating_sub(self.sweep_logs(STEP)?);
        budget -= drain_below(&mut self.tables.key, &keys::horizon(now), budget)?;
        let departed = now.0.saturating_sub(DEPARTED_MS).to_be_bytes();
        budget -= drain_below(&mut self.tables.departed, &departed, budget)?;
        budget -= self.sweep_spent(budget)?;
        budget -= self.sweep_dead(budget)?;
        budget -= self.sweep_references(budget)?;
        self.dirty |= budget < STEP;
        Ok(())
    }

    /// Returns how many rows it removed: `budget`, give or take a stretch.
    fn sweep_logs(&mut self, budget: usize) -> Result<usize, Fault> {
        let mut removed = 0;
        while removed < budget {
            let Some(key) = self.expired_entry()? else {
                break;
            };
            let mut fields = Fields(&key);
            let hour = fields.u64()?;
            let log = fields.log()?;
            // Damage to a head must not keep the log from being forgotten.
            let head = match self.heads.get(&self.tables.log, log) {
                Ok(head) => head,
                Err(Fault::Damaged(_)) => Some(Head::default()),
                Err(fault) => return Err(fault),
            };
            if let Some(head) = head.filter(|head| head.expires.0 / HOUR_MS <= hour && head.is_gone(self.now))
            {
                removed += forget(self, log, &head, budget - removed)?;
                if removed >= budget {
                    break;
                }
            }
            self.tables.expiry.remove(&key[..])?;
            removed += 1;
        }
        Ok(removed)
    }

    /// The first entry whose whole hour is over.
    fn expired_entry(&self) -> Result<Option<Vec<u8>>, Fault> {
        let Some((key, _)) = self.tables.expiry.first()? else {
            return Ok(None);
        };
        let hour = Fields(key.value()).u64()?;
        Ok((hour < self.now.0 / HOUR_MS).then(|| key.value().to_vec()))
    }

    fn sweep_spent(&mut self, budget: usize) -> Result<usize, Fault> {
        let end = self.now.0.to_be_bytes();
        let mut removed = 0;
        while removed < budget {
            let Some(key) = first_below(&self.tables.spent_due, &end)? else {
                break;
            };
            let mut fields = Fields(&key);
            let until: Millis = fields.millis()?;
            let token: [u8; 16] = fields.array()?;
            self.tables.spent_due.remove(&key[..])?;
            // It may have been spent again since.
            let is_over = match self.tables.spent.get(&token[..])? {
                Some(row) => Fields(row.value()).millis()? <= until,
                None => false,
            };
            if is_over {
                self.tables.spent.remove(&token[..])?;
            }
            removed += 1;
        }
        Ok(removed)
    }
}

/// Removes a log that has expired, except effects that still wait; its head goes last, when `budget` rows were enough for the
/// records, give or take a stretch. Returns how many rows it removed; `budget` or more means that it is not finished.
pub(super) fn forget(group: &mut Group<'_>, log: LogId, head: &Head, budget: usize) -> Result<usize, Fault> {
    let mut removed = 0;
    while let Some((key, places)) = first_stretch(group, log)? {
        if removed >= budget {
            return Ok(removed);
        }
        removed += places.len() + 1;
        forget_records(group, &places)?;
        group.tables.log.remove(&key[..])?;
    }
    forget_records(group, &head.recent)?;
    removed += head.recent.len();
    let partition = group.partition(log);
    group.tables.log.remove(&head_key(log)[..])?;
    group.heads.remove(log);
    if let Some(tenant) = head.tenant {
        group.tables.open.remove(&open_key(tenant, log)[..])?;
    }
    if let Some(peer) = &head.peer {
        let key = peer_key(partition, peer);
        let is_its = match group.tables.peer.get(&key[..])? {
            Some(row) => row.value() == log.as_bytes(),
            None => false,
        };
        if is_its {
            group.tables.peer.remove(&key[..])?;
        }
    }
    if head.alive {
        group.tables.alive.remove(&log.as_bytes()[..])?;
        group.after.push(After::NotAlive(log));
    }
    if head.timers {
        forget_timers(group, partition, log)?;
    }
    Ok(removed)
}

/// Key and places.
type Stretch = (Vec<u8>, Vec<u64>);

fn first_stretch(group: &Group<'_>, log: LogId) -> Result<Option<Stretch>, Fault> {
    let (begin, end) = (stretch_key(log, 0), head_key(log));
    let mut stretches = group.tables.log.range(&begin[..]..&end[..])?;
    let Some(row) = stretches.next() else {
        return Ok(None);
    };
    let (key, row) = row?;
    Ok(Some((key.value().to_vec(), decode_places(row.value())?)))
}

fn forget_records(group: &mut Group<'_>, places: &[u64]) -> Result<(), Fault> {
    for place in places {
        group.tables.record.remove(&place_key(*place)[..])?;
    }
    Ok(())
}

fn forget_timers(group: &mut Group<'_>, partition: u16, log: LogId) -> Result<(), Fault> {
    let (begin, end) = (log.as_bytes(), after(log.as_bytes()));
    let mut timers = Vec::new();
    for row in group.tables.timer.range(&begin[..]..&end[..])? {
        let (key, due) = row?;
        let mut fields = Fields(key.value());
        fields.log()?;
        timers.push((fields.u16()?, Fields(due.value()).millis()?));
    }
    for (name, due) in timers {
        let key = timer_due_key(partition, due, log, name);
        group.tables.timer_due.remove(&key[..])?;
    }
    drain(&mut group.tables.timer, &begin[..], &end, usize::MAX)?;
    Ok(())
}

fn first_below(table: &Rows<'_>, end: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let first = table.first()?.map(|(key, _)| key.value().to_vec());
    Ok(first.filter(|key| &key[..] < end))
}

/// Removes up to `limit` rows with keys below `end`; mostly there are none, and a look at the first says so.
fn drain_below(table: &mut Rows<'_>, end: &[u8], limit: usize) -> Result<usize, Fault> {
    if first_below(table, end)?.is_none() {
        return Ok(0);
    }
    drain(table, &[], end, limit)
}

/// Removes up to `limit` rows with keys from `begin` to below `end`; returns how many.
pub(super) fn drain(table: &mut Rows<'_>, begin: &[u8], end: &[u8], limit: usize) -> Result<usize, Fault> {
    if limit == 0 || begin >= end {
        return Ok(0);
    }
    let mut removed = 0;
    for row in table.extract_from_if(begin..end, |_, _| true)?.take(limit) {
        row?;
        removed += 1;
    }
    Ok(removed)
}
