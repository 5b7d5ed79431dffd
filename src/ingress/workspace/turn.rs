//! What one write carries: everything owed, from the pictures this core holds, at most 16 kB at a time.
//!
//! The desk goes first and to its top, so that a session is never told before the record that names it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{DeskEvent, LogId, Millis, Position, SessionEvent};
use crate::protocol::agent::{
    ChannelEvent, ErrorEvent, ErrorKind, Gap, GapReason, Interaction, InteractionEvent, Message,
    Notification, Place, Resumed, ServerFrame, Snapshot, Status,
};
use crate::protocol::envelope::{Code, Fault};
use crate::session::visible_to_agent;
use crate::shard::{DeskView, Entry, Follower, Records, SessionView, ShardError, Shards};
use crate::telemetry::names;

use super::batch::{Batch, tell};
use super::connection::{Connection, DeskStep};
use super::cursor::{Owed, Placed, continued, owed};
use super::frames::{encode, typing_frame};
use super::principal::AgentPrincipal;
use super::{frames, picture, telling};

/// Records asked of the store at a time.
const PAGE: usize = 256;
/// Pages looked through for the record by which an agent was out.
const MOST_PAGES: usize = 16;
/// Messages in the snapshot of a gap.
const GAP_MESSAGES: usize = 50;
/// A typing signal older than this, in milliseconds, is not worth telling.
const SIGNAL_MS: u64 = 10_000;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The peer went.
    Gone,
    /// The peer takes too long for what it is told. Nothing is lost: it may resume.
    Slow,
    /// A newer connection of this login.
    Replaced,
    /// The agent may no longer work.
    Revoked,
    /// This node stops, or cannot read what it would have to tell; resuming elsewhere or later helps.
    Restart,
    /// The peer sent what is no text.
    Unsupported,
}

/// The reading half of a stream: what is owed.
pub(super) struct Turn {
    pub(super) follower: Follower,
    pub(super) connection: Connection,
    /// Logs of which something may be owed.
    pending: BTreeSet<LogId>,
    resumption: Resumption,
    pace: Pace,
}

/// How the peer keeps up with what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It takes every write at once.
    AtOnce,
    /// It was waited for.
    Waited,
    /// It was told that it is far behind.
    Lagging,
}

/// How coming back has gone so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resumption {
    /// It is a beginning.
    None,
    /// Everything missed was told.
    Complete,
    /// Something was told as a picture instead.
    Gap,
}

impl<E> Placed for Arc<Entry<E>> {
    fn position(&self) -> Position {
        Entry::position(self)
    }
}

impl Turn {
    pub(super) fn new(follower: Follower, connection: Connection) -> Self {
        Self {
            follower,
            connection,
            pending: BTreeSet::new(),
            resumption: Resumption::None,
            pace: Pace::AtOnce,
        }
    }

    /// Whose stream it is.
    pub(super) const fn who(&self) -> &AgentPrincipal {
        self.connection.who()
    }

    const fn shards(&self) -> &Shards {
        self.follower.shards()
    }

    /// The peer did not take the last write at once.
    pub(super) fn was_kept_waiting(&mut self) {
        if self.pace == Pace::AtOnce {
            self.pace = Pace::Waited;
        }
    }

    /// What is owed is no longer at hand. A peer that is there only because it reads slowly is told so, once until it has caught up.
    fn lags(&mut self, batch: &mut Batch) {
        if self.pace != Pace::Waited || !self.connection.is_live() {
            return;
        }
        self.pace = Pace::Lagging;
        metrics::counter!(names::LAGGING).increment(1);
        let fault = Fault::new(Code::RequestTimeout).detail("frames are read too slowly");
        batch.push(encode(&ServerFrame::Error(ErrorEvent {
            cmd_id: None,
            kind: ErrorKind::Lagging,
            status: Status::from(&fault),
        })));
    }

    /// The desk as this core sees it.
    pub(super) async fn desk(&mut self) -> Result<Arc<DeskView>, End> {
        let desk = self.connection.desk();
        loop {
            if let Some(view) = self.follower.desk(desk) {
                return if view.state.conn() > self.connection.number() {
                    Err(End::Replaced)
                } else {
                    Ok(view)
                };
            }
            self.follower.follow(desk).await.map_err(|_| End::Restart)?;
        }
    }

    /// The client has said what it has seen.
    pub(super) async fn resume(
        &mut self,
        positions: &[crate::protocol::agent::LogPosition],
    ) -> Result<(), End> {
        let desk = self.desk().await?;
        if !positions.is_empty() && self.resumption == Resumption::None {
            self.resumption = Resumption::Complete;
        }
        self.connection.resume(positions, &picture::named(&desk.state));
        self.pending.insert(self.connection.desk());
        self.pending.extend(self.connection.sessions());
        Ok(())
    }

    /// Something may be owed of which the follower has not said so yet: news that come close together are said once.
    pub(super) fn look_again(&mut self) {
        self.pending.insert(self.connection.desk());
        self.pending.extend(self.connection.followed());
    }

    /// The next write; empty when nothing is owed.
    pub(super) async fn gather(&mut self, batch: &mut Batch) -> Result<(), End> {
        self.pending.extend(self.follower.take_dirty());
        let desk = self.connection.desk();
        if !self.connection.is_open() {
            if self.pending.remove(&desk) {
                self.desk().await?;
            }
            return Ok(());
        }
        if self.pending.contains(&desk) {
            if !self.gather_desk(batch).await? {
                return Ok(());
            }
            self.pending.remove(&desk);
        }
        while let Some(session) = self.pending.first().copied() {
            if batch.is_full() || !Box::pin(self.gather_session(session, batch)).await? {
                return Ok(());
            }
            self.pending.remove(&session);
        }
        // An empty set keeps room for eleven.
        self.pending = BTreeSet::new();
        if batch.frames.is_empty() {
            self.pace = Pace::AtOnce;
        }
        if let Some(positions) = self.connection.caught_up() {
            batch.push(encode(&ServerFrame::Resumed(Resumed { positions })));
            match self.resumption {
                Resumption::None => {}
                Resumption::Complete => resumed("complete"),
                Resumption::Gap => resumed("gap"),
            }
        }
        Ok(())
    }

    /// Whether the desk was told to its top.
    async fn gather_desk(&mut self, batch: &mut Batch) -> Result<bool, End> {
        loop {
            let view = self.desk().await?;
            let at = self.connection.desk_at();
            let page: Records<DeskEvent>;
            let records = match owed(at, view.top, &view.tail) {
                Owed::Records([]) => return Ok(true),
                Owed::Records(records) => Ok(records),
                Owed::Page(from) => {
                    self.lags(batch);
                    page = read(self.shards().desk_page_forward(view.log, from, PAGE).await)?;
                    continued(at, &page)
                }
                Owed::Ahead(from) => {
                    page = read(self.shards().desk_page_forward(view.log, from, PAGE).await)?;
                    match continued(at, &page) {
                        // The rest comes with the news that this core waits for.
                        Ok(_) => return Ok(true),
                        Err(reason) => Err(reason),
                    }
                }
                Owed::Gap(reason) => Err(reason),
            };
            let channels = picture::channels(&view.state);
            let records = match records {
                Ok(records) => records,
                Err(reason) => {
                    self.desk_gap(&view, reason, batch);
                    return Ok(true);
                }
            };
            for entry in records {
                if batch.is_full() {
                    return Ok(false);
                }
                if self.connection.desk_record(entry.position(), &entry.record.event) == DeskStep::Replaced {
                    return Err(End::Replaced);
                }
                self.pending.extend(session_named(&entry.record.event));
                if telling::of_desk(&entry.record.event) {
                    let place = Place::record(view.log, entry.position());
                    let event = ChannelEvent::new(place, &channels, view.state.auto_accept());
                    batch.push(encode(&ServerFrame::Channel(event)));
                }
            }
        }
    }

    fn desk_gap(&mut self, view: &DeskView, reason: GapReason, batch: &mut Batch) {
        self.resumption = Resumption::Gap;
        let from = self.connection.desk_at().n + 1;
        self.connection.desk_gap(view.top, &picture::named(&view.state));
        self.pending.extend(self.connection.sessions());
        batch.push(encode(&ServerFrame::Gap(Gap {
            log: view.log,
            from,
            to: view.top.n,
            hash: view.top.hash,
            reason,
            snapshot: Some(Snapshot::Desk {
                channels: &picture::channels(&view.state),
                auto_accept: view.state.auto_accept(),
            }),
        })));
    }

    /// Whether the session was told as far as this agent may hear it.
    async fn gather_session(&mut self, log: LogId, batch: &mut Batch) -> Result<bool, End> {
        let Some((stay, me)) = self.connection.stay(log) else {
            self.unfollow(log);
            return Ok(true);
        };
        let (begun, me) = (stay.at, me.clone());
        let Some(view) = self.session(log).await? else {
            self.lose(log, begun, GapReason::Expired, batch);
            return Ok(true);
        };
        let Some(about) = view
            .state
            .about()
            .filter(|about| about.tenant == self.who().tenant)
        else {
            self.lose(log, begun, GapReason::Expired, batch);
            return Ok(true);
        };
        let engaged = picture::is_engaged(&view.state, &me);
        let now = Millis(self.shards().clock().wall_ms());
        // Made where it is told: most records are messages, which carry none.
        let body = || picture::interaction(log, &view.state, about, &me, view.top.n, now);
        if begun.is_none() && !self.begin(&view, engaged, body, batch) {
            return Ok(true);
        }
        loop {
            let Some((stay, _)) = self.connection.stay(log) else {
                return Ok(true);
            };
            let Some(at) = stay.at else { return Ok(true) };
            let page;
            let records = match owed(at, view.top, &view.tail) {
                Owed::Records(records) => Ok(records),
                Owed::Page(from) => {
                    self.lags(batch);
                    page = self.session_pages(log, from, engaged).await?;
                    continued(at, &page)
                }
                Owed::Ahead(from) => {
                    page = read(self.shards().session_page_forward(log, from, PAGE).await)?;
                    match continued(at, &page) {
                        // This core's picture lags behind what another node told. It judges nothing; its news are waited for.
                        Ok(_) => return Ok(true),
                        Err(reason) => Err(reason),
                    }
                }
                Owed::Gap(reason) => Err(reason),
            };
            let records = match records {
                Ok(records) => records,
                Err(reason) if engaged => {
                    self.session_gap(&view, at, reason, body(), batch);
                    break;
                }
                Err(reason) => {
                    self.lose(log, Some(at), reason, batch);
                    return Ok(true);
                }
            };
            let Some((stay, _)) = self.connection.stay(log) else {
                return Ok(true);
            };
            let allowed = stay.allowance(&me, engaged, records.iter().map(|entry| &entry.record.event));
            let more: &[_] = if allowed == records.len() { &view.tail } else { &[] };
            let state = begun.is_some().then_some(body);
            let told = tell(log, &view, &me, (&records[..allowed], more), state, batch);
            if let Some(last) = told.checked_sub(1).and_then(|last| records.get(last)) {
                stay.at = Some(last.position());
            }
            if told < allowed {
                return Ok(false);
            }
            if allowed < records.len() || records.is_empty() || stay.at.is_none_or(|at| at == view.top) {
                break;
            }
        }
        if engaged {
            self.signals(log, &view, &me, now, batch);
        }
        if self.connection.settle(log, engaged) {
            self.unfollow(log);
        }
        Ok(true)
    }

    /// Begins a session with its state, at the oldest record at hand. `false`: there is nothing to tell yet, or ever.
    fn begin(
        &mut self,
        view: &SessionView,
        engaged: bool,
        body: impl FnOnce() -> Interaction,
        batch: &mut Batch,
    ) -> bool {
        let Some(first) = view.tail.first() else {
            return false;
        };
        let Some((stay, me)) = self.connection.stay(view.log) else {
            return false;
        };
        let me = me.clone();
        if stay.allowance(&me, engaged, view.tail.iter().map(|entry| &entry.record.event)) == 0 {
            if self.connection.settle(view.log, engaged) {
                self.unfollow(view.log);
            }
            return false;
        }
        stay.at = Some(first.position());
        let place = Place::record(view.log, first.position());
        let body = body();
        let event = InteractionEvent::new(place, Notification::Snapshot, None, Some(&body));
        batch.push(encode(&ServerFrame::Interaction(event)));
        true
    }

    fn session_gap(
        &mut self,
        view: &SessionView,
        at: Position,
        reason: GapReason,
        body: Interaction,
        batch: &mut Batch,
    ) {
        let Some((stay, me)) = self.connection.stay(view.log) else {
            return;
        };
        stay.at = Some(view.top);
        self.resumption = Resumption::Gap;
        let sight = picture::sight(&view.state, me);
        let mut messages: Vec<Message> = view
            .tail
            .iter()
            .rev()
            .filter(|entry| visible_to_agent(&view.state, &entry.record, sight))
            .filter_map(|entry| frames::message(&view.state, entry.n, &entry.record))
            .take(GAP_MESSAGES)
            .collect();
        messages.reverse();
        batch.push(encode(&ServerFrame::Gap(Gap {
            log: view.log,
            from: at.n + 1,
            to: view.top.n,
            hash: view.top.hash,
            reason,
            snapshot: Some(Snapshot::Session {
                interaction: Box::new(body),
                messages,
            }),
        })));
    }

    fn signals(
        &mut self,
        log: LogId,
        view: &SessionView,
        me: &crate::model::AgentId,
        now: Millis,
        batch: &mut Batch,
    ) {
        let sight = picture::sight(&view.state, me);
        let mine = view.state.participants().of_agent(me).map(|stay| stay.id);
        let Some((stay, _)) = self.connection.stay(log) else {
            return;
        };
        for typing in &view.signals {
            let fresh = now.since(typing.at) < SIGNAL_MS;
            let told = Some(typing.from) != mine && picture::reaches(typing.visibility, sight);
            if fresh && told && stay.is_new_signal(typing.from, typing.n, typing.quarter) {
                batch.push(typing_frame(log, &view.state, typing));
            }
        }
    }

    async fn session(&mut self, log: LogId) -> Result<Option<Arc<SessionView>>, End> {
        loop {
            let followed = self.connection.stay(log).is_some_and(|(stay, _)| stay.followed);
            if let Some(view) = self.follower.session(log).filter(|_| followed) {
                return Ok(Some(view));
            }
            match self.follower.follow(log).await {
                Ok(()) => {
                    if let Some((stay, _)) = self.connection.stay(log) {
                        stay.followed = true;
                    }
                }
                Err(ShardError::NoSuchLog) => return Ok(None),
                Err(_) => return Err(End::Restart),
            }
        }
    }

    /// Records from the store: a page for whom everything may be told to, else so far that the end of the stay is among them.
    async fn session_pages(
        &self,
        log: LogId,
        from: u64,
        engaged: bool,
    ) -> Result<Records<SessionEvent>, End> {
        let mut records = read(self.shards().session_page_forward(log, from, PAGE).await)?;
        for _ in 1..if engaged { 1 } else { MOST_PAGES } {
            let Some(last) = records.last().map(|entry| entry.n) else {
                break;
            };
            let more = read(self.shards().session_page_forward(log, last + 1, PAGE).await)?;
            if more.is_empty() {
                break;
            }
            records.extend(more);
        }
        Ok(records)
    }

    /// The session is not this agent's (any more): said where the client believes to know it.
    fn lose(&mut self, log: LogId, begun: Option<Position>, reason: GapReason, batch: &mut Batch) {
        self.connection.lose(log);
        self.unfollow(log);
        if let Some(at) = begun {
            batch.push(encode(&ServerFrame::Gap(Gap {
                log,
                from: at.n + 1,
                to: at.n,
                hash: at.hash,
                reason,
                snapshot: None,
            })));
        }
    }

    fn unfollow(&mut self, log: LogId) {
        if let Some((stay, _)) = self.connection.stay(log) {
            stay.followed = false;
        }
        self.follower.unfollow(log);
    }
}

/// The session a record of the desk names.
const fn session_named(event: &DeskEvent) -> Option<LogId> {
    match event {
        DeskEvent::Reserved(held) => Some(held.session),
        DeskEvent::Taken { session, .. }
        | DeskEvent::Freed { session, .. }
        | DeskEvent::Watching { session, .. }
        | DeskEvent::Unwatched { session } => Some(*session),
        _ => None,
    }
}

fn read<T>(page: Result<Vec<T>, ShardError<()>>) -> Result<Vec<T>, End> {
    match page {
        Ok(page) => Ok(page),
        Err(ShardError::NoSuchLog) => Ok(Vec::new()),
        Err(_) => Err(End::Restart),
    }
}

/// A socket that came back was told everything it is owed.
fn resumed(outcome: &'static str) {
    metrics::counter!(names::RESUMES, "outcome" => outcome).increment(1);
}
