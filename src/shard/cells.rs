//! The views that readers of this core hold.
//!
//! Followers are woken at once by the first news of a log, and by what comes within a moment after it when that is over: a
//! burst of messages costs each of many sockets one write or two, not one a message.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::model::{LogId, Position};

use super::folded::Folded;
use super::follower::Mark;
use super::machine::Machine;
use super::view::{Typing, View};

/// How long a moment is. Far less than a person notices, and more than the requests of a burst take.
pub(super) const MOMENT: Duration = Duration::from_millis(2);

/// This core's newest view of each log that somebody here reads.
pub struct Cells<M: Machine> {
    cells: RefCell<HashMap<LogId, Rc<ViewCell<M>>>>,
    /// Logs whose first view is on its way, with news that overtook it.
    expected: RefCell<HashMap<LogId, Option<Arc<View<M>>>>>,
    /// Logs whose followers were woken a moment ago, and whether there is more by now.
    told: RefCell<HashMap<LogId, bool>>,
}

/// A view, what it was folded to, or both.
struct Picture<M: Machine> {
    view: Option<Arc<View<M>>>,
    folded: Option<Folded>,
}

/// The newest view of one log, and who wants to be woken.
pub(super) struct ViewCell<M: Machine> {
    picture: RefCell<Picture<M>>,
    followers: RefCell<SmallVec<[Weak<Mark>; 1]>>,
    used: Cell<Instant>,
}

impl<M: Machine> Default for Cells<M> {
    fn default() -> Self {
        Self {
            cells: RefCell::default(),
            expected: RefCell::default(),
            told: RefCell::default(),
        }
    }
}

impl<M: Machine> Cells<M> {
    /// The newest view, if this core has one.
    pub(super) fn view(&self, log: LogId, now: Instant) -> Option<Arc<View<M>>> {
        let cells = self.cells.borrow();
        let cell = cells.get(&log)?;
        cell.used.set(now);
        cell.picture.borrow_mut().view(log)
    }

    /// Puts in a newer view and wakes the followers, now or when the moment is over. One that nobody here reads or expects is
    /// dropped. `true`: a moment has begun, which somebody has to [end](Self::end_moment).
    pub(super) fn update(&self, view: Arc<View<M>>) -> bool {
        let cell = self.cells.borrow().get(&view.log).cloned();
        let Some(cell) = cell else {
            if let Some(early) = self.expected.borrow_mut().get_mut(&view.log) {
                *early = Some(view);
            }
            return false;
        };
        let log = view.log;
        let before = cell.picture.replace(Arc::clone(&view).into());
        // The same state with fewer records in memory is no news.
        let same = before.top() == view.top && before.signals() == &*view.signals;
        !same && self.tell(log, &cell)
    }

    /// Puts in what a log was folded to; whoever wants its view has to open it. `true`: as for [news](Self::update), if it is further.
    pub(super) fn put_away(&self, log: LogId, folded: Folded) -> bool {
        let cell = self.cells.borrow().get(&log).cloned();
        let Some(cell) = cell else {
            if let Some(early) = self.expected.borrow_mut().get_mut(&log) {
                *early = folded.view(log).ok().map(Arc::new);
            }
            return false;
        };
        let further = {
            let mut picture = cell.picture.borrow_mut();
            let further = picture.top() != folded.top();
            if further {
                picture.view = None;
            }
            picture.folded = Some(folded);
            further
        };
        further && self.tell(log, &cell)
    }

    /// There is something new for those who follow a log. `true`: a moment has begun.
    fn tell(&self, log: LogId, cell: &ViewCell<M>) -> bool {
        if let Some(more) = self.told.borrow_mut().get_mut(&log) {
            *more = true;
            return false;
        }
        let begins = cell.wake(log);
        if begins {
            self.told.borrow_mut().insert(log, false);
        }
        begins
    }

    /// Wakes the followers of the logs of which there was more. `false`: no moment has begun by that.
    pub(super) fn end_moment(&self) -> bool {
        let told = std::mem::take(&mut *self.told.borrow_mut());
        let more = told.into_iter().filter(|(_, more)| *more);
        let again: HashMap<LogId, bool> = more
            .filter(|(log, _)| {
                let cell = self.cells.borrow().get(log).cloned();
                cell.is_some_and(|cell| cell.wake(*log))
            })
            .map(|(log, _)| (log, false))
            .collect();
        let begins = !again.is_empty();
        self.told.borrow_mut().extend(again);
        begins
    }

    /// A first view is about to be asked for: news that overtake it count from here on.
    pub(super) fn expect(&self, log: LogId) {
        self.expected.borrow_mut().entry(log).or_default();
    }

    /// The first view came, or did not. Begins to hold it, or what overtook it; returns what is held.
    pub(super) fn arrived(
        &self,
        log: LogId,
        view: Option<Arc<View<M>>>,
        now: Instant,
    ) -> Option<Arc<View<M>>> {
        let early = self.expected.borrow_mut().remove(&log).flatten();
        if let Some(held) = self.view(log, now) {
            return Some(held);
        }
        if let Some(cell) = self.cells.borrow().get(&log) {
            // What it was folded to cannot be opened.
            cell.picture.replace(Arc::clone(view.as_ref()?).into());
            return view;
        }
        // News for a view that was given up just before may be older than the answer.
        let view = match (early, view) {
            (Some(early), Some(view)) if early.top.n < view.top.n => view,
            (early, view) => early.or(view)?,
        };
        let cell = ViewCell {
            picture: RefCell::new(Arc::clone(&view).into()),
            followers: RefCell::default(),
            used: Cell::new(now),
        };
        self.cells.borrow_mut().insert(log, Rc::new(cell));
        Some(view)
    }

    /// Wakes `mark` from now on when the view of `log` changes. `false`: this core holds no view of it.
    pub(super) fn follow(&self, log: LogId, mark: &Rc<Mark>) -> bool {
        self.cells.borrow().get(&log).is_some_and(|cell| {
            cell.followers.borrow_mut().push(Rc::downgrade(mark));
            true
        })
    }

    /// No longer wakes `mark` for `log`.
    pub(super) fn unfollow(&self, log: LogId, mark: &Rc<Mark>) {
        if let Some(cell) = self.cells.borrow().get(&log) {
            cell.followers
                .borrow_mut()
                .retain(|known| !std::ptr::eq(known.as_ptr(), Rc::as_ptr(mark)));
        }
    }

    /// Lets go of views that nobody follows or has looked at; returns their logs.
    pub(super) fn drop_idle(&self, before: Instant) -> Vec<LogId> {
        let mut dropped = Vec::new();
        let mut cells = self.cells.borrow_mut();
        cells.retain(|log, cell| {
            let mut followers = cell.followers.borrow_mut();
            followers.retain(|mark| mark.strong_count() > 0);
            let keep = !followers.is_empty() || cell.used.get() > before;
            if !keep {
                dropped.push(*log);
            }
            keep
        });
        if cells.len() < cells.capacity() / 4 {
            let twice = 2 * cells.len();
            cells.shrink_to(twice);
        }
        dropped
    }

    /// Puts away the views that nobody has looked at since `before`: closes those of which there is a folded form, and lets go of those
    /// that nobody follows. Returns the logs of these.
    pub(super) fn fold(&self, before: Instant) -> Vec<LogId> {
        for cell in self.cells.borrow().values() {
            if cell.used.get() <= before {
                cell.picture.borrow_mut().put_away();
            }
        }
        self.drop_idle(before)
    }
}

impl<M: Machine> From<Arc<View<M>>> for Picture<M> {
    fn from(view: Arc<View<M>>) -> Self {
        Self {
            view: Some(view),
            folded: None,
        }
    }
}

impl<M: Machine> Picture<M> {
    fn top(&self) -> Position {
        match (&self.view, &self.folded) {
            (Some(view), _) => view.top,
            (None, Some(folded)) => folded.top(),
            (None, None) => Position::default(),
        }
    }

    fn signals(&self) -> &[Typing] {
        self.view.as_ref().map_or(&[], |view| &view.signals)
    }

    /// The view, opened if it was put away.
    fn view(&mut self, log: LogId) -> Option<Arc<View<M>>> {
        if self.view.is_none() {
            self.view = self.folded.as_ref()?.view(log).ok().map(Arc::new);
        }
        self.view.clone()
    }

    fn put_away(&mut self) {
        if self.folded.is_some() {
            self.view = None;
        }
    }
}

impl<M: Machine> ViewCell<M> {
    /// Wakes the followers; whether there are any.
    fn wake(&self, log: LogId) -> bool {
        let mut followers = self.followers.borrow_mut();
        followers.retain(|follower| {
            follower.upgrade().is_some_and(|mark| {
                mark.wake(log);
                true
            })
        });
        !followers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AgentId, Millis, TenantId};
    use crate::protocol::dense::Packer;
    use crate::session::Desk;
    use crate::shard::folded::{Contents, Newest};
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};

    fn view(log: LogId, n: u64) -> Arc<View<Desk>> {
        Arc::new(View {
            log,
            top: Position {
                n,
                ..Position::default()
            },
            state: Arc::default(),
            tail: Box::default(),
            signals: Box::default(),
        })
    }

    #[test]
    fn only_a_picture_that_says_something_new_wakes() {
        let agent: AgentId = "alice".parse().unwrap();
        let log = LogId::desk(TenantId(uuid::Uuid::nil()), &agent);
        let (cells, mark) = (Cells::<Desk>::default(), Rc::new(Mark::default()));
        cells.expect(log);
        assert!(cells.arrived(log, Some(view(log, 3)), Instant::now()).is_some());
        assert!(cells.follow(log, &mark));
        let changed = || {
            let mut waiting = std::pin::pin!(mark.changed());
            waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
        };
        assert!(!cells.update(view(log, 3)));
        assert!(!changed());
        assert!(cells.update(view(log, 4)));
        assert!(changed());
    }

    #[test]
    fn what_comes_within_a_moment_wakes_once_when_it_is_over() {
        let agent: AgentId = "alice".parse().unwrap();
        let log = LogId::desk(TenantId(uuid::Uuid::nil()), &agent);
        let (cells, mark) = (Cells::<Desk>::default(), Rc::new(Mark::default()));
        cells.expect(log);
        cells.arrived(log, Some(view(log, 3)), Instant::now());
        assert!(cells.follow(log, &mark));
        let woken = || mark.take().len();
        assert!(cells.update(view(log, 4)), "a moment begins");
        assert_eq!(woken(), 1);
        assert!(!cells.update(view(log, 5)));
        assert!(!cells.update(view(log, 6)));
        assert_eq!(woken(), 0, "not yet");
        assert!(cells.end_moment(), "another begins");
        assert_eq!(woken(), 1);
        assert_eq!(cells.view(log, Instant::now()).map(|view| view.top.n), Some(6));
        assert!(!cells.end_moment());
        assert_eq!(woken(), 0);
        assert!(cells.update(view(log, 7)), "and news are told at once again");
        assert_eq!(woken(), 1);
    }

    fn folded(n: u64) -> Folded {
        let contents = Contents::<Desk> {
            top: Position {
                n,
                ..Position::default()
            },
            time: Millis(1),
            snapshot: 0,
            tail_max: 8,
            state: Arc::default(),
            tail: Newest::new(),
        };
        Folded::of(&contents, &mut Packer::default()).unwrap()
    }

    #[test]
    fn what_was_put_away_is_opened_for_who_looks_and_goes_when_nobody_follows() {
        let agent: AgentId = "alice".parse().unwrap();
        let log = LogId::desk(TenantId(uuid::Uuid::nil()), &agent);
        let (cells, mark) = (Cells::<Desk>::default(), Rc::new(Mark::default()));
        let began = Instant::now();
        let later = began + Duration::from_secs(60);
        let held = |now| cells.view(log, now).map(|view| view.top.n);
        cells.expect(log);
        cells.arrived(log, Some(view(log, 3)), began);
        assert!(cells.follow(log, &mark));
        assert!(!cells.put_away(log, folded(3)), "it says nothing new");
        assert!(cells.fold(later).is_empty(), "somebody follows it");
        assert!(mark.take().is_empty());
        assert_eq!(held(began), Some(3));
        assert!(cells.put_away(log, folded(5)), "news that were folded at once");
        assert_eq!(mark.take().len(), 1);
        assert_eq!(held(began), Some(5));
        cells.unfollow(log, &mark);
        assert_eq!(cells.fold(later).as_slice(), [log]);
        assert_eq!(held(later), None);
        cells.expect(log);
        assert!(!cells.put_away(log, folded(6)), "on its way");
        assert!(cells.arrived(log, Some(view(log, 5)), later).is_some());
        assert_eq!(held(later), Some(6));
    }

    #[test]
    fn of_an_answer_and_the_news_that_overtook_it_the_newer_is_held() {
        let agent: AgentId = "alice".parse().unwrap();
        let log = LogId::desk(TenantId(uuid::Uuid::nil()), &agent);
        for (answer, news) in [(3, 4), (4, 3)] {
            let cells = Cells::<Desk>::default();
            cells.expect(log);
            assert!(!cells.update(view(log, news)));
            let held = cells.arrived(log, Some(view(log, answer)), Instant::now());
            assert_eq!(held.map(|view| view.top.n), Some(4));
        }
    }
}
