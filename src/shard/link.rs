//! What goes from core to core: questions, each with the place of its answer reserved, and coalesced news of views.
//!
//! Questions are bounded by the mailbox; news hold the newest view of each log and nothing older, so neither can grow with
//! the traffic and two full mailboxes cannot wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::model::LogId;
use crate::runtime::mailbox::{Mailbox, Mailroom as Letters, mailbox};
use crate::session::{Desk, Session};

use super::admission::AdmissionAsk;
use super::ask::Ask;
use super::folded::Folded;
use super::machine::ViewReply;
use super::view::{DeskView, SessionView, Typing};

/// A question to another core.
pub enum Command {
    /// To a session.
    Session(Ask<Session>),
    /// To a desk.
    Desk(Ask<Desk>),
    /// A customer's message by a channel.
    Admit(AdmissionAsk),
    /// A core wants to see a session.
    WatchSession(LogId, usize, ViewReply<Session>),
    /// A core wants to see a desk.
    WatchDesk(LogId, usize, ViewReply<Desk>),
    /// A core no longer looks at a log.
    Unwatch(LogId, usize),
    /// Somebody types.
    Signal(LogId, Typing),
}

/// A view that changed.
pub enum News {
    /// Of a session.
    Session(Arc<SessionView>),
    /// Of a desk.
    Desk(Arc<DeskView>),
    /// A log was folded.
    Folded(LogId, Folded),
}

/// As many questions wait at a core as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MailboxFull;

/// The sending ends of every core.
#[derive(Clone)]
pub struct Links {
    ends: Arc<[End]>,
}

struct End {
    commands: Mailbox<Command>,
    board: Arc<Board>,
}

/// News for one core: the newest view of each log it reads.
#[derive(Default)]
struct Board {
    changed: Mutex<HashMap<LogId, News>>,
    wake: Notify,
}

/// The receiving end of one core; made before the cores start, given to one each.
pub struct Mailroom {
    pub(super) core: usize,
    pub(super) commands: Letters<Command>,
    board: Arc<Board>,
}

impl Links {
    /// The ends of `cores` cores, with mailboxes of `capacity` questions.
    #[must_use]
    pub fn between(cores: usize, capacity: usize) -> (Self, Vec<Mailroom>) {
        let mut ends = Vec::with_capacity(cores);
        let mut rooms = Vec::with_capacity(cores);
        for core in 0..cores {
            let (sender, commands) = mailbox(capacity);
            let board = Arc::new(Board::default());
            ends.push(End {
                commands: sender,
                board: Arc::clone(&board),
            });
            rooms.push(Mailroom {
                core,
                commands,
                board,
            });
        }
        (Self { ends: ends.into() }, rooms)
    }

    /// How many cores there are.
    pub(super) fn cores(&self) -> usize {
        self.ends.len()
    }

    /// Puts a question into a core's mailbox. When that is full the question is dropped, and with it the place of its
    /// answer: whoever waits is told.
    ///
    /// # Errors
    /// [`MailboxFull`].
    pub(super) fn ask(&self, core: usize, command: Command) -> Result<(), MailboxFull> {
        self.ends[core].commands.post(command).map_err(|_| MailboxFull)
    }

    /// Puts the newest view of a log up for a core; an unread older one is replaced.
    pub(super) fn publish(&self, core: usize, log: LogId, news: News) {
        let board = &self.ends[core].board;
        board
            .changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(log, news);
        board.wake.notify_one();
    }
}

impl Mailroom {
    /// A handle on the news that can be waited on beside the commands.
    pub(super) fn news(&self) -> NewsReader {
        NewsReader {
            board: Arc::clone(&self.board),
        }
    }
}

/// Reads the news of one core.
pub(super) struct NewsReader {
    board: Arc<Board>,
}

impl NewsReader {
    /// Everything that changed since the last call; waits until there is something.
    pub(super) async fn next(&self) -> HashMap<LogId, News> {
        loop {
            let waiting = self.board.wake.notified();
            let changed =
                std::mem::take(&mut *self.board.changed.lock().unwrap_or_else(PoisonError::into_inner));
            if !changed.is_empty() {
                return changed;
            }
            waiting.await;
        }
    }
}
