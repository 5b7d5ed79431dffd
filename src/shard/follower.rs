//! A socket's interest in logs: one wake for all of them, and a list of those that changed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use crate::model::{LogId, LogKind};

use super::error::ShardError;
use super::handle::Shards;
use super::view::{DeskView, SessionView};

/// What is woken. Shared with the view cells by weak reference, so that dropping the follower ends all interest.
#[derive(Default)]
pub(super) struct Mark {
    dirty: RefCell<SmallVec<[LogId; 1]>>,
    waiting: RefCell<Option<Waker>>,
}

impl Mark {
    pub(super) fn wake(&self, log: LogId) {
        {
            let mut dirty = self.dirty.borrow_mut();
            if !dirty.contains(&log) {
                dirty.push(log);
            }
        }
        let waiting = self.waiting.borrow_mut().take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// What has changed since this was asked last.
    pub(super) fn take(&self) -> SmallVec<[LogId; 1]> {
        std::mem::take(&mut *self.dirty.borrow_mut())
    }

    pub(super) async fn changed(&self) {
        std::future::poll_fn(|context| self.poll_changed(context)).await;
    }

    fn poll_changed(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.dirty.borrow().is_empty() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waiting = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

/// A reader of several logs. Bounded by the number of logs it follows, whatever happens in them.
pub struct Follower {
    shards: Shards,
    mark: Rc<Mark>,
}

impl Follower {
    pub(super) fn new(shards: Shards) -> Self {
        Self {
            shards,
            mark: Rc::default(),
        }
    }

    /// Where it reads.
    #[must_use]
    pub const fn shards(&self) -> &Shards {
        &self.shards
    }

    /// Follows a session or a desk; it is listed as changed at once. Following twice is following once.
    ///
    /// # Errors
    /// As for a view of that log. A feed cannot be followed here.
    pub async fn follow(&self, log: LogId) -> Result<(), ShardError<()>> {
        match log.kind() {
            LogKind::Session => self.shards.follow_session(log, &self.mark).await,
            LogKind::Desk => self.shards.follow_desk(log, &self.mark).await,
            LogKind::Feed => return Err(ShardError::NoSuchLog),
        }?;
        self.mark.wake(log);
        Ok(())
    }

    /// No longer follows a log.
    pub fn unfollow(&self, log: LogId) {
        self.shards.unfollow(log, &self.mark);
        self.mark.dirty.borrow_mut().retain(|dirty| *dirty != log);
    }

    /// Ready when a followed log has changed. Cancel-safe: a change is listed until it is taken. One task waits at a time.
    pub async fn changed(&self) {
        self.mark.changed().await;
    }

    /// The same, for a task that waits for other things too.
    pub fn poll_changed(&self, context: &mut Context<'_>) -> Poll<()> {
        self.mark.poll_changed(context)
    }

    /// The logs that changed since the last call.
    #[must_use]
    pub fn take_dirty(&self) -> SmallVec<[LogId; 1]> {
        self.mark.take()
    }

    /// The newest view of a followed session.
    #[must_use]
    pub fn session(&self, log: LogId) -> Option<Arc<SessionView>> {
        self.shards.held_session(log)
    }

    /// The newest view of a followed desk.
    #[must_use]
    pub fn desk(&self, log: LogId) -> Option<Arc<DeskView>> {
        self.shards.held_desk(log)
    }
}
