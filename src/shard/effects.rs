//! Effects of this core's appends: carried out at once, in order per lane. What cannot be done now stays in the store and is
//! leased by the sweep.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::log::{EffectId, LogError, Pair};
use crate::model::{Crossing, Effect, LogId, LogKind, MatchOp, TenantId};
use crate::session::{Desk, DeskInput, Session, SessionInput};
use crate::telemetry::names;

use super::ask::Answered;
use super::deliverer::{Delivery, Verdict};
use super::error::ShardError;
use super::handle::Shards;
use super::machine::Machine;
use super::slot::{Lane, Slot};
use super::table::CoreTable;

/// Pairs followed up at once that the tables named wrongly; the sweep goes on from there.
const PAIRS: usize = 16;
/// Above every number of a record; a number that Redis keeps exactly.
const BEYOND: u64 = (1 << 53) - 1;

impl CoreTable {
    /// Puts the effects of an append into their lanes and starts the lanes that stood still.
    pub(super) fn begin_effects<M: Machine>(
        self: &Rc<Self>,
        slot: &Rc<Slot<M>>,
        first: u64,
        effects: Vec<Effect>,
    ) {
        let mut idle = Vec::new();
        {
            let mut inner = slot.inner.borrow_mut();
            for (place, effect) in (0u16..).zip(effects) {
                let (name, id) = (
                    effect.lane(),
                    EffectId {
                        log: slot.log,
                        n: first,
                        place,
                    },
                );
                let lanes = &mut inner.busy().lanes;
                match lanes.iter_mut().find(|lane| lane.name == name) {
                    Some(lane) => lane.waiting.push_back((id, effect)),
                    None => {
                        idle.push(name.clone());
                        lanes.push(Lane {
                            name,
                            waiting: VecDeque::from([(id, effect)]),
                        });
                    }
                }
            }
        }
        for lane in idle {
            let (core, slot) = (Rc::clone(self), Rc::clone(slot));
            tokio::task::spawn_local(async move { core.run_lane(&slot, lane).await });
        }
    }

    async fn run_lane<M: Machine>(self: &Rc<Self>, slot: &Rc<Slot<M>>, lane: String) {
        loop {
            let next = {
                let mut inner = slot.inner.borrow_mut();
                let known = inner.busy().lanes.iter_mut().find(|known| known.name == lane);
                let next = known.and_then(|known| known.waiting.pop_front());
                if next.is_none() {
                    inner.end_lane(&lane);
                }
                next
            };
            let Some((id, effect)) = next else { return };
            match self.attempt_first(id, lane.clone(), effect).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::info!(%error, effect = %id, "effect left to the sweep");
                    break;
                }
            }
        }
        // Those behind it wait with it: order within a lane.
        slot.inner.borrow_mut().end_lane(&lane);
    }

    /// The first attempt, by the node that wrote the effect. Somebody outside is told only what stands first in its lane and
    /// nobody else has taken on: the order there is the store's to keep, since no receiver can put it right.
    async fn attempt_first(
        self: &Rc<Self>,
        id: EffectId,
        lane: String,
        effect: Effect,
    ) -> Result<bool, LogError> {
        if !matches!(effect, Effect::Deliver { .. }) {
            return self.attempt(id, 0, lane, effect).await;
        }
        let lease_ms = self.options.lease_ms();
        if !self.log.claim_effect(id, lane.clone(), lease_ms).await? {
            return Ok(false);
        }
        self.attempt(id, 1, lane, effect).await
    }

    /// Makes one attempt at an effect and tells the store how it ended. `true`: it is out of its lane.
    pub(super) async fn attempt(
        self: &Rc<Self>,
        id: EffectId,
        attempt: u32,
        lane: String,
        effect: Effect,
    ) -> Result<bool, LogError> {
        // Only what concerns somebody outside can be given up, and that names its tenant.
        let tenant = match &effect {
            Effect::Deliver { tenant, .. } => *tenant,
            _ => TenantId(uuid::Uuid::nil()),
        };
        let kind = kind_of(&effect);
        let verdict = self.effect(id, attempt, effect).await?;
        let outcome = match &verdict {
            Verdict::Done => "done",
            Verdict::Later(_) | Verdict::Spared(_) => "retried",
            Verdict::Dead(_) => "dead",
        };
        metrics::counter!(names::EFFECTS, "kind" => kind, "outcome" => outcome).increment(1);
        match verdict {
            Verdict::Done => self.log.complete_effect(id, lane).await?,
            Verdict::Later(after) | Verdict::Spared(after) => {
                let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                self.log.retry_effect(id, lane, after_ms).await?;
                return Ok(false);
            }
            Verdict::Dead(reason) => {
                tracing::warn!(effect = %id, reason, "effect given up");
                let reason = reason.chars().take(100).collect();
                self.log.bury_effect(id, lane, tenant, reason).await?;
            }
        }
        Ok(true)
    }

    /// Does what an effect asks. Doing it twice is harmless: the receiver's state knows, or its receiver by the id.
    async fn effect(
        self: &Rc<Self>,
        id: EffectId,
        attempt: u32,
        effect: Effect,
    ) -> Result<Verdict, LogError> {
        match effect {
            Effect::Cross { target, message } => {
                // What the target answers is part of the effect: it is delivered before the effect is done.
                if let Some(answer) = self.cross(target, message).await? {
                    self.cross(id.log, answer).await?;
                }
            }
            Effect::Match { tenant, op } => {
                if let Some(pair) = self.router.changed(tenant, op).await? {
                    self.bring_together(tenant, pair).await?;
                }
            }
            Effect::Heard => {
                self.cross_to::<Session>(id.log, SessionInput::Heard { n: id.n })
                    .await?;
            }
            Effect::Deliver {
                tenant,
                target,
                notice,
            } => {
                let delivery = Delivery {
                    id,
                    attempt,
                    tenant,
                    target,
                    notice,
                };
                return Ok(self.deliver(delivery).await);
            }
        }
        Ok(Verdict::Done)
    }

    /// Tells somebody outside, within the bounds of the core.
    async fn deliver(self: &Rc<Self>, delivery: Delivery) -> Verdict {
        if self.attempts.get() >= self.options.attempts {
            metrics::counter!(names::QUEUE_FULL, "queue" => "attempts").increment(1);
            return Verdict::Spared(Duration::from_secs(1));
        }
        self.attempts.set(self.attempts.get() + 1);
        let shards = Shards {
            core: Rc::clone(self),
        };
        let attempt = self.deliverer.deliver(&shards, delivery);
        let verdict = tokio::time::timeout(self.options.attempt, attempt).await;
        self.attempts.set(self.attempts.get() - 1);
        verdict.unwrap_or(Verdict::Later(Duration::from_secs(5)))
    }

    /// Lets a session offer itself to a desk, and returns when it has decided: a pair that nobody heard of would wait for the sweep.
    ///
    /// A session that seeks nobody although the tables name it is taken out of them: it would otherwise stand before everybody for
    /// ever. The desk that was named with it is there for the next.
    pub(super) async fn bring_together(
        self: &Rc<Self>,
        tenant: TenantId,
        first: Pair,
    ) -> Result<(), LogError> {
        let mut next = Some(first);
        for _ in 0..PAIRS {
            let Some(Pair { session, desk, agent }) = next else {
                return Ok(());
            };
            let matched = SessionInput::Matched { desk, agent };
            match self.ask::<Session>(session, matched, None).await {
                Err(ShardError::Rejected(_) | ShardError::NoSuchLog) => {}
                Err(ShardError::Unavailable { reason, .. }) => return Err(LogError::unavailable(reason)),
                Ok(_) | Err(_) => return Ok(()),
            }
            if let Some(n) = self.seeks_nobody_since(session).await {
                let gone = MatchOp::Unwait {
                    session,
                    n,
                    assigned: false,
                };
                tracing::debug!(%session, "taken out of the matching tables, where it no longer belonged");
                self.router.changed(tenant, gone).await?;
            }
            next = self.router.changed(tenant, MatchOp::Release { desk }).await?;
        }
        Ok(())
    }

    /// Up to which record the tables cannot have been told that the session seeks nobody. `None`: it does seek somebody, or cannot be
    /// read; what it does next brings the tables up to date.
    async fn seeks_nobody_since(self: &Rc<Self>, session: LogId) -> Option<u64> {
        match self.view::<Session>(session).await {
            Ok(view) => (!view.state.seeks_somebody()).then_some(view.top.n),
            Err(ShardError::NoSuchLog) => Some(BEYOND),
            Err(_) => None,
        }
    }

    async fn cross(self: &Rc<Self>, target: LogId, message: Crossing) -> Result<Option<Crossing>, LogError> {
        match target.kind() {
            LogKind::Session => {
                self.cross_to::<Session>(target, SessionInput::Crossing(message))
                    .await
            }
            LogKind::Desk => self.cross_to::<Desk>(target, DeskInput::Crossing(message)).await,
            LogKind::Feed => Ok(None),
        }
    }

    async fn cross_to<M: Machine>(
        self: &Rc<Self>,
        target: LogId,
        input: M::Input,
    ) -> Result<Option<Crossing>, LogError> {
        match self.ask::<M>(target, input, None).await {
            Ok(Answered::Now(reply)) => Ok(M::answer(&reply)),
            // A machine that says no, or a log that is gone, has no use for the message: it is delivered.
            Ok(Answered::Before { .. })
            | Err(
                ShardError::Rejected(_)
                | ShardError::NoSuchLog
                | ShardError::KeyReused
                | ShardError::OptedOut,
            ) => Ok(None),
            Err(ShardError::Unavailable { reason, .. }) => Err(LogError::unavailable(reason)),
            Err(ShardError::Unreadable { reason }) => Err(LogError::Corrupt { reason }),
        }
    }
}

/// A word for metrics.
const fn kind_of(effect: &Effect) -> &'static str {
    match effect {
        Effect::Cross { .. } => "cross",
        Effect::Match { .. } => "match",
        Effect::Heard => "heard",
        Effect::Deliver { .. } => "deliver",
    }
}
