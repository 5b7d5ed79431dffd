//! Writes other than appends.

use redb::ReadableTable as _;

use crate::log::effects::{EffectId, Leased};
use crate::model::{LogId, MatchOp, Millis, ReadyDesk, TenantId, WaitingSession};

use super::codec::{Fields, Row, decode_record, erased};
use super::fault::Fault;
use super::group::Group;
use super::head::Head;
use super::lanes;
use super::schema::{departed_key, matching_key, record_key};
use super::sweep::drain;

impl Group<'_> {
    pub(super) fn erase(&mut self, log: LogId, numbers: &[u64]) -> Result<(), Fault> {
        let Some(head) = self.head(log)? else {
            return Ok(());
        };
        let (base, top) = (head.base.n, head.top.n);
        for n in numbers.iter().copied().filter(|n| *n > base && *n <= top) {
            let key = record_key(log, n);
            let row = match self.tables.log.get(&key[..])? {
                Some(row) => erased(n, row.value())?,
                None => None,
            };
            if let Some(row) = row {
                self.dirty = true;
                self.tables.log.insert(&key[..], &row[..])?;
            }
        }
        Ok(())
    }

    /// Never the last snapshot or what follows it; a log without one is needed from its beginning.
    pub(super) fn trim(&mut self, log: LogId, below: u64) -> Result<(), Fault> {
        let Some(head) = self.head(log)? else {
            return Ok(());
        };
        let mut head = head.clone();
        let below = below.min(head.snapshot);
        if below <= head.base.n + 1 {
            return Ok(());
        }
        let last = below - 1;
        let row = self.tables.log.get(&record_key(log, last)[..])?;
        let row = row.ok_or(Fault::Damaged("a record is missing"))?;
        let base = decode_record(last, row.value())?.position();
        drop(row);
        self.dirty = true;
        drain(
            &mut self.tables.log,
            &record_key(log, 0),
            &record_key(log, below),
            usize::MAX,
        )?;
        head.base = base;
        self.heads.set(log, head);
        Ok(())
    }

    pub(super) fn lease(
        &mut self,
        partition: u16,
        limit: usize,
        lease_ms: u64,
    ) -> Result<Vec<Leased>, Fault> {
        let leased = lanes::lease(&mut self.tables, partition, limit, lease_ms, self.now)?;
        self.dirty |= !leased.is_empty();
        Ok(leased)
    }

    pub(super) fn complete(&mut self, id: EffectId, lane: &str) -> Result<(), Fault> {
        let partition = self.partition(id.log);
        self.dirty |= lanes::complete(&mut self.tables, partition, id, lane, self.now)?;
        Ok(())
    }

    pub(super) fn retry(&mut self, id: EffectId, lane: &str, after_ms: u64) -> Result<(), Fault> {
        let partition = self.partition(id.log);
        let at = self.now.plus(after_ms);
        self.dirty |= lanes::retry(&mut self.tables, partition, id, lane, at)?;
        Ok(())
    }

    /// `true` for the first to spend the token.
    pub(super) fn spend(&mut self, token: [u8; 16], ttl_ms: u64) -> Result<bool, Fault> {
        let before = match self.tables.spent.get(&token[..])? {
            Some(row) => Some(Fields(row.value()).millis()?),
            None => None,
        };
        if before.is_some_and(|until| until > self.now) {
            return Ok(false);
        }
        if let Some(until) = before {
            self.tables.spent_due.remove(&spent_due_key(until, token)[..])?;
        }
        let until = self.now.plus(ttl_ms);
        self.dirty = true;
        self.tables.spent.insert(&token[..], &until.0.to_be_bytes()[..])?;
        self.tables
            .spent_due
            .insert(&spent_due_key(until, token)[..], &[][..])?;
        Ok(true)
    }

    pub(super) fn revive(&mut self, logs: &[LogId], ttl_ms: u64) -> Result<(), Fault> {
        for log in logs {
            if let Some(head) = self.head(*log)? {
                let head = Head {
                    alive: true,
                    ..head.clone()
                };
                self.heads.set(*log, head);
            }
            self.dirty = true;
            self.tables
                .alive
                .insert(&log.as_bytes()[..], &ttl_ms.to_be_bytes()[..])?;
        }
        Ok(())
    }

    /// Keeps what a restart needs to know the matching tables again.
    pub(super) fn keep_match(&mut self, tenant: TenantId, op: &MatchOp, at: Millis) -> Result<(), Fault> {
        self.dirty = true;
        match op {
            MatchOp::Wait(WaitingSession { session: log, .. })
            | MatchOp::Ready(ReadyDesk { desk: log, .. }) => {
                let row = serde_json::to_vec(op)
                    .map_err(|_| Fault::Damaged("a write to the matching tables has no encoding"))?;
                self.tables
                    .matching
                    .insert(&matching_key(tenant, *log)[..], &row[..])?;
            }
            MatchOp::Unwait { session: log, n, .. } | MatchOp::Unready { desk: log, n } => {
                self.tables.matching.remove(&matching_key(tenant, *log)[..])?;
                self.tables
                    .departed
                    .insert(&departed_key(at, tenant, *log)[..], &n.to_be_bytes()[..])?;
            }
        }
        Ok(())
    }
}

fn spent_due_key(until: Millis, token: [u8; 16]) -> Vec<u8> {
    Row::new().u64(until.0).raw(&token).bytes()
}
