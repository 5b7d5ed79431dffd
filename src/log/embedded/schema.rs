//! The tables, their keys, and the version of both.
//!
//! | table | key | value |
//! |---|---|---|
//! | `record` | place | log, n, the record |
//! | `log` | log, first n | places of a stretch of its records |
//! | `log` | log, 2^64-1 | its head, with the places of the newest |
//! | `key` | day, hash of partition and key | the first answer |
//! | `peer` | partition, peer | its log |
//! | `opted` | partition, peer | |
//! | `open` | tenant, log | until the end of which hour |
//! | `effect` | log, lane, sequence | the effect |
//! | `lane` | log, lane | when its first effect is due |
//! | `lane_due` | partition, due, log, lane | |
//! | `dead` | tenant, partition, effect | the dead letter |
//! | `dead_age` | tenant, partition, when, effect | |
//! | `dead_due` | when, tenant, partition, effect | |
//! | `dead_count` | tenant, partition | how many |
//! | `timer` | log, name | due |
//! | `timer_due` | partition, due, log, name | |
//! | `alive` | log | its term, in milliseconds |
//! | `matching` | tenant, log | the newest write to the matching tables |
//! | `departed` | when, tenant, log | its number |
//! | `spent` | token | until when |
//! | `spent_due` | until when, token | |
//! | `reference` | key | until when, log, n |
//! | `reference_due` | until when, key | |
//! | `expiry` | hour, log | |
//! | `meta` | name | |
//!
//! Places are given in the order of writing and session ids are time-ordered: what is written together lies together.

use redb::{ReadOnlyTable, ReadTransaction, Table, TableDefinition, WriteTransaction};

use crate::model::{LogId, Millis, TenantId};

use super::codec::Row;
use super::fault::Fault;

/// Raised whenever a table or a row changes in a way that an older version cannot read.
pub(super) const SCHEMA: u32 = 1;

/// Number in the key of a head.
pub(super) const HEAD_N: u64 = u64::MAX;

/// An hour and a day, in milliseconds.
pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
pub(super) type Rows<'t> = Table<'t, &'static [u8], &'static [u8]>;
pub(super) type ReadRows = ReadOnlyTable<&'static [u8], &'static [u8]>;

macro_rules! tables {
    ($($table:ident),*) => {
        /// Every table, open for writing.
        pub(super) struct Tables<'t> {
            $(pub(super) $table: Rows<'t>,)*
        }

        impl<'t> Tables<'t> {
            pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
                Ok(Self {
                    $($table: transaction.open_table(Definition::new(stringify!($table)))?,)*
                })
            }
        }
    };
}

tables!(
    record,
    log,
    key,
    peer,
    open,
    effect,
    lane,
    lane_due,
    timer,
    timer_due,
    alive,
    matching,
    departed,
    spent,
    spent_due,
    expiry,
    meta,
    dead,
    dead_age,
    dead_due,
    dead_count,
    reference,
    reference_due,
    opted
);

/// One table, open for reading.
pub(super) fn read(transaction: &ReadTransaction, table: &'static str) -> Result<ReadRows, Fault> {
    Ok(transaction.open_table(Definition::new(table))?)
}

pub(super) fn place_key(place: u64) -> [u8; 8] {
    place.to_be_bytes()
}

pub(super) fn stretch_key(log: LogId, first: u64) -> Vec<u8> {
    Row::new().log(log).u64(first).bytes()
}

pub(super) fn head_key(log: LogId) -> Vec<u8> {
    stretch_key(log, HEAD_N)
}

pub(super) fn peer_key(partition: u16, peer: &[u8]) -> Vec<u8> {
    Row::new().u16(partition).raw(peer).bytes()
}

pub(super) fn open_key(tenant: TenantId, log: LogId) -> Vec<u8> {
    Row::new().tenant(tenant).log(log).bytes()
}

pub(super) fn timer_key(log: LogId, name: u16) -> Vec<u8> {
    Row::new().log(log).u16(name).bytes()
}

pub(super) fn timer_due_key(partition: u16, due: Millis, log: LogId, name: u16) -> Vec<u8> {
    Row::new().u16(partition).u64(due.0).log(log).u16(name).bytes()
}

pub(super) fn matching_key(tenant: TenantId, log: LogId) -> Vec<u8> {
    Row::new().tenant(tenant).log(log).bytes()
}

pub(super) fn departed_key(at: Millis, tenant: TenantId, log: LogId) -> Vec<u8> {
    Row::new().u64(at.0).tenant(tenant).log(log).bytes()
}

/// The hour in which a log expires: coarse, so that an append rarely moves it.
pub(super) fn expiry_key(expires: Millis, log: LogId) -> Vec<u8> {
    Row::new().u64(expires.0 / HOUR_MS).log(log).bytes()
}

/// When the hour is over in which something expires.
pub(super) fn end_of_hour(expires: Millis) -> Millis {
    Millis((expires.0 / HOUR_MS + 1).saturating_mul(HOUR_MS))
}

/// The first key that does not begin with `prefix`, for prefixes that are not all ones.
pub(super) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}
