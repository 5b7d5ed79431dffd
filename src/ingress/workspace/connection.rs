//! The stream's connection as a pure machine: positions, not queues.
//!
//! It is told what the client says it has seen and what the desk records; it knows which sessions to follow and where the
//! client stands in each. The driver brings pictures and carries frames.

use crate::model::{AgentId, DeskEvent, LogId, OfferId, ParticipantId, Position};
use crate::protocol::agent::LogPosition;

use super::principal::AgentPrincipal;
use super::stay::Stay;

/// A session as the desk's newest state names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// Which.
    pub(super) session: LogId,
    /// The offer that holds a place for it.
    pub(super) offer: Option<OfferId>,
    /// Who the agent is in it.
    pub(super) participant: Option<ParticipantId>,
}

/// What a record of the desk means for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeskStep {
    /// Nothing beyond being told.
    Go,
    /// A newer connection of this login exists.
    Replaced,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    who: AgentPrincipal,
    conn: u64,
    desk: LogId,
    desk_at: Position,
    /// By session, in order; few.
    stays: Vec<(LogId, Stay)>,
    phase: Phase,
}

/// How far the opening has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `hello` was said; what the client has seen is not known yet.
    Greeted,
    /// What was missed is being told.
    Replaying,
    /// `resumed` was said.
    Live,
}

impl Connection {
    /// Connection number `conn` of an agent whose desk stands at `desk_at`.
    pub(super) fn new(who: AgentPrincipal, conn: u64, desk_at: Position) -> Self {
        Self {
            desk: who.desk(),
            who,
            conn,
            desk_at,
            stays: Vec::new(),
            phase: Phase::Greeted,
        }
    }

    /// Whose it is.
    pub(super) const fn who(&self) -> &AgentPrincipal {
        &self.who
    }

    /// Its number.
    pub(super) const fn number(&self) -> u64 {
        self.conn
    }

    /// The agent's desk.
    pub(super) const fn desk(&self) -> LogId {
        self.desk
    }

    /// Whether events may be told yet.
    pub(super) fn is_open(&self) -> bool {
        self.phase != Phase::Greeted
    }

    /// Whether everything missed has been told.
    pub(super) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Takes what the client has seen, and what the desk names now. Positions at 0 prove nothing and are passed over.
    pub(super) fn resume(&mut self, positions: &[LogPosition], named: &[Named]) {
        if self.is_open() {
            return;
        }
        self.phase = Phase::Replaying;
        for seen in positions.iter().filter(|seen| seen.n > 0) {
            if seen.log == self.desk {
                self.desk_at = seen.position();
            } else {
                *self.known(seen.log) = Stay::seen(seen.position());
            }
        }
        self.adopt(named);
    }

    /// Takes the desk's newest state in the place of its records.
    pub(super) fn desk_gap(&mut self, top: Position, named: &[Named]) {
        self.desk_at = top;
        for (_, stay) in &mut self.stays {
            stay.held = false;
        }
        self.adopt(named);
    }

    fn adopt(&mut self, named: &[Named]) {
        for one in named {
            let stay = self.name(one.session);
            if let Some(offer) = one.offer {
                stay.offered(offer);
            }
            if let Some(participant) = one.participant {
                stay.known_as(participant);
            }
        }
    }

    /// Where the client stands at the desk.
    pub(super) fn desk_at(&self) -> Position {
        self.desk_at
    }

    /// Takes the next record of the desk.
    pub(super) fn desk_record(&mut self, at: Position, event: &DeskEvent) -> DeskStep {
        self.desk_at = at;
        match event {
            DeskEvent::Connected { conn } if *conn > self.conn => return DeskStep::Replaced,
            DeskEvent::Reserved(held) => self.name(held.session).offered(held.offer),
            DeskEvent::Taken {
                session,
                offer,
                participant,
            } => {
                let stay = self.name(*session);
                stay.offered(*offer);
                stay.known_as(*participant);
            }
            DeskEvent::Watching { session, participant } => self.name(*session).known_as(*participant),
            DeskEvent::Freed { session, offer, .. } => {
                let stay = self.name(*session);
                stay.offered(*offer);
                stay.held = false;
            }
            DeskEvent::Unwatched { session } => self.name(*session).held = false,
            _ => {}
        }
        DeskStep::Go
    }

    fn name(&mut self, session: LogId) -> &mut Stay {
        let stay = self.known(session);
        stay.held = true;
        stay
    }

    /// What is known of a session; a new one is named.
    fn known(&mut self, session: LogId) -> &mut Stay {
        let index = match self.place(session) {
            Ok(index) => index,
            Err(index) => {
                self.stays.insert(index, (session, Stay::named()));
                index
            }
        };
        &mut self.stays[index].1
    }

    fn place(&self, session: LogId) -> Result<usize, usize> {
        self.stays.binary_search_by_key(&session, |(known, _)| *known)
    }

    /// The sessions to look at, in a fixed order.
    pub(super) fn sessions(&self) -> Vec<LogId> {
        self.stays.iter().map(|(session, _)| *session).collect()
    }

    /// The sessions whose changes are heard.
    pub(super) fn followed(&self) -> impl Iterator<Item = LogId> {
        let followed = self.stays.iter().filter(|(_, stay)| stay.followed);
        followed.map(|(session, _)| *session)
    }

    /// What is known of a session; `None`: it is not this connection's.
    pub(super) fn stay(&mut self, session: LogId) -> Option<(&mut Stay, &AgentId)> {
        let index = self.place(session).ok()?;
        Some((&mut self.stays[index].1, &self.who.agent))
    }

    /// Everything owed of a session was told; whether it is over for this connection: the desk does not name it and the agent is not
    /// engaged in it.
    pub(super) fn settle(&mut self, session: LogId, engaged: bool) -> bool {
        let over = self
            .place(session)
            .is_ok_and(|index| !self.stays[index].1.held && !engaged);
        if over {
            self.lose(session);
        }
        over
    }

    /// The session cannot be read (any more).
    pub(super) fn lose(&mut self, session: LogId) {
        if let Ok(index) = self.place(session) {
            self.stays.remove(index);
        }
    }

    /// Everything owed was told. `Some` once: where every log stands, to be said in `resumed`.
    pub(super) fn caught_up(&mut self) -> Option<Vec<LogPosition>> {
        if self.phase != Phase::Replaying {
            return None;
        }
        self.phase = Phase::Live;
        let sessions = self
            .stays
            .iter()
            .filter_map(|(log, stay)| Some(LogPosition::new(*log, stay.at?)));
        Some(
            std::iter::once(LogPosition::new(self.desk, self.desk_at))
                .chain(sessions)
                .collect(),
        )
    }
}
