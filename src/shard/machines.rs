//! The two machines as the pump knows them.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::log::{Index, NewRecord, StoredBody, StoredRecord, TimerChange};
use crate::model::{Body, Crossing, DeskEvent, Kinds, Millis, OfferOutcome, Record, SessionEvent};
use crate::protocol::entry;
use crate::session::{
    Circumstances, Decision, Desk, DeskInput, DeskRejection, DeskReply, DeskTimer, Rejection, SLEEP_MS,
    Session, SessionInput, SessionReply, SessionTimer, Standing,
};

use super::ask::Ask;
use super::cells::Cells;
use super::link::{Command, News};
use super::machine::{Context, Machine, Step, ViewReply};
use super::options::{Liveness, millis};
use super::slot::Table;
use super::table::CoreTable;
use super::view::View;

const HOUR_MS: u64 = 3_600_000;
/// A live session that nobody touches; its agents may come back for a day after its end.
const LIVE_MS: u64 = 26 * HOUR_MS;
/// One that sleeps has ended by then.
const ASYNCHRONOUS_MS: u64 = SLEEP_MS + HOUR_MS;
const CLOSED_MS: u64 = 24 * HOUR_MS;
const DESK_MS: u64 = 7 * 24 * HOUR_MS;

/// How long the log of an open session is kept from its last append on, in milliseconds.
pub(super) fn open_for_ms(asynchronous: bool, keep_ms: u64) -> u64 {
    let needed_ms = if asynchronous { ASYNCHRONOUS_MS } else { LIVE_MS };
    needed_ms.max(keep_ms)
}

impl Machine for Session {
    const KEEPS_RECORDS: bool = true;

    type Event = SessionEvent;
    type Input = SessionInput;
    type Reply = SessionReply;
    type Rejection = Rejection;

    fn alive(liveness: &Liveness) -> Duration {
        liveness.widget
    }

    fn decide(&self, input: &SessionInput, context: &mut Context<'_>) -> Result<Step<Self>, Rejection> {
        let circumstances = Circumstances {
            log: context.log,
            top: context.top,
            now: context.now,
            fresh: &mut *context.fresh,
        };
        let decision = Self::decide(self, input, circumstances)?;
        let opening = match input {
            SessionInput::Open(open) => Some((open.tenant, open.asynchronous, open.terms.keep_ms)),
            _ => None,
        };
        let known = opening.or_else(|| {
            let about = self.about()?;
            Some((about.tenant, about.asynchronous, about.terms.keep_ms))
        });
        let mut indexes = Vec::new();
        if let Some((tenant, ..)) = known {
            indexes.extend(decision.marks.opens.then_some(Index::Open(tenant)));
            indexes.extend(decision.marks.closes.then_some(Index::Shut(tenant)));
        }
        let expire_ms = if decision.marks.closes || self.closed_at().is_some() {
            CLOSED_MS
        } else {
            open_for_ms(known.is_some_and(|(_, asynchronous, _)| asynchronous), 0)
        };
        let keep_ms = known.map_or(0, |(.., keep_ms)| keep_ms);
        Ok(step(decision, indexes, expire_ms.max(keep_ms), &context.liveness))
    }

    fn apply(&mut self, n: u64, record: &Record<SessionEvent>) {
        Self::apply(self, n, record);
    }

    fn creates(input: &SessionInput) -> bool {
        matches!(input, SessionInput::Open(_))
    }

    fn timer(name: u16, due: Millis) -> Option<SessionInput> {
        SessionTimer::from_number(name).map(|timer| SessionInput::Timer { timer, due })
    }

    fn lapsed() -> SessionInput {
        SessionInput::Lapsed
    }

    fn returned(&self) -> Option<SessionInput> {
        self.is_customer_lost().then_some(SessionInput::Returned)
    }

    fn answer(reply: &SessionReply) -> Option<Crossing> {
        reply.answer.clone()
    }

    fn offer(event: &SessionEvent) -> Option<&'static str> {
        match event {
            SessionEvent::Accepted { .. } => Some("accepted"),
            SessionEvent::OfferEnded { outcome, .. } => Some(match outcome {
                OfferOutcome::Refused => "refused",
                OfferOutcome::Rejected => "rejected",
                OfferOutcome::TimedOut => "expired",
                OfferOutcome::Withdrawn => "withdrawn",
            }),
            _ => None,
        }
    }

    fn erases(event: &SessionEvent) -> bool {
        matches!(event, SessionEvent::Erased)
    }

    fn renumbers(event: &SessionEvent) -> bool {
        matches!(event, SessionEvent::Rollback { .. })
    }

    fn standing(&self) -> Standing {
        Self::standing(self)
    }

    fn snapshot(&self, at: Millis) -> Record<SessionEvent> {
        Record {
            at,
            cause: None,
            event: SessionEvent::Snapshot,
            body: state_of(self),
        }
    }

    fn restore(record: &Record<SessionEvent>) -> Option<Self> {
        matches!(record.event, SessionEvent::Snapshot)
            .then(|| state_from(&record.body))
            .flatten()
    }

    fn encode(record: &Record<SessionEvent>) -> NewRecord {
        encode(record, matches!(record.event, SessionEvent::Snapshot))
    }

    fn decode(stored: &StoredRecord) -> Result<Record<SessionEvent>, String> {
        decode(stored)
    }

    fn table(core: &CoreTable) -> &Table<Self> {
        &core.sessions
    }

    fn cells(core: &CoreTable) -> &Cells<Self> {
        &core.session_cells
    }

    fn command(ask: Ask<Self>) -> Command {
        Command::Session(ask)
    }

    fn watch_command(log: crate::model::LogId, core: usize, reply: ViewReply<Self>) -> Command {
        Command::WatchSession(log, core, reply)
    }

    fn news(view: Arc<View<Self>>) -> News {
        News::Session(view)
    }
}

impl Machine for Desk {
    const KEEPS_RECORDS: bool = false;

    type Event = DeskEvent;
    type Input = DeskInput;
    type Reply = DeskReply;
    type Rejection = DeskRejection;

    fn alive(liveness: &Liveness) -> Duration {
        liveness.desk
    }

    fn decide(&self, input: &DeskInput, context: &mut Context<'_>) -> Result<Step<Self>, DeskRejection> {
        let circumstances = Circumstances {
            log: context.log,
            top: context.top,
            now: context.now,
            fresh: &mut *context.fresh,
        };
        Ok(step(
            Self::decide(self, input, circumstances)?,
            Vec::new(),
            DESK_MS,
            &context.liveness,
        ))
    }

    fn apply(&mut self, n: u64, record: &Record<DeskEvent>) {
        Self::apply(self, n, record);
    }

    fn creates(input: &DeskInput) -> bool {
        matches!(
            input,
            DeskInput::Connect { .. } | DeskInput::Crossing(Crossing::Reserve { .. })
        )
    }

    fn timer(name: u16, due: Millis) -> Option<DeskInput> {
        DeskTimer::from_number(name).map(|timer| DeskInput::Timer { timer, due })
    }

    fn lapsed() -> DeskInput {
        DeskInput::Lapsed
    }

    fn returned(&self) -> Option<DeskInput> {
        self.is_lost().then_some(DeskInput::Returned)
    }

    fn answer(reply: &DeskReply) -> Option<Crossing> {
        reply.answer.clone()
    }

    fn snapshot(&self, at: Millis) -> Record<DeskEvent> {
        Record {
            at,
            cause: None,
            event: DeskEvent::Snapshot,
            body: state_of(self),
        }
    }

    fn restore(record: &Record<DeskEvent>) -> Option<Self> {
        matches!(record.event, DeskEvent::Snapshot)
            .then(|| state_from(&record.body))
            .flatten()
    }

    fn encode(record: &Record<DeskEvent>) -> NewRecord {
        encode(record, matches!(record.event, DeskEvent::Snapshot))
    }

    fn decode(stored: &StoredRecord) -> Result<Record<DeskEvent>, String> {
        decode(stored)
    }

    fn table(core: &CoreTable) -> &Table<Self> {
        &core.desks
    }

    fn cells(core: &CoreTable) -> &Cells<Self> {
        &core.desk_cells
    }

    fn command(ask: Ask<Self>) -> Command {
        Command::Desk(ask)
    }

    fn watch_command(log: crate::model::LogId, core: usize, reply: ViewReply<Self>) -> Command {
        Command::WatchDesk(log, core, reply)
    }

    fn news(view: Arc<View<Self>>) -> News {
        News::Desk(view)
    }
}

fn step<M: Machine>(
    decision: Decision<M::Event, M::Reply>,
    mut indexes: Vec<Index>,
    expire_ms: u64,
    liveness: &Liveness,
) -> Step<M> {
    indexes.extend(decision.marks.alive.map(|alive| {
        if alive {
            Index::Alive {
                ttl_ms: millis(M::alive(liveness)),
            }
        } else {
            Index::NotAlive
        }
    }));
    let timers = decision.timers.into_iter().map(|(name, due)| match due {
        Some(due) => TimerChange::Set { name, due },
        None => TimerChange::Clear { name },
    });
    Step {
        records: decision.records,
        effects: decision.effects,
        timers: timers.collect(),
        indexes,
        closes: decision.marks.closes,
        expire_ms,
        reply: decision.reply,
    }
}

fn encode<E: Kinds + Serialize>(record: &Record<E>, snapshot: bool) -> NewRecord {
    let entry::Stored {
        envelope,
        body,
        digest,
    } = entry::encode(record);
    NewRecord {
        digest,
        envelope,
        body,
        snapshot,
    }
}

fn decode<E: Kinds + DeserializeOwned>(stored: &StoredRecord) -> Result<Record<E>, String> {
    let body = match &stored.body {
        StoredBody::None => Body::None,
        StoredBody::Present(bytes) => Body::Present(bytes.clone()),
        StoredBody::Erased => Body::Erased,
    };
    entry::decode(&stored.envelope, body).map_err(|error| error.to_string())
}

fn state_of(state: &impl Serialize) -> Body {
    Body::Present(entry::encode_state(state))
}

fn state_from<S: DeserializeOwned>(body: &Body) -> Option<S> {
    entry::decode_state(body.bytes()?).ok()
}
