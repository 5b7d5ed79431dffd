//! Reading a log.

use redb::ReadTransaction;

use crate::log::append::{PeerKey, StoredRecord};
use crate::log::bounds::MAX_BATCH;
use crate::log::store::{DueTimer, Page, Tail};
use crate::model::{LogId, Millis, Position, TenantId};

use super::codec::Fields;
use super::fault::Fault;
use super::head::Head;
use super::places::{places, record_at};
use super::schema::{ReadRows, after, head_key, peer_key, read};

/// The head of a log that is there and has not expired.
fn head(table: &ReadRows, log: LogId, now: Millis) -> Result<Option<Head>, Fault> {
    let Some(row) = table.get(&head_key(log)[..])? else {
        return Ok(None);
    };
    let head = Head::decode(row.value())?;
    Ok((!head.is_gone(now)).then_some(head))
}

/// Records `from..=to`, all of which must be there.
fn records(
    tables: &Reading,
    log: LogId,
    head: &Head,
    from: u64,
    to: u64,
) -> Result<Vec<StoredRecord>, Fault> {
    if from > to {
        return Ok(Vec::new());
    }
    let places = places(&tables.logs, log, head, from, to)?;
    (from..)
        .zip(places)
        .map(|(n, place)| record_at(&tables.records, place, log, n))
        .collect()
}

/// What a log is read from.
struct Reading {
    logs: ReadRows,
    records: ReadRows,
}

impl Reading {
    fn at(transaction: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            logs: read(transaction, "log")?,
            records: read(transaction, "record")?,
        })
    }
}

pub(super) fn tail(read_at: &ReadTransaction, log: LogId, now: Millis) -> Result<Option<Tail>, Fault> {
    let tables = Reading::at(read_at)?;
    let Some(head) = head(&tables.logs, log, now)? else {
        return Ok(None);
    };
    let from = head.tail_from();
    let before = if from == head.base.n + 1 { from } else { from - 1 };
    let mut records = records(&tables, log, &head, before, head.top.n)?;
    let base = if before == from {
        head.base
    } else {
        records.remove(0).position()
    };
    Ok(Some(Tail { base, records }))
}

pub(super) fn forward(
    read_at: &ReadTransaction,
    log: LogId,
    from: u64,
    limit: usize,
    now: Millis,
) -> Result<Option<Page>, Fault> {
    page(read_at, log, now, |oldest, top| {
        let from = from.max(oldest);
        (from, top.min(from.saturating_add(count(limit)).saturating_sub(1)))
    })
}

pub(super) fn backward(
    read_at: &ReadTransaction,
    log: LogId,
    to: u64,
    limit: usize,
    now: Millis,
) -> Result<Option<Page>, Fault> {
    page(read_at, log, now, |oldest, top| {
        let to = to.min(top);
        (oldest.max((to + 1).saturating_sub(count(limit))), to)
    })
}

fn count(limit: usize) -> u64 {
    limit.min(MAX_BATCH) as u64
}

fn page(
    read_at: &ReadTransaction,
    log: LogId,
    now: Millis,
    choose: impl FnOnce(u64, u64) -> (u64, u64),
) -> Result<Option<Page>, Fault> {
    let tables = Reading::at(read_at)?;
    let Some(head) = head(&tables.logs, log, now)? else {
        return Ok(None);
    };
    let oldest = head.base.n + 1;
    let (from, to) = choose(oldest, head.top.n);
    Ok(Some(Page {
        records: records(&tables, log, &head, from, to)?,
        oldest,
        top: head.top,
    }))
}

/// Logs elsewhere than in the partition are not there.
pub(super) fn tops(
    read_at: &ReadTransaction,
    logs: &[LogId],
    is_here: impl Fn(LogId) -> bool,
    now: Millis,
) -> Result<Vec<Option<Position>>, Fault> {
    let table = read(read_at, "log")?;
    let top = |log: &LogId| {
        if !is_here(*log) {
            return Ok(None);
        }
        Ok(head(&table, *log, now)?.map(|head| head.top))
    };
    logs.iter().map(top).collect()
}

pub(super) fn open_session(
    read_at: &ReadTransaction,
    partition: u16,
    peer: &PeerKey,
    now: Millis,
) -> Result<Option<LogId>, Fault> {
    let peers = read(read_at, "peer")?;
    let Some(row) = peers.get(&peer_key(partition, &peer.0)[..])? else {
        return Ok(None);
    };
    let log = Fields(row.value()).log()?;
    let head = head(&read(read_at, "log")?, log, now)?;
    Ok(head.is_some_and(|head| !head.closed).then_some(log))
}

pub(super) fn open_sessions(read_at: &ReadTransaction, tenant: TenantId, now: Millis) -> Result<u64, Fault> {
    let (begin, end) = (tenant.0.as_bytes(), after(tenant.0.as_bytes()));
    let mut open = 0;
    for row in read(read_at, "open")?.range(&begin[..]..&end[..])? {
        let (_, until) = row?;
        if Fields(until.value()).millis()? > now {
            open += 1;
        }
    }
    Ok(open)
}

pub(super) fn due_timers(
    read_at: &ReadTransaction,
    partition: u16,
    limit: usize,
    now: Millis,
) -> Result<Vec<DueTimer>, Fault> {
    let (begin, end) = due(partition, now);
    let mut timers = Vec::new();
    for row in read(read_at, "timer_due")?
        .range(&begin[..]..&end[..])?
        .take(limit)
    {
        let (key, _) = row?;
        let mut fields = Fields(key.value());
        fields.u16()?;
        timers.push(DueTimer {
            due: fields.millis()?,
            log: fields.log()?,
            name: fields.u16()?,
        });
    }
    Ok(timers)
}

pub(super) fn is_lane_due(read_at: &ReadTransaction, partition: u16, now: Millis) -> Result<bool, Fault> {
    let (begin, end) = due(partition, now);
    let lanes = read(read_at, "lane_due")?;
    Ok(lanes.range(&begin[..]..&end[..])?.next().transpose()?.is_some())
}

/// How many lanes of a partition have something in them.
pub(super) fn lanes(read_at: &ReadTransaction, partition: u16) -> Result<u64, Fault> {
    let begin = partition.to_be_bytes();
    let end = after(&begin);
    let mut lanes = 0;
    for row in read(read_at, "lane_due")?.range(&begin[..]..&end[..])? {
        row?;
        lanes += 1;
    }
    Ok(lanes)
}

pub(super) fn opted_out(read_at: &ReadTransaction, partition: u16, peer: &PeerKey) -> Result<bool, Fault> {
    let opted = read(read_at, "opted")?;
    Ok(opted.get(&peer_key(partition, &peer.0)[..])?.is_some())
}

/// Keys of what is due in a partition: these and up to those.
fn due(partition: u16, now: Millis) -> (Vec<u8>, Vec<u8>) {
    let begin = partition.to_be_bytes().to_vec();
    let end = [&begin[..], &now.0.saturating_add(1).to_be_bytes()].concat();
    (begin, end)
}
