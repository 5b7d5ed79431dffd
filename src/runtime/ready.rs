//! Readiness: a set of named latches, all of which must be released before traffic may come.
//!
//! A part that must be there before the node serves takes a [`Latch`] while the process is built, and
//! releases it when its part works; it may hold it again when the part breaks. Drain takes readiness back
//! for good. Reading is cheap and safe from any thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The latches of a process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    held: Vec<(&'static str, usize)>,
    withdrawn: bool,
}

/// Whether traffic may come, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Every latch is released.
    Yes,
    /// These parts are not there yet, or not any more.
    Waiting(Vec<&'static str>),
    /// The process is draining; this does not change back.
    Draining,
}

impl Readiness {
    /// No latches yet: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// A latch for the part called `name`, held from the start. Two latches may share a name (one a core).
    pub fn latch(&self, name: &'static str) -> Latch {
        let latch = Latch {
            name,
            held: false,
            readiness: self.clone(),
        };
        latch.held()
    }

    /// The present answer.
    pub fn state(&self) -> Ready {
        let state = self.lock();
        if state.withdrawn {
            Ready::Draining
        } else if state.held.is_empty() {
            Ready::Yes
        } else {
            Ready::Waiting(state.held.iter().map(|(name, _)| *name).collect())
        }
    }

    /// Whether traffic may come.
    pub fn is_ready(&self) -> bool {
        self.state() == Ready::Yes
    }

    /// Takes readiness back for good.
    pub fn withdraw(&self) {
        self.lock().withdrawn = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One part's say in readiness. A latch dropped while held stays held: a part that died is not ready.
#[derive(Debug)]
pub struct Latch {
    name: &'static str,
    held: bool,
    readiness: Readiness,
}

impl Latch {
    /// The part works.
    pub fn release(&mut self) {
        if !std::mem::take(&mut self.held) {
            return;
        }
        let mut state = self.readiness.lock();
        if let Some(at) = state.held.iter().position(|(name, _)| *name == self.name) {
            state.held[at].1 -= 1;
            if state.held[at].1 == 0 {
                state.held.remove(at);
            }
        }
    }

    /// The part does not work any more.
    pub fn hold(&mut self) {
        if std::mem::replace(&mut self.held, true) {
            return;
        }
        let mut state = self.readiness.lock();
        match state.held.iter_mut().find(|(name, _)| *name == self.name) {
            Some((_, count)) => *count += 1,
            None => state.held.push((self.name, 1)),
        }
    }

    fn held(mut self) -> Self {
        self.hold();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_latch_is_released() {
        let readiness = Readiness::new();
        let mut store = readiness.latch("store");
        let mut cores = [readiness.latch("core"), readiness.latch("core")];
        store.release();
        cores[0].release();
        assert_eq!(readiness.state(), Ready::Waiting(vec!["core"]));
        cores[1].release();
        assert!(readiness.is_ready());
        store.hold();
        assert_eq!(readiness.state(), Ready::Waiting(vec!["store"]));
    }

    #[test]
    fn a_part_that_died_unready_keeps_the_process_unready() {
        let readiness = Readiness::new();
        drop(readiness.latch("store"));
        assert!(!readiness.is_ready());
    }

    #[test]
    fn drain_takes_readiness_back_for_good() {
        let readiness = Readiness::new();
        let mut latch = readiness.latch("store");
        readiness.withdraw();
        latch.release();
        assert_eq!(readiness.state(), Ready::Draining);
    }
}
