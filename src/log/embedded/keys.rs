//! Idempotency keys: compact, in a stretch of the table for each day, forgotten by the day.

use bytes::Bytes;

use crate::log::append::{Answer, Key};
use crate::log::bounds::KEY_HORIZON_MS;
use crate::model::{Digest, LogId, Millis};

use super::codec::{Fields, Row};
use super::fault::Fault;
use super::schema::{DAY_MS, Rows};
use redb::ReadableTable as _;

/// A key without its day.
pub(super) struct Name([u8; 16]);

impl Name {
    /// Half a SHA-256: two keys of one name are not to be found.
    pub(super) fn of(partition: u16, key: &Key) -> Self {
        let digest = Digest::of(&[&partition.to_be_bytes(), &key.key]);
        let mut name = [0; 16];
        name.copy_from_slice(&digest.0[..16]);
        Self(name)
    }

    fn on(&self, day: u64) -> Vec<u8> {
        Row::new().u64(day).raw(&self.0).bytes()
    }
}

/// What a repeat is told; `None` for a key that is new or older than the horizon.
pub(super) fn recall(
    table: &Rows<'_>,
    partition: u16,
    key: &Key,
    now: Millis,
) -> Result<Option<Answer>, Fault> {
    let name = Name::of(partition, key);
    let today = now.0 / DAY_MS;
    for day in (today.saturating_sub(KEY_HORIZON_MS / DAY_MS)..=today).rev() {
        let Some(row) = table.get(&name.on(day)[..])? else {
            continue;
        };
        let mut fields = Fields(row.value());
        if now.since(fields.millis()?) >= KEY_HORIZON_MS {
            return Ok(None);
        }
        if fields.array()? != key.body_hash {
            return Ok(Some(Answer::KeyReused));
        }
        return Ok(Some(Answer::Repeat {
            log: fields.log()?,
            first: fields.u64()?,
            answer: Bytes::copy_from_slice(fields.0),
        }));
    }
    Ok(None)
}

pub(super) fn remember(
    table: &mut Rows<'_>,
    partition: u16,
    key: &Key,
    log: LogId,
    first: u64,
    now: Millis,
) -> Result<(), Fault> {
    let row = Row::new()
        .u64(now.0)
        .raw(&key.body_hash)
        .log(log)
        .u64(first)
        .raw(&key.answer)
        .bytes();
    let name = Name::of(partition, key).on(now.0 / DAY_MS);
    table.insert(&name[..], &row[..])?;
    Ok(())
}

/// Everything below this key is beyond the horizon.
pub(super) fn horizon(now: Millis) -> Vec<u8> {
    let day = now.0.saturating_sub(KEY_HORIZON_MS) / DAY_MS;
    Row::new().u64(day).bytes()
}
