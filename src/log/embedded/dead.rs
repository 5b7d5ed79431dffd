//! Effects that were given up on, by tenant.
//!
//! Each has a row under its id, one by age within its tenant and partition (the oldest go when there are too many), and one by age
//! alone (what is too old is swept); a row of counts says how many a tenant has in a partition.

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable as _};

use crate::log::append::NewEffect;
use crate::log::bounds::{DEAD_HORIZON_MS, DEAD_KEEP_MS, MAX_DEAD_PAGE, dead_share};
use crate::log::effects::EffectId;
use crate::log::outbound::DeadEffect;
use crate::model::{LogId, Millis, TenantId};

use super::codec::{Fields, Row};
use super::fault::Fault;
use super::group::{After, Group};
use super::lanes;
use super::schema::{Tables, after, read};

/// Rows that one dead letter has, its share in a count included.
const ROWS: usize = 4;

/// The dead letters of a tenant in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    tenant: TenantId,
    partition: u16,
}

impl Place {
    fn row(self) -> Row {
        Row::new().tenant(self.tenant).u16(self.partition)
    }

    fn key(self, id: EffectId) -> Vec<u8> {
        self.row().effect(id).bytes()
    }

    fn age_key(self, at: Millis, id: EffectId) -> Vec<u8> {
        self.row().u64(at.0).effect(id).bytes()
    }

    fn due_key(self, at: Millis, id: EffectId) -> Vec<u8> {
        Row::new()
            .u64(at.0)
            .tenant(self.tenant)
            .u16(self.partition)
            .effect(id)
            .bytes()
    }

    fn count(self, tables: &Tables<'_>) -> Result<u64, Fault> {
        let row = tables.dead_count.get(&self.row().bytes()[..])?;
        row.map_or(Ok(0), |row| Fields(row.value()).u64())
    }

    fn set_count(self, tables: &mut Tables<'_>, count: u64) -> Result<(), Fault> {
        let key = self.row().bytes();
        if count == 0 {
            tables.dead_count.remove(&key[..])?;
        } else {
            tables.dead_count.insert(&key[..], &count.to_be_bytes()[..])?;
        }
        Ok(())
    }

    fn insert(self, tables: &mut Tables<'_>, dead: &DeadEffect) -> Result<(), Fault> {
        tables.dead.insert(&self.key(dead.id)[..], &encode(dead)[..])?;
        tables
            .dead_age
            .insert(&self.age_key(dead.at, dead.id)[..], &[][..])?;
        tables
            .dead_due
            .insert(&self.due_key(dead.at, dead.id)[..], &[][..])?;
        let count = self.count(tables)?;
        self.set_count(tables, count.saturating_add(1))
    }

    fn remove(self, tables: &mut Tables<'_>, at: Millis, id: EffectId) -> Result<(), Fault> {
        tables.dead.remove(&self.key(id)[..])?;
        tables.dead_age.remove(&self.age_key(at, id)[..])?;
        tables.dead_due.remove(&self.due_key(at, id)[..])?;
        let count = self.count(tables)?;
        self.set_count(tables, count.saturating_sub(1))
    }

    fn oldest(self, tables: &Tables<'_>) -> Result<Option<(Millis, EffectId)>, Fault> {
        let begin = self.row().bytes();
        let end = after(&begin);
        let Some(row) = tables.dead_age.range(&begin[..]..&end[..])?.next() else {
            return Ok(None);
        };
        let (key, _) = row?;
        let mut fields = Fields(key.value());
        fields.take(begin.len())?;
        Ok(Some((fields.millis()?, fields.effect()?)))
    }
}

impl Group<'_> {
    pub(super) fn bury(
        &mut self,
        id: EffectId,
        lane: &str,
        tenant: TenantId,
        reason: &str,
    ) -> Result<(), Fault> {
        let partition = self.partition(id.log);
        let Some(pending) = lanes::take(&mut self.tables, partition, id, lane, self.now)? else {
            return Ok(());
        };
        self.dirty = true;
        let place = Place { tenant, partition };
        let dead = DeadEffect {
            id,
            lane: lane.to_owned(),
            payload: pending.payload,
            reason: reason.to_owned(),
            at: self.now,
            attempts: pending.attempts,
        };
        place.insert(&mut self.tables, &dead)?;
        let most = dead_share(self.partitions) as u64;
        let mut dropped = 0;
        while place.count(&self.tables)? > most
            && let Some((at, oldest)) = place.oldest(&self.tables)?
        {
            place.remove(&mut self.tables, at, oldest)?;
            dropped += 1;
        }
        self.after.push(After::Dropped(dropped));
        self.keep_log(id.log, DEAD_KEEP_MS, DEAD_KEEP_MS)
    }

    /// Whether it was there.
    pub(super) fn replay(&mut self, tenant: TenantId, id: EffectId) -> Result<bool, Fault> {
        let Some(dead) = self.take_dead(tenant, id)? else {
            return Ok(false);
        };
        let effect = NewEffect {
            place: id.place,
            lane: dead.lane,
            delay_ms: 0,
            payload: dead.payload,
        };
        self.effect(id.log, id.n, &effect)?;
        self.keep_log(id.log, DEAD_KEEP_MS, DEAD_KEEP_MS)?;
        Ok(true)
    }

    /// Whether it was there.
    pub(super) fn discard(&mut self, tenant: TenantId, id: EffectId) -> Result<bool, Fault> {
        Ok(self.take_dead(tenant, id)?.is_some())
    }

    fn take_dead(&mut self, tenant: TenantId, id: EffectId) -> Result<Option<DeadEffect>, Fault> {
        let partition = self.partition(id.log);
        let place = Place { tenant, partition };
        let dead = match self.tables.dead.get(&place.key(id)[..])? {
            Some(row) => decode(id, row.value())?,
            None => return Ok(None),
        };
        if is_over(dead.at, self.now) {
            return Ok(None);
        }
        self.dirty = true;
        place.remove(&mut self.tables, dead.at, id)?;
        Ok(Some(dead))
    }

    /// An effect is rendered from its log's records.
    /// Keeps a log that would be gone in less than `least_ms` for `keep_ms`.
    pub(super) fn keep_log(&mut self, log: LogId, least_ms: u64, keep_ms: u64) -> Result<(), Fault> {
        let Some(mut head) = self.head(log)? else {
            return Ok(());
        };
        if head.expires < self.now.plus(least_ms) {
            self.expire(log, &mut head, keep_ms)?;
            self.heads.set(log, &head);
        }
        Ok(())
    }

    /// Forgets what is too old; returns how many rows it removed.
    pub(super) fn sweep_dead(&mut self, budget: usize) -> Result<usize, Fault> {
        let mut letters = 0;
        while letters * ROWS < budget {
            let oldest = match self.tables.dead_due.first()? {
                Some((key, _)) => due(key.value())?,
                None => break,
            };
            let (at, place, id) = oldest;
            if !is_over(at, self.now) {
                break;
            }
            place.remove(&mut self.tables, at, id)?;
            letters += 1;
        }
        self.after.push(After::Dropped(letters as u64));
        Ok((letters * ROWS).min(budget))
    }
}

pub(super) fn page(
    read_at: &ReadTransaction,
    (partition, tenant): (u16, TenantId),
    from: Option<EffectId>,
    limit: usize,
    now: Millis,
) -> Result<Vec<DeadEffect>, Fault> {
    let place = Place { tenant, partition };
    let prefix = place.row().bytes();
    let end = after(&prefix);
    // No key of the table goes on after the id, so this is the next one after it.
    let begin = from.map_or_else(|| prefix.clone(), |id| [&place.key(id)[..], &[0]].concat());
    let mut page = Vec::new();
    for row in read(read_at, "dead")?.range(&begin[..]..&end[..])? {
        if page.len() >= limit.min(MAX_DEAD_PAGE) {
            break;
        }
        let (key, row) = row?;
        let mut fields = Fields(key.value());
        fields.take(prefix.len())?;
        let dead = decode(fields.effect()?, row.value())?;
        if !is_over(dead.at, now) {
            page.push(dead);
        }
    }
    Ok(page)
}

pub(super) fn count(read_at: &ReadTransaction, tenant: TenantId, now: Millis) -> Result<u64, Fault> {
    let (begin, end) = (tenant.0.as_bytes(), after(tenant.0.as_bytes()));
    let mut count = 0_u64;
    for row in read(read_at, "dead_count")?.range(&begin[..]..&end[..])? {
        count = count.saturating_add(Fields(row?.1.value()).u64()?);
    }
    // What is too old is mostly swept already.
    for row in read(read_at, "dead_due")?.iter()? {
        let (at, place, _) = due(row?.0.value())?;
        if !is_over(at, now) {
            break;
        }
        count = count.saturating_sub(u64::from(place.tenant == tenant));
    }
    Ok(count)
}

/// What a key of `dead_due` says.
fn due(key: &[u8]) -> Result<(Millis, Place, EffectId), Fault> {
    let mut fields = Fields(key);
    let at = fields.millis()?;
    let place = Place {
        tenant: fields.tenant()?,
        partition: fields.u16()?,
    };
    Ok((at, place, fields.effect()?))
}

const fn is_over(at: Millis, now: Millis) -> bool {
    now.since(at) >= DEAD_HORIZON_MS
}

fn encode(dead: &DeadEffect) -> Vec<u8> {
    // Bounds keep a lane's name below 256 bytes and a reason below 64 KiB.
    let lane = u8::try_from(dead.lane.len()).unwrap_or(u8::MAX);
    let reason = u16::try_from(dead.reason.len()).unwrap_or(u16::MAX);
    Row::new()
        .u64(dead.at.0)
        .u32(dead.attempts)
        .u8(lane)
        .raw(dead.lane.as_bytes())
        .u16(reason)
        .raw(dead.reason.as_bytes())
        .raw(&dead.payload)
        .bytes()
}

fn decode(id: EffectId, row: &[u8]) -> Result<DeadEffect, Fault> {
    let mut fields = Fields(row);
    let (at, attempts) = (fields.millis()?, fields.u32()?);
    let lane = usize::from(fields.u8()?);
    let lane = text(fields.take(lane)?)?;
    let reason = usize::from(fields.u16()?);
    let reason = text(fields.take(reason)?)?;
    Ok(DeadEffect {
        id,
        lane,
        payload: Bytes::copy_from_slice(fields.0),
        reason,
        at,
        attempts,
    })
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Fault::Damaged("a dead letter whose words are no text"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> EffectId {
        EffectId {
            log: LogId::from_bytes([7; 16]),
            n: 3,
            place: 1,
        }
    }

    proptest! {
        #[test]
        fn a_dead_letter_reads_back_as_written(
            lane in "[a-zé]{0,40}", reason in "[ -~é]{0,120}", payload: Vec<u8>, at: u64, attempts: u32,
        ) {
            let dead = DeadEffect { id: id(), lane, payload: payload.into(), reason, at: Millis(at), attempts };
            prop_assert_eq!(decode(id(), &encode(&dead)).unwrap(), dead);
        }

        #[test]
        fn any_bytes_are_a_dead_letter_or_an_error(row: Vec<u8>) {
            let _ = decode(id(), &row);
            let _ = due(&row);
        }
    }
}
