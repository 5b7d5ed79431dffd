//! The pump of one log: takes what waits, decides it together, appends, answers. One append in flight per log.
//!
//! ```text
//! idle ──ask──▶ loading ──▶ deciding ──▶ appending ──Appended──▶ answered ──▶ idle, or deciding what came meanwhile
//!                  ▲            ▲            ├──Refused──▶ catching up ──▶ deciding
//!                  └────────────┴──forked────┤
//!                                            └──Unknown──▶ appending the same again (it can land only once)
//! ```
//!
//! A decided append names its top, so sending it again is safe: if the first one landed, the second is refused and the
//! records read back are our own.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::log::{Answer, LogError};
use crate::telemetry::names;

use super::ask::{Answered, Ask};
use super::decide::{Plan, Write, decide};
use super::error::{Asked, ShardError};
use super::held::Held;
use super::machine::Machine;
use super::replica::{Misfit, Replica};
use super::slot::Slot;
use super::table::CoreTable;

/// How many records are read at a time when catching up.
const CATCH_UP: usize = 256;

/// What became of an append.
enum Outcome {
    Written,
    Lost,
    Repeat {
        log: crate::model::LogId,
        first: u64,
        answer: bytes::Bytes,
    },
    KeyReused,
}

impl CoreTable {
    /// Queues a question for a log of this core and sees to it that a pump works on it.
    pub(super) fn enqueue<M: Machine>(self: &Rc<Self>, ask: Ask<M>) {
        let slot = M::table(self).slot(ask.log, self.clock.now());
        let mut inner = slot.inner.borrow_mut();
        if inner.busy().queue.len() >= self.options.queue_per_log {
            drop(inner);
            metrics::counter!(names::QUEUE_FULL, "queue" => "log").increment(1);
            return ask.answer(Err(ShardError::unavailable(
                "too many requests wait for this log",
            )));
        }
        inner.busy().queue.push_back(ask);
        if !inner.pumping {
            inner.pumping = true;
            drop(inner);
            let core = Rc::clone(self);
            tokio::task::spawn_local(async move { core.pump(&slot).await });
        }
    }

    async fn pump<M: Machine>(self: &Rc<Self>, slot: &Rc<Slot<M>>) {
        loop {
            let batch: Vec<Ask<M>> = {
                let mut inner = slot.inner.borrow_mut();
                let queue = &mut inner.busy().queue;
                let take = queue.len().min(self.options.batch);
                if take == 0 {
                    // Those with signals stay.
                    *queue = VecDeque::new();
                    inner.pumping = false;
                    inner.calm();
                    return;
                }
                queue.drain(..take).collect()
            };
            let rest = self.carry_out(slot, batch).await;
            let mut inner = slot.inner.borrow_mut();
            for ask in rest.into_iter().rev() {
                inner.busy().queue.push_front(ask);
            }
        }
    }

    /// Decides and answers from the head of `batch`; returns what did not fit into the append.
    async fn carry_out<M: Machine>(
        self: &Rc<Self>,
        slot: &Rc<Slot<M>>,
        mut batch: Vec<Ask<M>>,
    ) -> Vec<Ask<M>> {
        // Whether the replica is known to be the top of the log: only then may a question be answered without an append.
        let mut fresh = !self.log.info().shared;
        for attempt in 0u32.. {
            let now = self.clock.now();
            batch = expire(batch, now);
            let Some(deadline) = batch.iter().map(|ask| ask.deadline).max() else {
                return batch;
            };
            match self
                .load(slot, batch.iter().any(|ask| M::creates(&ask.input)))
                .await
            {
                Ok(loaded) => fresh |= loaded,
                Err(error) => return refuse(batch, &error),
            }
            let Some(plan) = self.plan(slot, &batch) else {
                continue;
            };
            let taken = plan.verdicts.len();
            let settled = match plan.write {
                None if fresh => true,
                None => match self.catch_up(slot).await {
                    Ok(moved) => {
                        fresh = true;
                        !moved
                    }
                    Err(error) => return refuse(batch, &error),
                },
                Some(write) => match self.write(slot, write, deadline).await {
                    Ok(Outcome::Written) => true,
                    Ok(Outcome::Lost) => {
                        if attempt > 0 {
                            // Racing nodes must not stay in step.
                            let jitter = uuid::Uuid::new_v4().as_bytes()[0] >> (5 - attempt.min(5));
                            tokio::time::sleep(Duration::from_millis(u64::from(jitter))).await;
                        }
                        fresh = true;
                        false
                    }
                    Ok(Outcome::Repeat { log, first, answer }) => {
                        let rest = batch.split_off(1);
                        for ask in batch {
                            ask.answer(Ok(Answered::Before {
                                log,
                                first,
                                answer: answer.clone(),
                            }));
                        }
                        return rest;
                    }
                    Ok(Outcome::KeyReused) => {
                        let rest = batch.split_off(1);
                        refuse(batch, &ShardError::KeyReused);
                        return rest;
                    }
                    Err(error) => return refuse(batch, &error),
                },
            };
            if settled {
                let rest = batch.split_off(taken);
                for (ask, verdict) in batch.into_iter().zip(plan.verdicts) {
                    ask.answer(verdict.map(Answered::Now).map_err(ShardError::Rejected));
                }
                return rest;
            }
        }
        batch
    }

    fn plan<M: Machine>(&self, slot: &Slot<M>, batch: &[Ask<M>]) -> Option<Plan<M>> {
        let mut inner = slot.inner.borrow_mut();
        let replica = inner.replica.open()?;
        Some(decide(replica, slot.log, batch, self.wall(), &self.options))
    }

    /// Makes sure there is a replica. `true`: it was read just now.
    pub(super) async fn load<M: Machine>(&self, slot: &Slot<M>, may_be_new: bool) -> Asked<M, bool> {
        let missed = {
            let inner = slot.inner.borrow();
            if inner.replica.top().is_some_and(|top| may_be_new || top.n > 0) {
                return Ok(false);
            }
            inner.missed
        };
        let replica = match self.log.tail(slot.log).await? {
            Some(tail) => Replica::rebuild(&tail, self.options.tail_records).map_err(unreadable)?,
            None if may_be_new => self.empty(),
            None => {
                slot.inner.borrow_mut().replica = Held::Absent;
                return Err(ShardError::NoSuchLog);
            }
        };
        let overtaken = {
            let mut inner = slot.inner.borrow_mut();
            // Somebody else may have read, or appended, while this read was under way.
            if inner.replica.top().is_none_or(|known| known.n <= replica.top.n) {
                inner.replica = replica.into();
            }
            inner.missed != missed
        };
        if overtaken {
            // What was told meanwhile found no replica; it is in the store by now.
            self.catch_up(slot).await?;
        }
        // Others may have read it before it was dropped.
        self.publish(slot);
        Ok(true)
    }

    /// Reads what others appended. `true`: there was something, or the replica had to be rebuilt.
    pub(super) async fn catch_up<M: Machine>(&self, slot: &Slot<M>) -> Asked<M, bool> {
        let mut moved = false;
        loop {
            let Some(top) = slot.inner.borrow().replica.top() else {
                return Ok(true);
            };
            // The newest known record is read along: if it is another one, this is another history.
            let page = self.log.read_forward(slot.log, top.n.max(1), CATCH_UP).await?;
            let Some(page) = page else {
                if top.n > 0 {
                    slot.inner.borrow_mut().replica = Held::Absent;
                }
                return Ok(moved || top.n > 0);
            };
            let mut inner = slot.inner.borrow_mut();
            let Some(replica) = inner.replica.open() else {
                return Ok(true);
            };
            let forked = page.top.n < replica.top.n && page.top.n < top.n;
            let mut misfit = forked.then_some(Misfit::Fork);
            for stored in &page.records {
                match replica.take(stored) {
                    Ok(()) => moved = true,
                    Err(Misfit::Old) => {}
                    Err(other) => {
                        misfit = Some(other);
                        break;
                    }
                }
            }
            match misfit {
                Some(Misfit::Unreadable(reason)) => return Err(ShardError::Unreadable { reason }),
                Some(_) => {
                    tracing::warn!(log = %slot.log, "the store holds another history; the replica is rebuilt");
                    inner.replica = Held::Absent;
                    return Ok(true);
                }
                None if replica.top.n < page.top.n => {}
                None => break,
            }
        }
        if moved {
            self.publish(slot);
        }
        Ok(moved)
    }

    async fn write<M: Machine>(
        self: &Rc<Self>,
        slot: &Rc<Slot<M>>,
        write: Write<M>,
        deadline: Instant,
    ) -> Asked<M, Outcome> {
        loop {
            let began = self.clock.now();
            let answer = self.log.append(write.append.clone()).await;
            let took = self.clock.now().saturating_duration_since(began);
            self.measures.appended(&answer, write.append.records.len(), took);
            match answer {
                Ok(Answer::Appended { .. }) => break,
                Ok(Answer::Refused { .. }) => {
                    self.catch_up(slot).await?;
                    if self.is_ours(slot, &write) {
                        break;
                    }
                    return Ok(Outcome::Lost);
                }
                Ok(Answer::Repeat { log, first, answer }) => {
                    // The first append of this key may have been this very one, unanswered.
                    self.catch_up(slot).await?;
                    if self.is_ours(slot, &write) {
                        break;
                    }
                    metrics::counter!(names::APPENDS_REPEATED).increment(1);
                    return Ok(Outcome::Repeat { log, first, answer });
                }
                Ok(Answer::KeyReused) => return Ok(Outcome::KeyReused),
                Ok(Answer::Closed) => return Err(ShardError::NoSuchLog),
                Ok(Answer::OptedOut) => return Err(ShardError::OptedOut),
                Err(LogError::Unknown { reason }) => {
                    metrics::counter!(names::APPENDS_UNKNOWN).increment(1);
                    if self.clock.now() >= deadline {
                        // Nobody may decide on a replica that may be behind its own append.
                        slot.inner.borrow_mut().replica = Held::Absent;
                        return Err(LogError::Unknown { reason }.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.install(slot, write);
        Ok(Outcome::Written)
    }

    /// Whether the log holds our records where we meant them to be.
    fn is_ours<M: Machine>(&self, slot: &Slot<M>, write: &Write<M>) -> bool {
        let mut inner = slot.inner.borrow_mut();
        let top = write.top();
        inner
            .replica
            .open()
            .and_then(|replica| replica.entry(top.n))
            .is_some_and(|entry| entry.hash == top.hash)
    }

    /// The append is in: the replica moves, readers see it, its effects begin.
    fn install<M: Machine>(self: &Rc<Self>, slot: &Rc<Slot<M>>, write: Write<M>) {
        let Write {
            append,
            state,
            entries,
            effects,
        } = write;
        let first = entries.first().map_or(0, |entry| entry.n);
        for outcome in entries.iter().filter_map(|entry| M::offer(&entry.record.event)) {
            metrics::counter!(names::OFFERS, "outcome" => outcome).increment(1);
        }
        {
            let mut inner = slot.inner.borrow_mut();
            // A record that came back through the watch may have been taken already.
            if let Some(replica) = inner.replica.open().filter(|replica| replica.top.n < first) {
                replica.install(state, entries);
            }
        }
        self.set_timers(slot.log, &append.timers);
        self.publish(slot);
        self.begin_effects(slot, first, effects);
    }
}

fn expire<M: Machine>(batch: Vec<Ask<M>>, now: Instant) -> Vec<Ask<M>> {
    let (late, live): (Vec<_>, Vec<_>) = batch.into_iter().partition(|ask| ask.deadline <= now);
    refuse(
        late,
        &ShardError::unavailable("the race for this log was lost until the deadline"),
    );
    live
}

/// Tells all of them the same; nothing is left.
fn refuse<M: Machine>(batch: Vec<Ask<M>>, error: &ShardError<M::Rejection>) -> Vec<Ask<M>> {
    for ask in batch {
        ask.answer(Err(error.clone()));
    }
    Vec::new()
}

fn unreadable<R>(misfit: Misfit) -> ShardError<R> {
    let reason = match misfit {
        Misfit::Unreadable(reason) => reason,
        Misfit::Old | Misfit::Gap | Misfit::Fork => "the stored records do not form a chain".to_owned(),
    };
    ShardError::Unreadable { reason }
}
