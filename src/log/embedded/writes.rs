//! Writes other than appends.

use redb::ReadableTable as _;

use crate::log::bounds::RETRY_KEEP_MS;
use crate::log::effects::{EffectId, Leased};
use crate::model::{LogId, MatchOp, Millis, ReadyDesk, TenantId, WaitingSession};

use super::codec::{Fields, Row, erased};
use super::fault::Fault;
use super::group::Group;
use super::lanes;
use super::places::{places, record_at, stretch_of};
use super::schema::{departed_key, matching_key, place_key, stretch_key};
use super::sweep::drain;

impl Group<'_> {
    pub(super) fn erase(&mut self, log: LogId, numbers: &[u64]) -> Result<(), Fault> {
        let Some(head) = self.head(log)? else {
            return Ok(());
        };
        let kept = |n: &u64| *n > head.base.n && *n <= head.top.n;
        for n in numbers.iter().copied().filter(kept) {
            for place in places(&self.tables.log, log, &head, n, n)? {
                let record = record_at(&self.tables.record, place, log, n)?;
                if let Some(row) = erased(&record) {
                    self.dirty = true;
                    let row = Row::new().log(log).u64(n).raw(&row).bytes();
                    self.tables.record.insert(&place_key(place)[..], &row[..])?;
                }
            }
        }
        Ok(())
    }

    /// Never the last snapshot or what follows it; a log without one is needed from its beginning.
    pub(super) fn trim(&mut self, log: LogId, below: u64) -> Result<(), Fault> {
        let Some(mut head) = self.head(log)? else {
            return Ok(());
        };
        let below = below.min(head.snapshot);
        let oldest = head.base.n + 1;
        if below <= oldest {
            return Ok(());
        }
        let gone = places(&self.tables.log, log, &head, oldest, below - 1)?;
        let last = gone.last().copied().unwrap_or_default();
        head.base = record_at(&self.tables.record, last, log, below - 1)?.position();
        self.dirty = true;
        for place in gone {
            self.tables.record.remove(&place_key(place)[..])?;
        }
        // A stretch that is partly kept stays whole.
        let (begin, end) = (stretch_key(log, 0), stretch_key(log, stretch_of(below)));
        drain(&mut self.tables.log, &begin, &end, usize::MAX)?;
        self.heads.set(log, &head);
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
        self.dirty |= lanes::take(&mut self.tables, partition, id, lane, self.now)?.is_some();
        Ok(())
    }

    pub(super) fn claim(&mut self, id: EffectId, lane: &str, lease_ms: u64) -> Result<bool, Fault> {
        let partition = self.partition(id.log);
        let until = self.now.plus(lease_ms);
        let claimed = lanes::claim(&mut self.tables, partition, id, lane, until)?;
        self.dirty |= claimed;
        Ok(claimed)
    }

    pub(super) fn retry(&mut self, id: EffectId, lane: &str, after_ms: u64) -> Result<(), Fault> {
        let partition = self.partition(id.log);
        let at = self.now.plus(after_ms);
        if lanes::retry(&mut self.tables, partition, id, lane, at)? {
            self.dirty = true;
            self.keep_log(id.log, after_ms + RETRY_KEEP_MS, after_ms + 2 * RETRY_KEEP_MS)?;
        }
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
            // Once: a sign of life comes every few seconds.
            if let Some(mut head) = self.head(*log)?.filter(|head| !head.alive) {
                head.alive = true;
                self.heads.set(*log, &head);
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
            MatchOp::Release { .. } => {}
        }
        Ok(())
    }
}

fn spent_due_key(until: Millis, token: [u8; 16]) -> Vec<u8> {
    Row::new().u64(until.0).raw(&token).bytes()
}
