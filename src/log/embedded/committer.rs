//! The one thread that writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::WriteTransaction;
use tokio::sync::mpsc;

use crate::log::append::Answer;
use crate::log::effects::Leased;
use crate::log::error::LogError;
use crate::log::local::{Fanout, dropped};
use crate::model::Millis;
use crate::runtime::Clock;

use super::codec::{Fields, Row};
use super::database::Database;
use super::fault::Fault;
use super::group::{After, Group};
use super::head::Heads;
use super::mirrors::Mirrors;
use super::requests::{Reply, Request};
use super::schema::Tables;

/// Most requests in one group.
const GROUP: usize = 256;
/// Most bytes of records in one group.
const GROUP_BYTES: usize = 256 * 1024;
/// How long the engine is left alone after it could not be opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

/// Name of the row that holds the number of the last group and where the next record goes.
pub(super) const PROGRESS_ROW: &[u8] = b"progress";

/// The writing side of a store.
pub(super) struct Committer {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) database: Arc<Database>,
    pub(super) mirrors: Arc<Mirrors>,
    pub(super) fanout: Fanout,
    pub(super) clock: Clock,
    pub(super) partitions: u16,
    pub(super) heads: Heads,
    /// How far the disk is.
    pub(super) progress: Progress,
    pub(super) health: Health,
}

/// How far a store has come: written with each group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Number of the last group.
    pub(super) group: u64,
    /// Where the next record goes.
    pub(super) next_place: u64,
}

impl Progress {
    fn encode(self) -> Vec<u8> {
        Row::new().u64(self.group).u64(self.next_place).bytes()
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields(row);
        Ok(Self {
            group: fields.u64()?,
            next_place: fields.u64()?,
        })
    }
}

/// Whether the engine can be used.
#[derive(Debug, Default)]
pub(super) enum Health {
    #[default]
    Working,
    /// Its storage failed, and it could not be opened again at this time.
    Broken(Instant),
}

/// What became of one request, if its group is committed.
enum Outcome {
    Answer(Answer),
    Leased(Vec<Leased>),
    Said(bool),
    Done,
}

/// Outcomes, what follows from the commit, and how far it brings the disk if there is anything to commit.
type Applied = (Vec<Outcome>, Vec<After>, Option<Progress>);

/// What became of a group.
enum Verdict {
    /// It is on the disk, or there was nothing to write.
    Committed(Vec<Outcome>, Vec<After>),
    /// Nothing of it is, because of this request: the others may be tried again.
    Poisoned(usize, Fault),
    /// Nothing of it is.
    Failed(Fault),
    /// The engine failed while committing.
    InDoubt(Vec<Outcome>, Vec<After>, Fault),
}

impl Committer {
    /// Until nobody can ask any more, or somebody asks to stop.
    pub(super) fn run(mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let (group, stop) = self.gather(first);
            self.commit(group);
            if let Some(reply) = stop {
                self.requests.close();
                while let Ok(late) = self.requests.try_recv() {
                    late.settle(Err(LogError::unavailable("the log store is closed")));
                }
                self.database.end();
                return reply.send(Ok(()));
            }
        }
        self.database.end();
    }

    /// Whatever waits, up to the bounds of a group.
    fn gather(&mut self, first: Request) -> (Vec<Request>, Option<Reply<()>>) {
        let mut group = Vec::with_capacity(GROUP);
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(request) = next {
            if let Request::Stop(reply) = request {
                return (group, Some(reply));
            }
            bytes += request.weight();
            group.push(request);
            if group.len() >= GROUP || bytes >= GROUP_BYTES {
                break;
            }
            next = self.requests.try_recv().ok();
        }
        (group, None)
    }

    fn commit(&mut self, mut group: Vec<Request>) {
        if let Err(error) = self.recover() {
            return fail(group, &error);
        }
        while !group.is_empty() {
            match self.attempt(&group) {
                Verdict::Committed(outcomes, after) => return self.settle(group, outcomes, after),
                Verdict::Poisoned(culprit, fault) => {
                    tracing::error!(%fault, "the log store holds damaged data");
                    self.heads.forget_all();
                    group.remove(culprit).settle(Err(fault.into()));
                }
                Verdict::Failed(fault) => {
                    self.heads.forget_all();
                    tracing::error!(%fault, "the log store cannot write");
                    if fault.needs_reopening() {
                        self.reopen();
                    }
                    return fail(group, &fault.into());
                }
                Verdict::InDoubt(outcomes, after, fault) => {
                    tracing::error!(%fault, "the log store failed while committing");
                    return self.resolve(group, outcomes, after, fault);
                }
            }
        }
    }

    fn attempt(&mut self, requests: &[Request]) -> Verdict {
        let transaction = match self.database.begin_write() {
            Ok(transaction) => transaction,
            Err(fault) => return Verdict::Failed(fault),
        };
        let (outcomes, after, progress) = match self.apply(&transaction, requests) {
            Ok(applied) => applied,
            Err((Some(culprit), fault @ Fault::Damaged(_))) => return Verdict::Poisoned(culprit, fault),
            Err((_, fault)) => return Verdict::Failed(fault),
        };
        let Some(progress) = progress else {
            // What was read is on the disk already.
            return Verdict::Committed(outcomes, after);
        };
        match transaction.commit() {
            Ok(()) => {
                self.progress = progress;
                Verdict::Committed(outcomes, after)
            }
            Err(error) => Verdict::InDoubt(outcomes, after, error.into()),
        }
    }

    /// Fails with the request during which it failed, if it was during one.
    fn apply(
        &mut self,
        transaction: &WriteTransaction,
        requests: &[Request],
    ) -> Result<Applied, (Option<usize>, Fault)> {
        let overall = |fault| (None, fault);
        let tables = Tables::open(transaction).map_err(overall)?;
        let now = Millis(self.clock.wall_ms());
        let Progress { group, next_place } = self.progress;
        let number = group + 1;
        let mut group = Group::new(tables, &mut self.heads, number, next_place, self.partitions, now);
        let mut outcomes = Vec::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            outcomes.push(carry_out(&mut group, request).map_err(|fault| (Some(index), fault))?);
        }
        match group.sweep() {
            // What cannot be read is not forgotten; that must not keep anybody from writing.
            Err(Fault::Damaged(what)) => tracing::error!(what, "the log store cannot be swept"),
            swept => swept.map_err(overall)?,
        }
        let progress = group.finish(number).map_err(overall)?;
        Ok((outcomes, group.after, progress))
    }

    /// Publishes before it replies: who hears that his append is written finds it with the watchers too.
    fn settle(&self, group: Vec<Request>, outcomes: Vec<Outcome>, after: Vec<After>) {
        for after in after {
            match after {
                After::Records(log, records) => self.fanout.records(log, &records),
                After::Alive(log, until) => {
                    self.mirrors.alive_of(log).set(log, until);
                }
                After::NotAlive(log) => self.mirrors.alive_of(log).clear(&log),
                After::Dropped(letters) => dropped(letters),
            }
        }
        for (request, outcome) in group.into_iter().zip(outcomes) {
            request.settle(Ok(outcome));
        }
    }

    /// A commit that failed may have reached the disk. The group's number, written with it, says whether it did.
    fn resolve(&mut self, group: Vec<Request>, outcomes: Vec<Outcome>, after: Vec<After>, fault: Fault) {
        let number = self.progress.group + 1;
        self.heads.forget_all();
        self.reopen();
        match self.last_progress() {
            Ok(last) if last.group >= number => self.settle(group, outcomes, after),
            Ok(_) => fail(group, &fault.into()),
            Err(_) => {
                let unknown = LogError::Unknown {
                    reason: fault.to_string(),
                };
                fail(group, &unknown);
            }
        }
    }

    fn last_progress(&self) -> Result<Progress, Fault> {
        let transaction = self.database.begin_read()?;
        let meta = super::schema::read(&transaction, "meta")?;
        let row = meta.get(PROGRESS_ROW)?;
        row.map_or(Ok(Progress::default()), |row| Progress::decode(row.value()))
    }

    /// Opens a broken engine again, but not at every request.
    fn recover(&mut self) -> Result<(), LogError> {
        if let Health::Broken(since) = self.health
            && self.clock.now().duration_since(since) >= REOPEN_PAUSE
        {
            self.reopen();
        }
        match self.health {
            Health::Working => Ok(()),
            Health::Broken(_) => Err(LogError::unavailable("the log database cannot be opened again")),
        }
    }

    fn reopen(&mut self) {
        self.health = match self.database.reopen().and_then(|()| self.last_progress()) {
            Ok(last) => {
                tracing::info!("the log database is open again");
                self.progress = last;
                Health::Working
            }
            Err(fault) => {
                tracing::error!(%fault, "the log database cannot be opened again");
                Health::Broken(self.clock.now())
            }
        };
    }
}

impl Group<'_> {
    /// Writes what was gathered over the group.
    fn finish(&mut self, number: u64) -> Result<Option<Progress>, Fault> {
        self.heads.write(&mut self.tables.log)?;
        if !self.dirty {
            return Ok(None);
        }
        let progress = Progress {
            group: number,
            next_place: self.next_place,
        };
        self.tables.meta.insert(PROGRESS_ROW, &progress.encode()[..])?;
        Ok(Some(progress))
    }
}

fn carry_out(group: &mut Group<'_>, request: &Request) -> Result<Outcome, Fault> {
    let done = |()| Outcome::Done;
    match request {
        Request::Append(append, _) => group.append(append).map(Outcome::Answer),
        Request::Erase(log, numbers, _) => group.erase(*log, numbers).map(done),
        Request::Trim(log, below, _) => group.trim(*log, *below).map(done),
        Request::Lease {
            partition,
            limit,
            lease_ms,
            ..
        } => group.lease(*partition, *limit, *lease_ms).map(Outcome::Leased),
        Request::Complete(id, lane, _) => group.complete(*id, lane).map(done),
        Request::Claim(id, lane, lease_ms, _) => group.claim(*id, lane, *lease_ms).map(Outcome::Said),
        Request::Retry(id, lane, after_ms, _) => group.retry(*id, lane, *after_ms).map(done),
        Request::Bury {
            id,
            lane,
            tenant,
            reason,
            ..
        } => group.bury(*id, lane, *tenant, reason).map(done),
        Request::Replay(tenant, id, _) => group.replay(*tenant, *id).map(Outcome::Said),
        Request::Discard(tenant, id, _) => group.discard(*tenant, *id).map(Outcome::Said),
        Request::Refer(key, at, ttl_ms, _) => group.refer(key, *at, *ttl_ms).map(done),
        Request::OptOut(partition, peer, out, _) => group.opt(*partition, peer, *out).map(done),
        Request::Spend(token, ttl_ms, _) => group.spend(*token, *ttl_ms).map(Outcome::Said),
        Request::Revive(logs, ttl_ms) => group.revive(logs, *ttl_ms).map(done),
        Request::Match(tenant, op, at) => group.keep_match(*tenant, op, *at).map(done),
        Request::Stop(_) => Ok(Outcome::Done),
    }
}

fn fail(group: Vec<Request>, error: &LogError) {
    for request in group {
        request.settle(Err(error.clone()));
    }
}

impl Request {
    fn settle(self, outcome: Result<Outcome, LogError>) {
        match (self, outcome) {
            (Self::Append(_, reply), Ok(Outcome::Answer(answer))) => reply.send(Ok(answer)),
            (Self::Append(_, reply), Err(error)) => reply.send(Err(error)),
            (Self::Lease { reply, .. }, Ok(Outcome::Leased(leased))) => reply.send(Ok(leased)),
            (Self::Lease { reply, .. }, Err(error)) => reply.send(Err(error)),
            (
                Self::Spend(_, _, reply)
                | Self::Claim(_, _, _, reply)
                | Self::Replay(_, _, reply)
                | Self::Discard(_, _, reply),
                Ok(Outcome::Said(answer)),
            ) => reply.send(Ok(answer)),
            (
                Self::Spend(_, _, reply)
                | Self::Claim(_, _, _, reply)
                | Self::Replay(_, _, reply)
                | Self::Discard(_, _, reply),
                Err(error),
            ) => reply.send(Err(error)),
            (
                Self::Erase(_, _, reply)
                | Self::Trim(_, _, reply)
                | Self::Complete(_, _, reply)
                | Self::Retry(_, _, _, reply)
                | Self::Bury { reply, .. }
                | Self::Refer(_, _, _, reply)
                | Self::OptOut(_, _, _, reply)
                | Self::Stop(reply),
                outcome,
            ) => reply.send(outcome.map(|_| ())),
            // Written behind, or an outcome that is not the request's: nobody waits for it.
            (Self::Revive(..) | Self::Match(..), _) | (_, Ok(_)) => {}
        }
    }
}
