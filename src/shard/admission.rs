//! A customer's message by a channel, admitted in one round trip: into the open session of the peer if there is one, else into
//! one that the same append opens (DESIGN 3.1). For a peer whose session this core knows, what would open one is not even made.
//! Runs on the core that owns the peer's partition.

use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::log::{Answer, Append, Basis, Index, Key, LogError, NewEffect, NewRecord, PeerKey, TimerChange};
use crate::model::{Digest, Effect, LogId, Millis, Position, Record, SessionEvent, Spread};
use crate::session::{Arrival, Open, Rejection, Session, SessionInput};
use crate::telemetry::names;

use super::error::ShardError;
use super::handle::Shards;
use super::link::Command;
use super::machine::{Context, Machine, Step, encode_effect};
use super::machines::open_for_ms;
use super::slot::Slot;
use super::table::CoreTable;

/// Peers whose sessions a core remembers; beyond it forgets all of them, and learns them again.
const PEERS: usize = 16_384;

/// A message on its way into whichever session of its peer is open.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Tenant, channel and address, joined unambiguously.
    pub peer: PeerKey,
    /// The partition of all sessions of the peer.
    pub spread: Spread,
    /// Random bits for the id of a session that has to be opened.
    pub entropy: [u8; 10],
    /// What opens one; its participant is the same for every session of the peer.
    pub opening: Open,
    /// What the customer wrote.
    pub arrival: Arrival,
    /// What makes a repeat recognisable.
    pub key: Key,
    /// What else is written beside it (consent).
    pub indexes: Vec<Index>,
}

/// Where a message went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The session.
    pub log: LogId,
    /// Number of the message's first record.
    pub first: u64,
    /// What the first of several repeats was told; `None`: this was the first.
    pub before: Option<Bytes>,
}

/// The result of an admission.
type AdmissionResult = Result<Admitted, ShardError<Rejection>>;

/// An admission on its way to another core, with the place of its answer.
pub struct AdmissionAsk {
    pub(super) admission: Box<Admission>,
    pub(super) reply: oneshot::Sender<AdmissionResult>,
}

/// What opens a session, or, for one that is open, nothing but what keeps it.
struct Opening {
    records: Vec<NewRecord>,
    effects: Vec<Effect>,
    timers: Vec<TimerChange>,
    indexes: Vec<Index>,
}

/// The parts of the append, and what became of them in memory.
struct Written {
    append: Append,
    /// The message, before it was encoded.
    records: Vec<Record<SessionEvent>>,
    opening_effects: Vec<Effect>,
    effects: Vec<Effect>,
    quiet: Option<Position>,
}

impl Written {
    /// Whether the store has left out the effects of the message: it continued the log where nothing follows.
    fn is_quiet(&self, top: Position) -> bool {
        let records = self.append.records.iter();
        self.quiet
            .is_some_and(|at| records.fold(at, |at, record| at.then(&record.digest)) == top)
    }
}

impl Shards {
    /// Admits a customer's message; resolves when it is safe.
    ///
    /// # Errors
    /// What is wrong with the message, [`ShardError::KeyReused`], or why the log could not be asked.
    pub async fn admit(&self, admission: Admission) -> AdmissionResult {
        let core = &self.core;
        let owner = usize::from(admission.spread.partition(core.log.info().partitions)) % core.links.cores();
        if owner == core.core {
            return core.admit(admission).await;
        }
        let (reply, answer) = oneshot::channel();
        let ask = AdmissionAsk {
            admission: Box::new(admission),
            reply,
        };
        if core.links.ask(owner, Command::Admit(ask)).is_err() {
            metrics::counter!(names::QUEUE_FULL, "queue" => "mailbox").increment(1);
        }
        answer
            .await
            .unwrap_or(Err(ShardError::unavailable("the question was dropped")))
    }
}

impl CoreTable {
    /// Answers an admission of another core.
    pub(super) fn take_admission(self: &Rc<Self>, ask: AdmissionAsk) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            // The asker may have gone; what was admitted stands all the same.
            let _ = ask.reply.send(core.admit(*ask.admission).await);
        });
    }

    async fn admit(self: &Rc<Self>, admission: Admission) -> AdmissionResult {
        let deadline = self.clock.now() + self.options.decide_deadline;
        let mut known = self.peers.borrow().get(&admission.peer).copied();
        let mut written = self.written(&admission, known)?;
        loop {
            match self.log.append(written.append.clone()).await {
                Ok(Answer::Appended {
                    log,
                    first,
                    top,
                    opened,
                }) => {
                    self.remember(&admission.peer, log);
                    self.admitted(log, first, top, opened, written);
                    return Ok(Admitted {
                        log,
                        first,
                        before: None,
                    });
                }
                // The first of a repeat may have been this very append, unanswered: its effects are in the store then.
                Ok(Answer::Repeat { log, first, answer }) => {
                    metrics::counter!(names::APPENDS_REPEATED).increment(1);
                    return Ok(Admitted {
                        log,
                        first,
                        before: Some(answer),
                    });
                }
                Ok(Answer::KeyReused) => return Err(ShardError::KeyReused),
                Ok(Answer::OptedOut) => return Err(ShardError::OptedOut),
                // The session is over, or another is the peer's by now.
                Ok(Answer::Closed) if known.take().is_some() => {
                    self.peers.borrow_mut().remove(&admission.peer);
                    written = self.written(&admission, None)?;
                }
                Ok(Answer::Refused { .. } | Answer::Closed) => {
                    return Err(ShardError::unavailable("a fresh session id was taken"));
                }
                Err(LogError::Unknown { .. }) if self.clock.now() < deadline => {
                    metrics::counter!(names::APPENDS_UNKNOWN).increment(1);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The append: the message, and, unless the peer is believed to have a session open, what opens one.
    fn written(&self, admission: &Admission, known: Option<LogId>) -> Result<Written, ShardError<Rejection>> {
        let now = self.wall();
        let open = &admission.opening;
        let fresh = || LogId::session(now, admission.entropy, admission.spread);
        let log = known.unwrap_or_else(fresh);
        let opening = match known {
            Some(_) => Opening {
                records: Vec::new(),
                effects: Vec::new(),
                timers: Vec::new(),
                indexes: vec![Index::Open(open.tenant)],
            },
            None => self.opening(log, open, now)?,
        };
        let channel = open.terms.links.channel.as_deref().unwrap_or_default();
        let records = admission
            .arrival
            .records(open.participant, now, &mut uuid::Uuid::now_v7)
            .map_err(ShardError::Rejected)?;
        let effects = admission.arrival.effects(open.tenant, channel);
        let quiet = known.and_then(|log| self.quiet(log, &effects));
        let mut indexes = opening.indexes;
        indexes.extend(admission.indexes.iter().cloned());
        let append = Append {
            log,
            basis: Basis::Peer {
                peer: admission.peer.clone(),
                opening: opening.records,
                opening_effects: self.stored(&opening.effects),
                quiet,
            },
            records: records.iter().map(Session::encode).collect(),
            key: Some(admission.key.clone()),
            guard: None,
            effects: self.stored(&effects),
            timers: opening.timers,
            indexes,
            expire_ms: open_for_ms(open.asynchronous, open.terms.keep_ms),
            closes: false,
        };
        Ok(Written {
            append,
            records,
            opening_effects: opening.effects,
            effects,
            quiet,
        })
    }

    /// What opens a session.
    fn opening(&self, log: LogId, open: &Open, now: Millis) -> Result<Opening, ShardError<Rejection>> {
        let input = SessionInput::Open(Box::new(open.clone()));
        let mut context = Context {
            log,
            top: 0,
            now,
            liveness: self.options.liveness,
            fresh: &mut uuid::Uuid::now_v7,
        };
        let step: Step<Session> =
            Machine::decide(&Session::default(), &input, &mut context).map_err(ShardError::Rejected)?;
        Ok(Opening {
            records: step.records.iter().map(Session::encode).collect(),
            effects: step.effects,
            timers: step.timers,
            indexes: step.indexes,
        })
    }

    /// Where the peer's session stands, if this core has it in memory and nothing follows there from what these effects are for.
    fn quiet(&self, log: LogId, effects: &[Effect]) -> Option<Position> {
        if !matches!(effects, [Effect::Heard]) {
            return None;
        }
        let slot = self.sessions.get(log)?;
        let mut inner = slot.inner.borrow_mut();
        let replica = inner.replica.open()?;
        (!replica.state.reacts()).then_some(replica.top)
    }

    fn remember(&self, peer: &PeerKey, log: LogId) {
        let mut peers = self.peers.borrow_mut();
        if peers.len() >= PEERS {
            peers.clear();
        }
        peers.insert(peer.clone(), log);
    }

    fn stored(&self, effects: &[Effect]) -> Vec<NewEffect> {
        (0u16..)
            .zip(effects)
            .map(|(place, effect)| NewEffect {
                place,
                lane: effect.lane(),
                delay_ms: self.options.grace_ms(),
                payload: encode_effect(effect),
            })
            .collect()
    }

    /// The message is in: a replica moves, readers see it, effects begin.
    fn admitted(self: &Rc<Self>, log: LogId, first: u64, top: Position, opened: bool, written: Written) {
        let slot = <Session as Machine>::table(self).slot(log, self.clock.now());
        let is_quiet = written.is_quiet(top);
        if opened {
            self.begin_effects(&slot, 1, written.opening_effects);
        } else {
            let digests = written.append.records.iter().map(|record| record.digest);
            self.follow_admitted(&slot, first, top, digests.zip(written.records));
        }
        if !is_quiet {
            self.begin_effects(&slot, first, written.effects);
        }
    }

    /// Moves a replica that stood just before the records over them; one that stood elsewhere reads what it missed.
    fn follow_admitted(
        self: &Rc<Self>,
        slot: &Rc<Slot<Session>>,
        first: u64,
        top: Position,
        records: impl Iterator<Item = (Digest, Record<SessionEvent>)>,
    ) {
        let fits = {
            let mut inner = slot.inner.borrow_mut();
            let Some(replica) = inner.replica.open() else {
                return;
            };
            if replica.top.n + 1 == first {
                for (digest, record) in records {
                    replica.take_own(replica.top.then(&digest), record);
                }
            }
            // Records may also have come back through the watch before.
            replica.top == top
        };
        if fits {
            self.publish(slot);
        } else {
            self.refresh(Rc::clone(slot));
        }
    }
}
