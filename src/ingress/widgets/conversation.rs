//! A session as its customer sees it, and what the customer asks of it.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{LogId, Millis, ParticipantId, Role, SessionEvent, TenantId};
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::file::FileKind;
use crate::protocol::widget::{
    Bases, Cast, Index, Line, Speaker, TypingLine, Window, is_shown, message, picture, typing,
};
use crate::session::{Rejection, Session, visible_to_customer};
use crate::shard::{Entry, SessionView, ShardError, Shards, Wire};

/// Records read from the store at once.
const PAGE: usize = 256;
/// A typing signal is repeated in polls for so long: two poll intervals, so that a second tab sees it too.
const TYPING_MS: u64 = 6_000;

/// The picture of a session at one moment.
pub(super) struct Room {
    view: Arc<SessionView>,
    bases: Bases,
}

/// A record that the customer may see and that has a line.
#[derive(Clone)]
pub(super) struct Said(Arc<Entry<SessionEvent>>);

impl Line for Said {
    fn n(&self) -> u64 {
        self.0.n
    }

    fn at(&self) -> Millis {
        self.0.record.at
    }

    fn is_picture(&self) -> bool {
        let SessionEvent::File { mime, .. } = &self.0.record.event else {
            return false;
        };
        FileKind::of_mime(mime).is_some_and(FileKind::is_image)
    }
}

impl Said {
    fn said_by(&self, participant: ParticipantId) -> bool {
        match &self.0.record.event {
            SessionEvent::Message { from, .. } => *from == Some(participant),
            SessionEvent::File { from, .. } => *from == participant,
            _ => false,
        }
    }

    /// The record itself.
    pub(super) fn entry(&self) -> &Entry<SessionEvent> {
        &self.0
    }
}

impl Cast for Room {
    fn speaker(&self, participant: ParticipantId) -> Option<Speaker<'_>> {
        let known = self.state().participants().get(participant)?;
        Some(Speaker {
            role: known.role,
            nickname: &known.nickname,
        })
    }
}

impl Room {
    /// The newest picture of a session, if it is this tenant's and has this customer. Whatever is not is told the same.
    pub(super) async fn enter(
        shards: &Shards,
        session: LogId,
        tenant: TenantId,
        customer: ParticipantId,
    ) -> Result<Self, Fault> {
        let view = shards.session_view(session).await.map_err(refused)?;
        let room = Self::of(view);
        if room.state().about().map(|about| about.tenant) != Some(tenant) {
            return Err(Code::InvalidSession.into());
        }
        let known = room.state().participants().get(customer);
        if known.is_none_or(|known| known.role != Role::Customer) {
            return Err(Code::InvalidParticipant.into());
        }
        Ok(room)
    }

    fn of(view: Arc<SessionView>) -> Self {
        let mut bases = Bases::default();
        for (after, base) in view.state.bases() {
            bases.raise(*after, u64::from(*base));
        }
        Self { view, bases }
    }

    pub(super) fn state(&self) -> &Session {
        &self.view.state
    }

    /// The record an index names, which may be hidden or a signal's.
    pub(super) fn number(&self, index: Index) -> u64 {
        index.n(&self.bases)
    }

    /// Number and time of the last record this core knows.
    pub(super) fn top(&self) -> (u64, Millis) {
        let at = self
            .view
            .tail
            .last()
            .map_or(Millis::default(), |entry| entry.record.at);
        (self.view.top.n, at)
    }

    /// Whether the others are told that this participant types.
    pub(super) fn is_typing(&self, participant: ParticipantId) -> bool {
        self.view
            .signals
            .iter()
            .any(|signal| signal.from == participant && signal.started)
    }

    fn shown(&self, entry: &Arc<Entry<SessionEvent>>) -> Option<Said> {
        let shown = is_shown(&entry.record.event) && visible_to_customer(self.state(), &entry.record);
        shown.then(|| Said(Arc::clone(entry)))
    }

    fn newest_first<'a>(
        &'a self,
        entries: &'a [Arc<Entry<SessionEvent>>],
    ) -> impl Iterator<Item = Said> + 'a {
        entries.iter().rev().filter_map(|entry| self.shown(entry))
    }

    /// Chooses lines, from what this core holds, and from the store only where that does not reach far enough back. No line above
    /// `upto` is wanted.
    pub(super) async fn choose(
        &self,
        shards: &Shards,
        upto: u64,
        select: impl Fn(&mut dyn Iterator<Item = Said>) -> Window<Said>,
    ) -> Result<Window<Said>, Fault> {
        let mut older: Vec<Said> = Vec::new();
        let mut below = self.view.oldest().saturating_sub(1);
        loop {
            let ran_out = Cell::new(false);
            let end = std::iter::from_fn(|| {
                ran_out.set(true);
                None
            });
            let window = select(
                &mut self
                    .newest_first(&self.view.tail)
                    .chain(older.iter().cloned())
                    .chain(end),
            );
            if !ran_out.get() || below == 0 {
                return Ok(window);
            }
            let page = shards.session_page(self.view.log, below.min(upto), PAGE).await;
            let page = page.map_err(refused)?;
            below = page.first().map_or(0, |first| first.n - 1);
            older.extend(self.newest_first(&page));
        }
    }

    /// The record `n`, if the customer may see it.
    pub(super) async fn record(&self, shards: &Shards, n: u64) -> Result<Option<Said>, Fault> {
        if n > self.view.top.n {
            return Ok(None);
        }
        if let Some(entry) = self.view.tail.iter().find(|entry| entry.n == n) {
            return Ok(self.shown(entry));
        }
        let page = shards.session_page(self.view.log, n, 1).await.map_err(refused)?;
        Ok(page
            .first()
            .filter(|entry| entry.n == n)
            .and_then(|entry| self.shown(entry)))
    }

    /// The message objects of a window, oldest first; the last is a picture where the window says so.
    pub(super) fn render(&self, window: &Window<Said>) -> Vec<Bytes> {
        let last = window.lines.len();
        let lines = window.lines.iter().enumerate();
        lines
            .filter_map(|(place, Said(entry))| {
                let index = Index::record(entry.n, &self.bases);
                if window.picture && place + 1 == last {
                    return picture(index, entry.n, self.view.log, &entry.record, self);
                }
                let encode = || message(index, &entry.record, self).unwrap_or_default();
                Some(entry.wire(Wire::Widget, encode)).filter(|bytes| !bytes.is_empty())
            })
            .collect()
    }

    /// The message objects of who is typing, each with the place it has among the lines of the window. Who has said something
    /// since is typing no longer; the widget is told, because it does not conclude that by itself.
    pub(super) fn typing(&self, window: &Window<Said>, now: Millis) -> Vec<(Index, Bytes)> {
        if !window.complete || window.picture {
            return Vec::new();
        }
        let recent = self
            .view
            .signals
            .iter()
            .filter(|signal| now.since(signal.at) < TYPING_MS && self.speaker(signal.from).is_some());
        let mut lines: Vec<(Index, Bytes)> = recent
            .filter_map(|signal| {
                let said = window
                    .lines
                    .iter()
                    .rev()
                    .find(|line| line.n() > signal.n && line.said_by(signal.from));
                let line = match said {
                    Some(line) => TypingLine {
                        index: Index::signal(line.n(), 1, &self.bases),
                        from: signal.from,
                        started: false,
                        at: line.at(),
                    },
                    None => TypingLine {
                        index: Index::signal(signal.n, signal.quarter, &self.bases),
                        from: signal.from,
                        started: signal.started,
                        at: signal.at,
                    },
                };
                typing(line, self).map(|bytes| (line.index, bytes))
            })
            .collect();
        lines.sort_by_key(|(index, _)| *index);
        lines
    }

    /// The index of a line of this session.
    pub(super) fn index(&self, line: &Said) -> Index {
        Index::record(line.n(), &self.bases)
    }
}

/// What a caller is told of a question that was not answered.
pub(super) fn refused<R: Reason>(error: ShardError<R>) -> Fault {
    match error {
        ShardError::Rejected(reason) => Fault::new(reason.code()),
        ShardError::NoSuchLog => Fault::new(Code::InvalidSession),
        ShardError::KeyReused => Fault::new(Code::KeyReused),
        ShardError::OptedOut => Fault::new(Code::Conflict).detail("opted out"),
        ShardError::Unavailable { retry_after, .. } => Fault::unavailable(retry_after),
        ShardError::Unreadable { .. } => Fault::unavailable(std::time::Duration::from_secs(10)),
    }
}

/// A reason that has a code.
pub(super) trait Reason {
    fn code(&self) -> Code;
}

impl Reason for () {
    fn code(&self) -> Code {
        Code::InvalidSession
    }
}

impl Reason for Rejection {
    fn code(&self) -> Code {
        match self {
            Self::NoSession | Self::Closed => Code::InvalidSession,
            Self::NotParticipant => Code::InvalidParticipant,
            Self::Forbidden => Code::Forbidden,
            Self::TooMuch => Code::TooManyFiles,
            Self::OptedOut => Code::Conflict,
            Self::WrongState | Self::Stale => Code::Conflict,
        }
    }
}
