//! One bell a core, for what concerns everybody on it and is rare: a new version of the settings, a phase of the drain.
//!
//! Who listens keeps a place and a number, a tenth of what a channel of their own would cost; there are as many listeners as
//! sockets.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A bell. Cheap to clone, never leaves its thread.
#[derive(Debug, Clone, Default)]
pub struct Bell {
    places: Rc<RefCell<Places>>,
}

#[derive(Debug, Default)]
struct Places {
    /// How often it was rung, modulo 2^32.
    rung: u32,
    waiting: Vec<Option<Waker>>,
    free: Vec<u32>,
}

/// Somebody who wants to hear it.
#[derive(Debug)]
pub struct Listener {
    bell: Bell,
    place: u32,
    heard: u32,
}

impl Bell {
    /// Everybody who listens hears it, now or when they next ask.
    pub fn ring(&self) {
        let waiting: Vec<Waker> = {
            let mut places = self.places.borrow_mut();
            places.rung = places.rung.wrapping_add(1);
            places.waiting.iter_mut().filter_map(Option::take).collect()
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Begins to listen. The first question is answered with a ring, so that nothing is missed between looking at the world and
    /// listening for its changes.
    #[must_use]
    pub fn listen(&self) -> Listener {
        let mut places = self.places.borrow_mut();
        let heard = places.rung.wrapping_sub(1);
        let place = places.free.pop().unwrap_or_else(|| {
            places.waiting.push(None);
            u32::try_from(places.waiting.len() - 1).unwrap_or(u32::MAX)
        });
        Listener {
            bell: self.clone(),
            place,
            heard,
        }
    }
}

impl Listener {
    /// Ready when it was rung since the last time this was.
    pub fn poll_rung(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut places = self.bell.places.borrow_mut();
        if self.heard != places.rung {
            self.heard = places.rung;
            return Poll::Ready(());
        }
        if let Some(waiting) = places.waiting.get_mut(self.place as usize)
            && !waiting
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waiting = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let waker = {
            let mut places = self.bell.places.borrow_mut();
            places.free.push(self.place);
            places.waiting.get_mut(self.place as usize).and_then(Option::take)
        };
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_ring_is_heard_once_by_everybody_whether_they_wait_or_come_later() {
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let bell = Bell::default();
        let (mut first, mut second) = (bell.listen(), bell.listen());
        assert!(
            first.poll_rung(&mut context).is_ready(),
            "nothing is missed at the beginning"
        );
        assert!(first.poll_rung(&mut context).is_pending());
        bell.ring();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(first.poll_rung(&mut context).is_ready());
        assert!(second.poll_rung(&mut context).is_ready());
        assert!(first.poll_rung(&mut context).is_pending());
        assert!(second.poll_rung(&mut context).is_pending());
    }

    #[test]
    fn a_place_is_used_again_and_a_listener_who_left_is_not_woken() {
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let bell = Bell::default();
        for _ in 0..100 {
            let mut listener = bell.listen();
            assert!(listener.poll_rung(&mut context).is_ready());
            assert!(listener.poll_rung(&mut context).is_pending());
        }
        bell.ring();
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert_eq!(bell.places.borrow().waiting.len(), 1);
    }
}
