//! A core's handle on the whole table: asks the core that owns a log, and holds views of what readers here look at.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::log::{Key, NodeId, SharedLog};
use crate::model::{DeskEvent, LogId, LogKind, Position, SessionEvent, TenantId};
use crate::runtime::clock::Clock;
use crate::session::{Desk, DeskInput, DeskReply, Session, SessionInput, SessionReply, Standing};
use crate::telemetry::names;

use super::ask::{Answered, Ask};
use super::cells::Cells;
use super::deliverer::Deliverer;
use super::entry::Entry;
use super::error::{Asked, ShardError};
use super::follower::{Follower, Mark};
use super::link::{Command, Links, Mailroom, News, NewsReader};
use super::machine::{Machine, ViewReply};
use super::measures::Measures;
use super::options::ShardOptions;
use super::router::Router;
use super::slot::Table;
use super::table::CoreTable;
use super::timers::Timers;
use super::view::{DeskView, SessionView, Typing, View};

/// One core's way to every log. Cheap to clone, never leaves its thread.
#[derive(Clone)]
pub struct Shards {
    pub(super) core: Rc<CoreTable>,
}

/// What lies above the table and is asked by it.
#[derive(Clone)]
pub struct Neighbours {
    /// Who gets a waiting session.
    pub router: Rc<dyn Router>,
    /// Who tells those outside.
    pub deliverer: Rc<dyn Deliverer>,
}

/// A cause from outside that may come again, on any node.
pub struct KeyedCause {
    /// The idempotency key with what a repeat is told.
    pub key: Key,
}

/// What became of a keyed question.
#[derive(Debug)]
pub enum Keyed<R> {
    /// Decided now.
    Now(R),
    /// The key had been used before.
    Before {
        /// Into which log the first went.
        log: LogId,
        /// Its first number there.
        first: u64,
        /// What was told then.
        answer: Bytes,
    },
}

/// A page of records from the store, in order of number.
pub type Records<E> = Vec<Arc<Entry<E>>>;

impl Shards {
    /// Builds this core's part of the table and starts its work on the current `LocalSet`.
    #[must_use]
    pub fn start(
        mailroom: Mailroom,
        links: Links,
        log: SharedLog,
        neighbours: Neighbours,
        clock: Clock,
        node: NodeId,
        options: ShardOptions,
    ) -> Self {
        let core = Rc::new(CoreTable {
            core: mailroom.core,
            links,
            log,
            router: neighbours.router,
            deliverer: neighbours.deliverer,
            clock,
            options,
            sessions: Table::default(),
            desks: Table::default(),
            session_cells: Cells::default(),
            desk_cells: Cells::default(),
            moments: tokio::sync::Notify::new(),
            timers: RefCell::new(Timers::default()),
            timer_wake: tokio::sync::Notify::new(),
            attempts: Cell::new(0),
            due: RefCell::default(),
            due_wake: tokio::sync::Notify::new(),
            rechecks: RefCell::default(),
            stranded: RefCell::default(),
            measures: Measures::new(),
            packer: RefCell::default(),
            heard: RefCell::new(HashSet::new()),
            peers: RefCell::default(),
        });
        if let Some(watch) = core.log.take_watch() {
            tokio::task::spawn_local(Rc::clone(&core).run_watch(watch));
        }
        tokio::task::spawn_local(Rc::clone(&core).run_news(mailroom.news()));
        tokio::task::spawn_local(Rc::clone(&core).run_mailroom(mailroom));
        tokio::task::spawn_local(Rc::clone(&core).run_moments());
        tokio::task::spawn_local(Rc::clone(&core).run_timers());
        tokio::task::spawn_local(Rc::clone(&core).run_renewals());
        tokio::task::spawn_local(Rc::clone(&core).run_sweeps(node));
        tokio::task::spawn_local(Rc::clone(&core).run_due());
        tokio::task::spawn_local(Rc::clone(&core).run_rests());
        tokio::task::spawn_local(Rc::clone(&core).run_evictions());
        Self { core }
    }

    /// Lets a session decide; resolves when its append is safe.
    ///
    /// # Errors
    /// The session's rejection, or why the log could not be asked.
    pub async fn session(&self, log: LogId, input: SessionInput) -> Asked<Session, SessionReply> {
        self.now::<Session>(log, input).await
    }

    /// The same for a cause that may come again.
    ///
    /// # Errors
    /// Also [`ShardError::KeyReused`].
    pub async fn session_keyed(
        &self,
        log: LogId,
        input: SessionInput,
        cause: KeyedCause,
    ) -> Asked<Session, Keyed<SessionReply>> {
        Ok(
            match self.core.ask::<Session>(log, input, Some(cause.key)).await? {
                Answered::Now(reply) => Keyed::Now(reply),
                Answered::Before { log, first, answer } => Keyed::Before { log, first, answer },
            },
        )
    }

    /// Lets a desk decide; resolves when its append is safe.
    ///
    /// # Errors
    /// The desk's rejection, or why the log could not be asked.
    pub async fn desk(&self, log: LogId, input: DeskInput) -> Asked<Desk, DeskReply> {
        self.now::<Desk>(log, input).await
    }

    async fn now<M: Machine>(&self, log: LogId, input: M::Input) -> Asked<M, M::Reply> {
        match self.core.ask::<M>(log, input, None).await? {
            Answered::Now(reply) => Ok(reply),
            Answered::Before { .. } => Err(ShardError::unavailable("answered for a key that was not given")),
        }
    }

    /// The newest picture of a session on this core.
    ///
    /// # Errors
    /// [`ShardError::NoSuchLog`], or why the log could not be read.
    pub async fn session_view(&self, log: LogId) -> Result<Arc<SessionView>, ShardError<()>> {
        if log.kind() != LogKind::Session {
            return Err(ShardError::NoSuchLog);
        }
        self.core.view::<Session>(log).await.map_err(without_reason)
    }

    /// The newest picture of a desk on this core.
    ///
    /// # Errors
    /// [`ShardError::NoSuchLog`], or why the log could not be read.
    pub async fn desk_view(&self, log: LogId) -> Result<Arc<DeskView>, ShardError<()>> {
        if log.kind() != LogKind::Desk {
            return Err(ShardError::NoSuchLog);
        }
        self.core.view::<Desk>(log).await.map_err(without_reason)
    }

    /// Up to `limit` records of a session up to and including number `to`, from the store.
    ///
    /// # Errors
    /// [`ShardError::NoSuchLog`], or why the log could not be read.
    pub async fn session_page(
        &self,
        log: LogId,
        to: u64,
        limit: usize,
    ) -> Result<Records<SessionEvent>, ShardError<()>> {
        let page = self.core.log.read_backward(log, to, limit).await?;
        entries::<Session>(page)
    }

    /// Up to `limit` records of a session from number `from` on, from the store.
    ///
    /// # Errors
    /// [`ShardError::NoSuchLog`], or why the log could not be read.
    pub async fn session_page_forward(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> Result<Records<SessionEvent>, ShardError<()>> {
        let page = self.core.log.read_forward(log, from, limit).await?;
        entries::<Session>(page)
    }

    /// Up to `limit` records of a desk from number `from` on, from the store.
    ///
    /// # Errors
    /// [`ShardError::NoSuchLog`], or why the log could not be read.
    pub async fn desk_page_forward(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> Result<Records<DeskEvent>, ShardError<()>> {
        let page = self.core.log.read_forward(log, from, limit).await?;
        entries::<Desk>(page)
    }

    /// Tells whoever looks at a session that somebody types. Best effort, latest wins.
    pub fn signal(&self, log: LogId, typing: Typing) {
        if self.core.log.info().shared
            && let Ok(payload) = serde_json::to_vec(&typing)
        {
            self.core.log.signal(log, payload.into());
        }
        if self.core.owns(log) {
            self.core.take_signal(log, typing);
        } else {
            // A full mailbox costs a typing indicator.
            let _ = self
                .core
                .links
                .ask(self.core.owner(log), Command::Signal(log, typing));
        }
    }

    /// Somebody of this log was heard; written with the next renewal.
    pub fn heard_from(&self, log: LogId) {
        self.core.heard_from(log);
    }

    /// Offers a waiting session to a desk, as the matching tables of its tenant suggest.
    pub fn offer(&self, tenant: TenantId, pair: crate::log::Pair) {
        let core = Rc::clone(&self.core);
        tokio::task::spawn_local(async move {
            if let Err(error) = core.bring_together(tenant, pair).await {
                tracing::debug!(%error, "a pair is left to the next look at the tables");
            }
        });
    }

    /// Begins the effects of what was written into a log beside its machine, without waiting for the sweep.
    pub fn lease_soon(&self, log: LogId) {
        self.core.lease_soon(self.core.partition(log));
    }

    /// Sessions of this core that are held in memory and stand as `wanted`.
    #[must_use]
    pub fn sessions_where(&self, wanted: impl Fn(Standing) -> bool) -> Vec<LogId> {
        let slots = self.core.sessions.all();
        let held = slots
            .iter()
            .filter(|slot| slot.inner.borrow().replica.standing().is_some_and(&wanted));
        held.map(|slot| slot.log).collect()
    }

    /// The newest state of a session that lives on this core and is in memory. Nobody is kept informed of it.
    #[must_use]
    pub fn owned_session(&self, log: LogId) -> Option<Arc<Session>> {
        let slot = self.core.sessions.get(log)?;
        let inner = slot.inner.borrow();
        inner.replica.state()
    }

    /// A reader of several logs.
    #[must_use]
    pub fn follower(&self) -> Follower {
        Follower::new(self.clone())
    }

    /// This core's log, for what is neither session nor desk: single-use tokens, the canary, counts.
    #[must_use]
    pub fn log(&self) -> SharedLog {
        Rc::clone(&self.core.log)
    }

    /// The clock everything here goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    pub(super) async fn follow_session(&self, log: LogId, mark: &Rc<Mark>) -> Result<(), ShardError<()>> {
        self.core
            .follow::<Session>(log, mark)
            .await
            .map_err(without_reason)
    }

    pub(super) async fn follow_desk(&self, log: LogId, mark: &Rc<Mark>) -> Result<(), ShardError<()>> {
        self.core.follow::<Desk>(log, mark).await.map_err(without_reason)
    }

    pub(super) fn unfollow(&self, log: LogId, mark: &Rc<Mark>) {
        match log.kind() {
            LogKind::Session => self.core.session_cells.unfollow(log, mark),
            LogKind::Desk => self.core.desk_cells.unfollow(log, mark),
            LogKind::Feed => {}
        }
    }

    pub(super) fn held_session(&self, log: LogId) -> Option<Arc<SessionView>> {
        self.core.session_cells.view(log, self.core.clock.now())
    }

    pub(super) fn held_desk(&self, log: LogId) -> Option<Arc<DeskView>> {
        self.core.desk_cells.view(log, self.core.clock.now())
    }
}

impl CoreTable {
    /// Asks the machine of a log, wherever it lives.
    pub(super) async fn ask<M: Machine>(
        self: &Rc<Self>,
        log: LogId,
        input: M::Input,
        key: Option<Key>,
    ) -> Asked<M, Answered<M>> {
        let (reply, answer) = oneshot::channel();
        self.post(Ask {
            log,
            input,
            key,
            deadline: self.clock.now() + self.options.decide_deadline,
            reply,
        });
        answer
            .await
            .unwrap_or(Err(ShardError::unavailable("the question was dropped")))
    }

    /// Tells the machine of a log something without waiting for what it makes of it.
    pub(super) fn tell<M: Machine>(self: &Rc<Self>, log: LogId, input: M::Input) {
        let (reply, _) = oneshot::channel();
        self.post::<M>(Ask {
            log,
            input,
            key: None,
            deadline: self.clock.now() + self.options.decide_deadline,
            reply,
        });
    }

    fn post<M: Machine>(self: &Rc<Self>, ask: Ask<M>) {
        if self.owns(ask.log) {
            return self.enqueue(ask);
        }
        let owner = self.owner(ask.log);
        // What comes back from a full mailbox is dropped, and with it the place of its answer: the asker is told.
        if self.links.ask(owner, M::command(ask)).is_err() {
            metrics::counter!(names::QUEUE_FULL, "queue" => "mailbox").increment(1);
        }
    }

    pub(super) async fn view<M: Machine>(self: &Rc<Self>, log: LogId) -> Asked<M, Arc<View<M>>> {
        let now = self.clock.now();
        if let Some(view) = M::cells(self).view(log, now) {
            return Ok(view);
        }
        M::cells(self).expect(log);
        let (reply, answer) = oneshot::channel();
        if self.owns(log) {
            self.serve_view(log, self.core, reply);
        } else if self
            .links
            .ask(self.owner(log), M::watch_command(log, self.core, reply))
            .is_err()
        {
            metrics::counter!(names::QUEUE_FULL, "queue" => "mailbox").increment(1);
        }
        let view = answer
            .await
            .unwrap_or(Err(ShardError::unavailable("the question was dropped")));
        match view {
            Ok(view) => M::cells(self)
                .arrived(log, Some(view), self.clock.now())
                .ok_or(ShardError::unavailable("the view was dropped")),
            Err(error) => M::cells(self).arrived(log, None, self.clock.now()).ok_or(error),
        }
    }

    async fn follow<M: Machine>(self: &Rc<Self>, log: LogId, mark: &Rc<Mark>) -> Asked<M, ()> {
        M::cells(self).unfollow(log, mark);
        loop {
            if M::cells(self).follow(log, mark) {
                return Ok(());
            }
            self.view::<M>(log).await?;
        }
    }

    /// Gives a core the picture of a log and keeps it informed from then on.
    fn serve_view<M: Machine>(self: &Rc<Self>, log: LogId, reader: usize, reply: ViewReply<M>) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let slot = M::table(&core).slot(log, core.clock.now());
            let view = core.begin_view(&slot, reader).await;
            // The reader may have gone; it will say so by releasing.
            let _ = reply.send(view);
        });
    }

    async fn begin_view<M: Machine>(
        self: &Rc<Self>,
        slot: &Rc<super::slot::Slot<M>>,
        reader: usize,
    ) -> Asked<M, Arc<View<M>>> {
        let unwatched = self.log.info().shared && !slot.inner.borrow().watched;
        if unwatched {
            // Subscribe, then read: what comes between is seen twice rather than never.
            self.log.watch(slot.log).await?;
            slot.inner.borrow_mut().watched = true;
        }
        if !self.load(slot, false).await? && unwatched {
            self.catch_up(slot).await?;
            self.load(slot, false).await?;
        }
        let mut inner = slot.inner.borrow_mut();
        inner.readers |= 1 << reader;
        inner
            .view(slot.log)
            .ok_or(ShardError::unavailable("the replica was dropped"))
    }

    /// This core no longer looks at a log.
    pub(super) fn release(self: &Rc<Self>, log: LogId) {
        if self.owns(log) {
            self.unread(log, self.core);
        } else {
            // If the mailbox is full the owner goes on telling us, which costs little and harms nobody.
            let _ = self.links.ask(self.owner(log), Command::Unwatch(log, self.core));
        }
    }

    fn unread(&self, log: LogId, reader: usize) {
        match log.kind() {
            LogKind::Session => drop_reader(&self.sessions, log, reader),
            LogKind::Desk => drop_reader(&self.desks, log, reader),
            LogKind::Feed => {}
        }
    }

    async fn run_mailroom(self: Rc<Self>, mut mailroom: Mailroom) {
        while let Some(command) = mailroom.commands.next().await {
            match command {
                Command::Session(ask) => self.enqueue(ask),
                Command::Desk(ask) => self.enqueue(ask),
                Command::Admit(ask) => self.take_admission(ask),
                Command::WatchSession(log, reader, reply) => self.serve_view::<Session>(log, reader, reply),
                Command::WatchDesk(log, reader, reply) => self.serve_view::<Desk>(log, reader, reply),
                Command::Unwatch(log, reader) => self.unread(log, reader),
                Command::Signal(log, typing) => self.take_signal(log, typing),
            }
        }
    }

    async fn run_news(self: Rc<Self>, news: NewsReader) {
        loop {
            for (_, changed) in news.next().await {
                match changed {
                    News::Session(view) => self.hold(view),
                    News::Desk(view) => self.hold(view),
                    News::Folded(log, folded) => match log.kind() {
                        LogKind::Session => self.hold_folded::<Session>(log, folded),
                        LogKind::Desk => self.hold_folded::<Desk>(log, folded),
                        LogKind::Feed => {}
                    },
                }
            }
        }
    }
}

fn drop_reader<M: Machine>(table: &Table<M>, log: LogId, reader: usize) {
    if let Some(slot) = table.get(log) {
        slot.inner.borrow_mut().readers &= !(1 << reader);
    }
}

fn without_reason<R>(error: ShardError<R>) -> ShardError<()> {
    match error {
        ShardError::Rejected(_) => ShardError::Rejected(()),
        ShardError::NoSuchLog => ShardError::NoSuchLog,
        ShardError::KeyReused => ShardError::KeyReused,
        ShardError::OptedOut => ShardError::OptedOut,
        ShardError::Unavailable { reason, retry_after } => ShardError::Unavailable { reason, retry_after },
        ShardError::Unreadable { reason } => ShardError::Unreadable { reason },
    }
}

/// Decodes a page. The chain within it is checked; its beginning is taken as the store gives it.
fn entries<M: Machine>(page: Option<crate::log::Page>) -> Result<Records<M::Event>, ShardError<()>> {
    let page = page.ok_or(ShardError::NoSuchLog)?;
    let mut before: Option<Position> = None;
    let mut entries = Vec::with_capacity(page.records.len());
    for stored in &page.records {
        if let Some(before) = before {
            stored.verify(before)?;
        }
        before = Some(stored.position());
        let record = M::decode(stored).map_err(|reason| ShardError::Unreadable { reason })?;
        entries.push(Arc::new(Entry::new(stored.position(), record)));
    }
    Ok(entries)
}
