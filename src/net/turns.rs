//! The turns in which a core begins handshakes.
//!
//! A handshake computes for a third of a millisecond at a stretch. Where thousands arrive in one instant (a balancer restarted, a
//! network came back), all of them would stand in the core's run queue before every socket that is served. Here they wait
//! aside, first come first served, and only [`AT_ONCE`] of them begin between two looks of the core at its sockets: what is served
//! already waits for a few handshakes, not for all. A turn ends by itself; a peer that stalls takes nobody's.

use std::rc::Rc;

use tokio::sync::Semaphore;

/// Handshakes that begin between two looks of the core at its sockets.
const AT_ONCE: usize = 2;

/// The turns of one core. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Turns(Rc<Semaphore>);

impl Turns {
    pub(super) fn new() -> Self {
        Self(Rc::new(Semaphore::new(AT_ONCE)))
    }

    /// Ready when it is one's turn. Unbounded by itself: places of the listener bound how many wait.
    pub(super) async fn next(&self) {
        // It is never closed.
        let _turn = self.0.acquire().await;
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    #[test]
    fn what_is_served_is_looked_at_between_any_two_turns() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let turns = Turns::new();
            let begun = Rc::new(Cell::new(0));
            let storm = 1_000;
            for _ in 0..storm {
                let (turns, begun) = (turns.clone(), Rc::clone(&begun));
                spawn_local(async move {
                    turns.next().await;
                    begun.set(begun.get() + 1);
                });
            }
            let mut looks = 0;
            while begun.get() < storm {
                let before = begun.get();
                tokio::task::yield_now().await;
                looks += 1;
                assert!(
                    begun.get() - before <= 2 * AT_ONCE,
                    "{} at once",
                    begun.get() - before
                );
            }
            assert!(looks >= storm / (2 * AT_ONCE));
        });
    }
}
