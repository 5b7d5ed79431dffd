//! A small world: sessions, desks, their messages, the matching tables and the time, all in the test's hand.
//!
//! Messages stay in flight until they are delivered; delivering may happen in any order and more than once. Every record
//! is applied to the state the machines work on and kept, so that a crash is a replay.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::model::{
    AgentId, ChannelState, Crossing, DeskEvent, Effect, LogId, LogKind, MatchOp, Media, MessageKind, Millis,
    ParticipantId, ReadyDesk, Record, SessionEvent, Spread, TenantId, Terms, TransportId, Visibility,
    WaitingSession,
};
use crate::session::{
    AgentAct, AgentCommand, Circumstances, Decision, Desk, DeskAct, DeskInput, DeskProfile, DeskRejection,
    DeskReply, DeskTimer, Open, Place, Rejection, Session, SessionInput, SessionReply, SessionTimer,
};

pub(super) const TENANT: TenantId = TenantId(Uuid::from_u128(0x7e));
pub(super) const OFFER_MS: u64 = 20_000;

/// A log with the state it leads to.
#[derive(Debug, Clone)]
pub(super) struct Kept<M, E> {
    pub(super) state: M,
    pub(super) records: Vec<Record<E>>,
}

impl<M: Default, E> Default for Kept<M, E> {
    fn default() -> Self {
        Self {
            state: M::default(),
            records: Vec::new(),
        }
    }
}

/// A message between logs on its way.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) from: LogId,
    pub(super) to: LogId,
    pub(super) message: Crossing,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) now: Millis,
    ids: u128,
    pub(super) sessions: BTreeMap<LogId, Kept<Session, SessionEvent>>,
    pub(super) desks: BTreeMap<LogId, Kept<Desk, DeskEvent>>,
    pub(super) flight: Vec<InFlight>,
    timers: BTreeMap<(LogId, u16), Millis>,
    alive: BTreeSet<LogId>,
    waiting: BTreeMap<LogId, WaitingSession>,
    ready: BTreeMap<LogId, ReadyDesk>,
    latest: BTreeMap<LogId, u64>,
    pub(super) assigned: usize,
    /// Every write to the tables, in order.
    pub(super) told: Vec<MatchOp>,
}

pub(super) fn agent(name: &str) -> AgentId {
    name.parse().unwrap()
}

pub(super) fn desk_of(name: &str) -> LogId {
    LogId::desk(TENANT, &agent(name))
}

pub(super) fn place(queue: &str) -> Place {
    Place {
        queue: queue.to_owned(),
        priority: 1,
        skills: Vec::new(),
        offer_ms: OFFER_MS,
    }
}

pub(super) fn open(asynchronous: bool) -> Open {
    Open {
        tenant: TENANT,
        media: Media::Chat,
        endpoint: "ep".to_owned(),
        stream: None,
        locale: None,
        asynchronous,
        profile: serde_json::from_str(r#"{"firstName":"Ann","userData":{"k":"v"}}"#).unwrap(),
        nickname: "Ann".to_owned(),
        participant: ParticipantId(Uuid::from_u128(0xc)),
        transport: TransportId(Uuid::from_u128(0xd)),
        place: place("q"),
        welcome: Some("Welcome".to_owned()),
        terms: Terms {
            idle_text: "Still there?".to_owned(),
            idle_close_text: "Ended for silence".to_owned(),
            closing_text: "Goodbye".to_owned(),
            ..Terms::default()
        },
    }
}

pub(super) const CUSTOMER: ParticipantId = ParticipantId(Uuid::from_u128(0xc));

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: Millis(1_700_000_000_000),
            ..Self::default()
        }
    }

    pub(super) fn uuid(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(0xf000 + self.ids)
    }

    pub(super) fn session_id(number: u8) -> LogId {
        LogId::session(Millis(1), [number; 10], Spread::of(&[&[number]]))
    }

    /// Puts a question to a session.
    pub(super) fn ask(&mut self, log: LogId, input: &SessionInput) -> Result<SessionReply, Rejection> {
        let mut kept = self.sessions.remove(&log).unwrap_or_default();
        let decided = {
            let mut ids = self.ids;
            let mut fresh = || {
                ids += 1;
                Uuid::from_u128(0xf000 + ids)
            };
            let top = kept.records.len() as u64;
            let circumstances = Circumstances {
                log,
                top,
                now: self.now,
                fresh: &mut fresh,
            };
            let decided = kept.state.decide(input, circumstances);
            self.ids = ids;
            decided
        };
        let decision = match decided {
            Ok(decision) => decision,
            Err(rejection) => {
                self.sessions.insert(log, kept);
                return Err(rejection);
            }
        };
        for record in &decision.records {
            kept.records.push(record.clone());
            kept.state.apply(kept.records.len() as u64, record);
        }
        self.sessions.insert(log, kept);
        Ok(self.carry_out(log, decision))
    }

    /// Puts a question to a desk.
    pub(super) fn ask_desk(&mut self, log: LogId, input: &DeskInput) -> Result<DeskReply, DeskRejection> {
        let mut kept = self.desks.remove(&log).unwrap_or_default();
        let mut fresh = || unreachable!("a desk makes no ids");
        let circumstances = Circumstances {
            log,
            top: kept.records.len() as u64,
            now: self.now,
            fresh: &mut fresh,
        };
        let decision = match kept.state.decide(input, circumstances) {
            Ok(decision) => decision,
            Err(rejection) => {
                self.desks.insert(log, kept);
                return Err(rejection);
            }
        };
        for record in &decision.records {
            kept.records.push(record.clone());
            kept.state.apply(kept.records.len() as u64, record);
        }
        self.desks.insert(log, kept);
        Ok(self.carry_out(log, decision))
    }

    fn carry_out<E, R>(&mut self, log: LogId, decision: Decision<E, R>) -> R {
        assert!(decision.records.len() <= 31, "an append holds no more records");
        assert!(decision.effects.len() <= 64, "an append holds no more effects");
        let nothing = decision.records.is_empty();
        assert!(
            !nothing || (decision.effects.is_empty() && decision.timers.is_empty()),
            "what follows from no record is lost"
        );
        for (name, due) in decision.timers {
            match due {
                Some(due) => self.timers.insert((log, name), due),
                None => self.timers.remove(&(log, name)),
            };
        }
        match decision.marks.alive {
            Some(true) => self.alive.insert(log),
            Some(false) => self.alive.remove(&log),
            None => false,
        };
        for effect in decision.effects {
            match effect {
                Effect::Cross { target, message } => self.flight.push(InFlight {
                    from: log,
                    to: target,
                    message,
                }),
                Effect::Match { op, .. } => {
                    self.told.push(op.clone());
                    self.write_tables(op);
                }
                // Nobody outside is part of this world.
                Effect::Heard | Effect::Deliver { .. } => {}
            }
        }
        decision.reply
    }

    pub(super) fn write_tables(&mut self, op: MatchOp) {
        let (log, n) = match &op {
            MatchOp::Wait(session) => (session.session, session.n),
            MatchOp::Ready(desk) => (desk.desk, desk.n),
            MatchOp::Unwait { session, n, .. } => (*session, *n),
            MatchOp::Unready { desk, n } => (*desk, *n),
            // This world names one pair at a time and holds none.
            MatchOp::Release { .. } => return,
        };
        if self.latest.get(&log).is_some_and(|latest| n < *latest) {
            return;
        }
        self.latest.insert(log, n);
        match op {
            MatchOp::Wait(session) => {
                self.waiting.insert(log, session);
            }
            MatchOp::Ready(desk) => {
                self.ready.insert(log, desk);
            }
            MatchOp::Unwait { assigned, .. } => {
                let waited = self.waiting.remove(&log).is_some();
                self.assigned += usize::from(waited && assigned);
            }
            MatchOp::Unready { .. } => {
                self.ready.remove(&log);
            }
            MatchOp::Release { .. } => {}
        }
    }

    /// How a session stands in the tables, if it does.
    pub(super) fn waits(&self, session: LogId) -> Option<&WaitingSession> {
        self.waiting.get(&session)
    }

    /// The pair that routing would name now.
    pub(super) fn best_pair(&self) -> Option<(LogId, LogId, AgentId)> {
        let unasked = |session: &&WaitingSession| session.asked_until.is_none();
        let mut order: Vec<_> = self.waiting.values().filter(unasked).collect();
        order.sort_by_key(|session| (session.since, session.session));
        order.into_iter().find_map(|session| {
            let admitted = self.ready.values().filter(|desk| {
                desk.queues.contains(&session.queue)
                    && desk
                        .free
                        .iter()
                        .any(|(media, free)| *media == session.media && *free > 0)
            });
            let best = admitted.min_by_key(|desk| {
                (
                    session.avoid.contains(&desk.desk),
                    session.prefer != Some(desk.desk),
                    desk.idle_since,
                    desk.desk,
                )
            })?;
            Some((session.session, best.desk, best.agent.clone()))
        })
    }

    /// Lets routing act once.
    pub(super) fn route(&mut self) -> bool {
        let Some((session, desk, agent)) = self.best_pair() else {
            return false;
        };
        self.ask(session, &SessionInput::Matched { desk, agent }).is_ok()
    }

    /// Delivers one message in flight; a copy stays behind if `again`.
    pub(super) fn deliver(&mut self, at: usize, again: bool) {
        let InFlight { from, to, message } = if again {
            self.flight[at].clone()
        } else {
            self.flight.remove(at)
        };
        if let Some(answer) = self.cross(to, message) {
            self.cross(from, answer);
        }
    }

    fn cross(&mut self, to: LogId, message: Crossing) -> Option<Crossing> {
        match to.kind() {
            LogKind::Desk => self.ask_desk(to, &DeskInput::Crossing(message)).ok()?.answer,
            _ => self.ask(to, &SessionInput::Crossing(message)).ok()?.answer,
        }
    }

    /// Delivers everything in order and lets routing act until nothing moves.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.flight.is_empty() {
                self.deliver(0, false);
            } else if !self.route() {
                return;
            }
        }
        panic!("the world does not come to rest: {:?}", self.flight);
    }

    /// Moves the time and fires what has come due.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        let due: Vec<_> = self
            .timers
            .iter()
            .filter(|(_, due)| **due <= self.now)
            .map(|(timer, due)| (*timer, *due))
            .collect();
        for ((log, name), due) in due {
            self.fire(log, name, due);
        }
    }

    fn fire(&mut self, log: LogId, name: u16, due: Millis) {
        match log.kind() {
            LogKind::Desk => {
                let timer = DeskTimer::from_number(name).unwrap();
                let _ = self.ask_desk(log, &DeskInput::Timer { timer, due });
            }
            _ => {
                let timer = SessionTimer::from_number(name).unwrap();
                let _ = self.ask(log, &SessionInput::Timer { timer, due });
            }
        }
    }

    /// Whether somebody listens for signs of life of this log.
    pub(super) fn is_listened_for(&self, log: LogId) -> bool {
        self.alive.contains(&log)
    }

    /// Opens a session.
    pub(super) fn open(&mut self, number: u8) -> LogId {
        let log = Self::session_id(number);
        self.ask(log, &SessionInput::Open(Box::new(open(false)))).unwrap();
        log
    }

    /// Opens a session whose customer may come back days later.
    pub(super) fn open_asynchronous(&mut self, number: u8) -> LogId {
        let log = Self::session_id(number);
        self.ask(log, &SessionInput::Open(Box::new(open(true)))).unwrap();
        log
    }

    /// An agent connects and gets ready for chats.
    pub(super) fn ready(&mut self, name: &str, places: u16) -> LogId {
        let desk = self.connect(name, places);
        self.set_channel(name, ChannelState::Ready);
        desk
    }

    pub(super) fn connect(&mut self, name: &str, places: u16) -> LogId {
        self.connect_as(name, places, false)
    }

    pub(super) fn connect_as(&mut self, name: &str, places: u16, auto_accept: bool) -> LogId {
        let desk = desk_of(name);
        let profile = DeskProfile {
            auto_accept,
            name: name.to_owned(),
            capacity: vec![(Media::Chat, places)],
            queues: vec!["q".to_owned()],
            supervisor: true,
            grace_ms: crate::model::usual_grace_ms(),
            ..DeskProfile::default()
        };
        let connect = DeskInput::Connect {
            tenant: TENANT,
            agent: agent(name),
            profile,
        };
        self.ask_desk(desk, &connect).unwrap();
        desk
    }

    pub(super) fn set_channel(&mut self, name: &str, state: ChannelState) {
        let command = self.uuid();
        let act = DeskAct::Channel { media: None, state };
        self.ask_desk(desk_of(name), &DeskInput::Act { command, act })
            .unwrap();
    }

    /// An agent commands something, with a fresh `cmdId`.
    pub(super) fn command(
        &mut self,
        name: &str,
        session: LogId,
        act: AgentAct,
    ) -> Result<SessionReply, Rejection> {
        let id = self.uuid();
        self.command_again(id, name, session, act)
    }

    pub(super) fn command_again(
        &mut self,
        id: Uuid,
        name: &str,
        session: LogId,
        act: AgentAct,
    ) -> Result<SessionReply, Rejection> {
        let command = AgentCommand {
            id,
            agent: agent(name),
            desk: desk_of(name),
            name: name.to_owned(),
            supervisor: true,
            act,
        };
        self.ask(session, &SessionInput::Agent(command))
    }

    pub(super) fn say(
        &mut self,
        name: &str,
        session: LogId,
        visibility: Visibility,
    ) -> Result<SessionReply, Rejection> {
        let act = AgentAct::Say {
            kind: MessageKind::Text,
            text: "hello".to_owned(),
            visibility,
        };
        self.command(name, session, act)
    }

    pub(super) fn customer_says(&mut self, session: LogId) -> Result<SessionReply, Rejection> {
        self.ask(
            session,
            &SessionInput::CustomerText {
                participant: CUSTOMER,
                text: "hi".into(),
            },
        )
    }

    /// A session that this agent holds.
    pub(super) fn held(&mut self, number: u8, name: &str) -> LogId {
        let session = self.open(number);
        self.ready(name, 3);
        self.settle();
        self.command(name, session, AgentAct::Accept).unwrap();
        self.settle();
        session
    }

    pub(super) fn session(&self, log: LogId) -> &Session {
        &self.sessions[&log].state
    }

    pub(super) fn desk(&self, name: &str) -> &Desk {
        &self.desks[&desk_of(name)].state
    }

    pub(super) fn events(&self, log: LogId) -> impl DoubleEndedIterator<Item = &SessionEvent> {
        self.sessions[&log].records.iter().map(|record| &record.event)
    }

    /// Forgets every state and rebuilds it from the records, as a node does after a crash.
    pub(super) fn crash(&mut self) {
        for kept in self.sessions.values_mut() {
            let mut state = Session::default();
            for (n, record) in (1..).zip(&kept.records) {
                state.apply(n, record);
            }
            assert_eq!(state, kept.state);
            let stored = serde_json::to_vec(&state).unwrap();
            kept.state = serde_json::from_slice(&stored).unwrap();
            assert_eq!(state, kept.state);
        }
        for kept in self.desks.values_mut() {
            let mut state = Desk::default();
            for (n, record) in (1..).zip(&kept.records) {
                state.apply(n, record);
            }
            assert_eq!(state, kept.state);
            let stored = serde_json::to_vec(&state).unwrap();
            kept.state = serde_json::from_slice(&stored).unwrap();
            assert_eq!(state, kept.state);
        }
    }
}
