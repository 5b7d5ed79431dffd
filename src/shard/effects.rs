//! Effects of this core's appends that concern other logs and the matching tables: carried out at once, in order per
//! lane. What cannot be done now stays in the store and is leased by the sweep.

use std::rc::Rc;

use crate::log::{EffectId, LogError};
use crate::model::{Crossing, Effect, LogId, LogKind};
use crate::session::{Desk, DeskInput, Session, SessionInput};

use super::ask::Answered;
use super::error::ShardError;
use super::machine::Machine;
use super::slot::Slot;
use super::table::CoreTable;

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
                let lane = effect.lane();
                let queue = inner.lanes.entry(lane.clone()).or_insert_with(|| {
                    idle.push(lane);
                    Default::default()
                });
                queue.push_back((
                    EffectId {
                        log: slot.log,
                        n: first,
                        place,
                    },
                    effect,
                ));
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
                let next = inner
                    .lanes
                    .get_mut(&lane)
                    .and_then(std::collections::VecDeque::pop_front);
                if next.is_none() {
                    inner.lanes.remove(&lane);
                }
                next
            };
            let Some((id, effect)) = next else { return };
            if let Err(error) = self.carry_out_effect(id, lane.clone(), effect).await {
                tracing::info!(%error, effect = %id, "effect left to the sweep");
                // Those behind it wait with it: order within a lane.
                slot.inner.borrow_mut().lanes.remove(&lane);
                return;
            }
        }
    }

    /// Does what an effect asks and notes it as done. Doing it twice is harmless: the receiver's state knows.
    pub(super) async fn carry_out_effect(
        self: &Rc<Self>,
        id: EffectId,
        lane: String,
        effect: Effect,
    ) -> Result<(), LogError> {
        match effect {
            Effect::Cross { target, message } => {
                // What the target answers is part of the effect: it is delivered before the effect is done.
                if let Some(answer) = self.cross(target, message).await? {
                    self.cross(id.log, answer).await?;
                }
            }
            Effect::Match { tenant, op } => {
                if let Some(pair) = self.router.changed(tenant, op).await? {
                    self.offer(pair.session, pair.desk, pair.agent);
                }
            }
        }
        self.log.complete_effect(id, lane).await
    }

    /// Lets a session offer itself to a desk; a session that no longer wants to says so by itself.
    pub(super) fn offer(self: &Rc<Self>, session: LogId, desk: LogId, agent: crate::model::AgentId) {
        self.tell::<Session>(session, SessionInput::Matched { desk, agent });
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
            | Err(ShardError::Rejected(_) | ShardError::NoSuchLog | ShardError::KeyReused) => Ok(None),
            Err(ShardError::Unavailable { reason, .. }) => Err(LogError::unavailable(reason)),
            Err(ShardError::Unreadable { reason }) => Err(LogError::Corrupt { reason }),
        }
    }
}
