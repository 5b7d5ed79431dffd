//! Effects that wait to be carried out, in order per log and lane.

use bytes::Bytes;
use redb::ReadableTable as _;

use crate::log::append::NewEffect;
use crate::log::effects::{EffectId, Leased};
use crate::model::{LogId, Millis};

use super::codec::{Fields, Row};
use super::fault::Fault;
use super::schema::{Tables, after};

/// A lane of a log, in the form that its keys begin with.
struct Lane {
    partition: u16,
    prefix: Vec<u8>,
}

/// An effect as stored.
pub(super) struct Pending {
    n: u64,
    place: u16,
    not_before: Millis,
    pub(super) attempts: u32,
    pub(super) payload: Bytes,
}

impl Lane {
    fn of(partition: u16, log: LogId, name: &str) -> Self {
        // Bounds keep a name below 256 bytes.
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        Self {
            partition,
            prefix: Row::new().log(log).u8(length).raw(name.as_bytes()).bytes(),
        }
    }

    fn due_key(&self, due: Millis) -> Vec<u8> {
        Row::new()
            .u16(self.partition)
            .u64(due.0)
            .raw(&self.prefix)
            .bytes()
    }

    fn log_and_name(&self) -> Result<(LogId, String), Fault> {
        let mut fields = Fields(&self.prefix);
        let log = fields.log()?;
        let length = usize::from(fields.u8()?);
        let name = std::str::from_utf8(fields.take(length)?)
            .map_err(|_| Fault::Damaged("a lane whose name is no text"))?;
        Ok((log, name.to_owned()))
    }

    /// When its first effect is due, if it has any.
    fn due(&self, tables: &Tables<'_>) -> Result<Option<Millis>, Fault> {
        let row = tables.lane.get(&self.prefix[..])?;
        row.map(|row| Fields(row.value()).millis()).transpose()
    }

    fn set_due(&self, tables: &mut Tables<'_>, due: Option<Millis>) -> Result<(), Fault> {
        if let Some(before) = self.due(tables)? {
            tables.lane_due.remove(&self.due_key(before)[..])?;
        }
        match due {
            Some(due) => {
                tables.lane.insert(&self.prefix[..], &due.0.to_be_bytes()[..])?;
                tables.lane_due.insert(&self.due_key(due)[..], &[][..])?;
            }
            None => {
                tables.lane.remove(&self.prefix[..])?;
            }
        }
        Ok(())
    }

    fn first(&self, tables: &Tables<'_>) -> Result<Option<(Vec<u8>, Pending)>, Fault> {
        let end = after(&self.prefix);
        let mut rows = tables.effect.range(&self.prefix[..]..&end[..])?;
        let Some(row) = rows.next() else {
            return Ok(None);
        };
        let (key, value) = row?;
        Ok(Some((key.value().to_vec(), Pending::decode(value.value())?)))
    }

    /// Key of an effect, the effect, and whether it is the first.
    fn find(&self, tables: &Tables<'_>, id: EffectId) -> Result<Option<(Vec<u8>, Pending, bool)>, Fault> {
        let end = after(&self.prefix);
        for (place, row) in tables.effect.range(&self.prefix[..]..&end[..])?.enumerate() {
            let (key, value) = row?;
            let pending = Pending::decode(value.value())?;
            if pending.is(id) {
                return Ok(Some((key.value().to_vec(), pending, place == 0)));
            }
        }
        Ok(None)
    }
}

impl Pending {
    const fn is(&self, id: EffectId) -> bool {
        self.n == id.n && self.place == id.place
    }

    fn encode(&self) -> Vec<u8> {
        Row::new()
            .u64(self.n)
            .u16(self.place)
            .u64(self.not_before.0)
            .u32(self.attempts)
            .raw(&self.payload)
            .bytes()
    }

    fn decode(row: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields(row);
        Ok(Self {
            n: fields.u64()?,
            place: fields.u16()?,
            not_before: fields.millis()?,
            attempts: fields.u32()?,
            payload: Bytes::copy_from_slice(fields.0),
        })
    }
}

/// Puts an effect of the append whose first record has number `n` at the end of its lane; `sequence` only ever grows.
pub(super) fn push(
    tables: &mut Tables<'_>,
    partition: u16,
    log: LogId,
    n: u64,
    effect: &NewEffect,
    sequence: u64,
    now: Millis,
) -> Result<(), Fault> {
    let lane = Lane::of(partition, log, &effect.lane);
    let pending = Pending {
        n,
        place: effect.place,
        not_before: now.plus(effect.delay_ms),
        attempts: 0,
        payload: effect.payload.clone(),
    };
    let key = [&lane.prefix[..], &sequence.to_be_bytes()].concat();
    tables.effect.insert(&key[..], &pending.encode()[..])?;
    if lane.due(tables)?.is_none() {
        lane.set_due(tables, Some(pending.not_before))?;
    }
    Ok(())
}

pub(super) fn lease(
    tables: &mut Tables<'_>,
    partition: u16,
    limit: usize,
    lease_ms: u64,
    now: Millis,
) -> Result<Vec<Leased>, Fault> {
    let begin = partition.to_be_bytes();
    let end = Row::new().u16(partition).u64(now.0.saturating_add(1)).bytes();
    let mut due = Vec::new();
    for row in tables.lane_due.range(&begin[..]..&end[..])?.take(limit) {
        let (key, _) = row?;
        let mut fields = Fields(key.value());
        fields.u16()?;
        fields.u64()?;
        due.push(Lane {
            partition,
            prefix: fields.0.to_vec(),
        });
    }
    let mut leased = Vec::with_capacity(due.len());
    for lane in due {
        let Some((key, mut first)) = lane.first(tables)? else {
            lane.set_due(tables, None)?;
            continue;
        };
        first.attempts = first.attempts.saturating_add(1);
        tables.effect.insert(&key[..], &first.encode()[..])?;
        lane.set_due(tables, Some(now.plus(lease_ms)))?;
        let (log, name) = lane.log_and_name()?;
        leased.push(Leased {
            id: EffectId {
                log,
                n: first.n,
                place: first.place,
            },
            lane: name,
            attempt: first.attempts,
            payload: first.payload,
        });
    }
    Ok(leased)
}

/// Takes an effect out of its lane, whose next is due at once. The appending node may be done with one that is not the first yet.
pub(super) fn take(
    tables: &mut Tables<'_>,
    partition: u16,
    id: EffectId,
    name: &str,
    now: Millis,
) -> Result<Option<Pending>, Fault> {
    let lane = Lane::of(partition, id.log, name);
    let Some((key, taken, was_first)) = lane.find(tables, id)? else {
        return Ok(None);
    };
    tables.effect.remove(&key[..])?;
    if was_first {
        let next = lane.first(tables)?;
        lane.set_due(tables, next.map(|(_, next)| next.not_before.max(now)))?;
    }
    Ok(Some(taken))
}

/// Leases the first effect of a lane that was never leased; `false` for any other.
pub(super) fn claim(
    tables: &mut Tables<'_>,
    partition: u16,
    id: EffectId,
    name: &str,
    until: Millis,
) -> Result<bool, Fault> {
    let lane = Lane::of(partition, id.log, name);
    let Some((key, mut first)) = lane.first(tables)? else {
        return Ok(false);
    };
    if !first.is(id) || first.attempts > 0 {
        return Ok(false);
    }
    first.attempts = 1;
    tables.effect.insert(&key[..], &first.encode()[..])?;
    lane.set_due(tables, Some(until))?;
    Ok(true)
}

/// Whether there was anything to do: only the first of a lane can have failed.
pub(super) fn retry(
    tables: &mut Tables<'_>,
    partition: u16,
    id: EffectId,
    name: &str,
    at: Millis,
) -> Result<bool, Fault> {
    let lane = Lane::of(partition, id.log, name);
    let is_first = lane.first(tables)?.is_some_and(|(_, first)| first.is(id));
    if is_first {
        lane.set_due(tables, Some(at))?;
    }
    Ok(is_first)
}
