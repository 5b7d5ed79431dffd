//! Bytes of rows: big-endian integers, so that keys sort as numbers do; variable parts last or behind a length.

use bytes::Bytes;

use crate::log::append::{NewRecord, StoredBody, StoredRecord};
use crate::log::effects::EffectId;
use crate::model::{ChainHash, Digest, LogId, Millis, Position, TenantId};

use super::fault::Fault;

/// Version of a record's row.
const RECORD: u8 = 1;

const NO_BODY: u8 = 0;
const BODY: u8 = 1;
const ERASED: u8 = 2;

/// Puts a row together.
#[derive(Debug, Default)]
pub(super) struct Row(Vec<u8>);

impl Row {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(128))
    }

    #[must_use]
    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    #[must_use]
    pub(super) fn u16(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    #[must_use]
    pub(super) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    #[must_use]
    pub(super) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    #[must_use]
    pub(super) fn log(self, log: LogId) -> Self {
        self.raw(log.as_bytes())
    }

    #[must_use]
    pub(super) fn tenant(self, tenant: TenantId) -> Self {
        self.raw(tenant.0.as_bytes())
    }

    #[must_use]
    pub(super) fn effect(self, id: EffectId) -> Self {
        self.log(id.log).u64(id.n).u16(id.place)
    }

    #[must_use]
    pub(super) fn position(self, position: Position) -> Self {
        self.u64(position.n).raw(&position.hash.0)
    }

    #[must_use]
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a row apart.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(Fault::Damaged("a row is too short"))?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn millis(&mut self) -> Result<Millis, Fault> {
        self.u64().map(Millis)
    }

    pub(super) fn log(&mut self) -> Result<LogId, Fault> {
        self.array().map(LogId::from_bytes)
    }

    pub(super) fn tenant(&mut self) -> Result<TenantId, Fault> {
        Ok(TenantId(uuid::Uuid::from_bytes(self.array()?)))
    }

    pub(super) fn effect(&mut self) -> Result<EffectId, Fault> {
        Ok(EffectId {
            log: self.log()?,
            n: self.u64()?,
            place: self.u16()?,
        })
    }

    pub(super) fn position(&mut self) -> Result<Position, Fault> {
        Ok(Position {
            n: self.u64()?,
            hash: ChainHash(self.array()?),
        })
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(Fault::Damaged("a row is too short"))?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn version(&mut self, known: u8) -> Result<(), Fault> {
        if self.u8()? == known {
            return Ok(());
        }
        Err(Fault::Damaged("a row of an unknown version"))
    }
}

/// Row of a record; its number is in the key.
pub(super) fn encode_record(hash: ChainHash, record: &NewRecord) -> Vec<u8> {
    let (mark, body) = match &record.body {
        None => (NO_BODY, &[][..]),
        Some(body) => (BODY, &body[..]),
    };
    record_row(mark, hash, &record.digest, &record.envelope, body)
}

fn record_row(mark: u8, hash: ChainHash, digest: &Digest, envelope: &[u8], body: &[u8]) -> Vec<u8> {
    // Bounds keep an envelope far below 4 GiB.
    let length = u32::try_from(envelope.len()).unwrap_or(u32::MAX);
    Row(Vec::with_capacity(46 + envelope.len() + body.len()))
        .u8(RECORD)
        .u8(mark)
        .raw(&hash.0)
        .raw(&digest.0)
        .u32(length)
        .raw(envelope)
        .raw(body)
        .bytes()
}

pub(super) fn decode_record(n: u64, row: &[u8]) -> Result<StoredRecord, Fault> {
    let mut fields = Fields(row);
    fields.version(RECORD)?;
    let mark = fields.u8()?;
    let hash = ChainHash(fields.array()?);
    let digest = Digest(fields.array()?);
    let length = fields.u32()? as usize;
    let envelope = Bytes::copy_from_slice(fields.take(length)?);
    let body = match mark {
        NO_BODY => StoredBody::None,
        BODY => StoredBody::Present(Bytes::copy_from_slice(fields.0)),
        ERASED => StoredBody::Erased,
        _ => return Err(Fault::Damaged("a record with an unknown kind of body")),
    };
    Ok(StoredRecord {
        n,
        hash,
        digest,
        envelope,
        body,
    })
}

/// The row of the same record without its body; `None` if there is none to take.
pub(super) fn erased(record: &StoredRecord) -> Option<Vec<u8>> {
    matches!(record.body, StoredBody::Present(_))
        .then(|| record_row(ERASED, record.hash, &record.digest, &record.envelope, &[]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_reads_back_as_written(n: u64, envelope: Vec<u8>, body: Option<Vec<u8>>, hash: [u8; 8]) {
            let envelope = Bytes::from(envelope);
            let record = NewRecord {
                digest: Digest::of(&[&envelope]),
                envelope: envelope.clone(),
                body: body.clone().map(Bytes::from),
                snapshot: false,
            };
            let row = encode_record(ChainHash(hash), &record);
            let stored = decode_record(n, &row).unwrap();
            prop_assert_eq!(&stored.envelope, &envelope);
            prop_assert_eq!((stored.n, stored.hash, stored.digest), (n, ChainHash(hash), record.digest));
            let expected = body.clone().map_or(StoredBody::None, |body| StoredBody::Present(body.into()));
            let gone = erased(&stored);
            prop_assert_eq!(stored.body, expected);
            prop_assert_eq!(gone.is_some(), body.is_some());
            if let Some(row) = gone {
                prop_assert_eq!(decode_record(n, &row).unwrap().body, StoredBody::Erased);
            }
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(row: Vec<u8>) {
            let _ = decode_record(1, &row);
        }
    }
}
