//! Where the records of a log lie.
//!
//! Records of all logs are written one after the other, so that a group touches few pages however many logs it
//! appends to. A log knows the places of its records: of the newest in its head, of the others in stretches of
//! [`STRETCH`], each a row of its own.

use redb::ReadableTable;

use crate::log::append::StoredRecord;
use crate::model::LogId;

use super::codec::{Fields, Row, decode_record};
use super::fault::Fault;
use super::head::Head;
use super::schema::{place_key, stretch_key};

/// Records of one stretch; those numbered from 1 are the first, and so on.
pub(super) const STRETCH: u64 = 64;

/// First number of the stretch that a number is in.
pub(super) const fn stretch_of(n: u64) -> u64 {
    (n - 1) / STRETCH * STRETCH + 1
}

pub(super) fn encode_places(places: &[u64]) -> Vec<u8> {
    places
        .iter()
        .fold(Row::new(), |row, place| row.u64(*place))
        .bytes()
}

pub(super) fn decode_places(row: &[u8]) -> Result<Vec<u64>, Fault> {
    let mut fields = Fields(row);
    let mut places = Vec::with_capacity(row.len() / 8);
    while !fields.0.is_empty() {
        places.push(fields.u64()?);
    }
    Ok(places)
}

/// Places of the records `from..=to`, which the log must have.
pub(super) fn places<T>(logs: &T, log: LogId, head: &Head, from: u64, to: u64) -> Result<Vec<u64>, Fault>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    let mut found = Vec::new();
    let recent = stretch_of(head.top.n + 1);
    let mut n = from;
    while n <= to {
        let first = stretch_of(n);
        let stretch = if first == recent {
            head.recent.clone()
        } else {
            let row = logs.get(&stretch_key(log, first)[..])?;
            decode_places(row.ok_or(MISSING)?.value())?
        };
        let end = to.min(first + STRETCH - 1);
        let begin = usize::try_from(n - first).map_err(|_| MISSING)?;
        let count = usize::try_from(end - n + 1).map_err(|_| MISSING)?;
        found.extend(stretch.get(begin..begin + count).ok_or(MISSING)?);
        n = end + 1;
    }
    Ok(found)
}

/// The record at a place, which must be the one expected there.
pub(super) fn record_at<T>(records: &T, place: u64, log: LogId, n: u64) -> Result<StoredRecord, Fault>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    let row = records.get(&place_key(place)[..])?.ok_or(MISSING)?;
    let mut fields = Fields(row.value());
    if fields.log()? != log || fields.u64()? != n {
        return Err(Fault::Damaged("a record lies where another should"));
    }
    decode_record(n, fields.0)
}

const MISSING: Fault = Fault::Damaged("a record is missing");
