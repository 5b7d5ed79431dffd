//! What providers call things of ours, until when each is known.

use redb::{ReadTransaction, ReadableTable as _};

use crate::log::bounds::MAX_REFERENCE_MS;
use crate::log::outbound::Referred;
use crate::model::Millis;

use super::codec::{Fields, Row};
use super::fault::Fault;
use super::group::Group;
use super::schema::read;

impl Group<'_> {
    pub(super) fn refer(&mut self, key: &[u8], at: Referred, ttl_ms: u64) -> Result<(), Fault> {
        self.dirty = true;
        let until = self.now.plus(ttl_ms.min(MAX_REFERENCE_MS));
        let row = Row::new().u64(until.0).log(at.log).u64(at.n).bytes();
        let before = match self.tables.reference.insert(key, &row[..])? {
            Some(row) => Some(Fields(row.value()).millis()?),
            None => None,
        };
        if let Some(before) = before {
            self.tables.reference_due.remove(&due_key(before, key)[..])?;
        }
        self.tables
            .reference_due
            .insert(&due_key(until, key)[..], &[][..])?;
        Ok(())
    }

    /// Forgets what is over; returns how many rows it removed.
    pub(super) fn sweep_references(&mut self, budget: usize) -> Result<usize, Fault> {
        let mut removed = 0;
        while removed < budget {
            let key = match self.tables.reference_due.first()? {
                Some((key, _)) => key.value().to_vec(),
                None => break,
            };
            let mut fields = Fields(&key);
            if fields.millis()? > self.now {
                break;
            }
            self.tables.reference.remove(fields.0)?;
            self.tables.reference_due.remove(&key[..])?;
            removed += 2;
        }
        Ok(removed.min(budget))
    }
}

pub(super) fn referred(
    read_at: &ReadTransaction,
    key: &[u8],
    now: Millis,
) -> Result<Option<Referred>, Fault> {
    let Some(row) = read(read_at, "reference")?.get(key)? else {
        return Ok(None);
    };
    let mut fields = Fields(row.value());
    let until = fields.millis()?;
    let at = Referred {
        log: fields.log()?,
        n: fields.u64()?,
    };
    Ok((until > now).then_some(at))
}

fn due_key(until: Millis, key: &[u8]) -> Vec<u8> {
    Row::new().u64(until.0).raw(key).bytes()
}
