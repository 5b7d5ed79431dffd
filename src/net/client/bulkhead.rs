//! Bulkheads: so many calls for one key at once, so many that wait, and no longer than so long.
//!
//! One target that hangs holds its own places and nobody else's.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The bulkheads of one core, one a key. Keys that hold no place are forgotten.
#[derive(Debug)]
pub struct Bulkhead<K: Hash + Eq + Clone> {
    places: usize,
    waiting: usize,
    keys: Rc<RefCell<HashMap<K, Rc<Compartment>>>>,
}

#[derive(Debug)]
struct Compartment {
    places: Arc<Semaphore>,
    waiting: std::cell::Cell<usize>,
}

/// There is no place: all are taken, and either too many wait already or the wait was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many calls for this target at once")]
pub struct Full;

/// A place. Dropping it gives it to whoever waits longest.
#[derive(Debug)]
pub struct Slot<K: Hash + Eq + Clone> {
    permit: Option<OwnedSemaphorePermit>,
    compartment: Option<Rc<Compartment>>,
    key: K,
    keys: Rc<RefCell<HashMap<K, Rc<Compartment>>>>,
}

impl<K: Hash + Eq + Clone> Bulkhead<K> {
    /// `places` calls at once for each key, and `waiting` that wait for a place.
    pub fn new(places: usize, waiting: usize) -> Self {
        Self {
            places: places.max(1),
            waiting,
            keys: Rc::default(),
        }
    }

    /// A place for `key` at once.
    ///
    /// # Errors
    /// [`Full`].
    pub fn try_enter(&self, key: K) -> Result<Slot<K>, Full> {
        let mut slot = self.slot(key);
        let places = slot.places().ok_or(Full)?;
        slot.permit = Some(places.try_acquire_owned().map_err(|_| Full)?);
        Ok(slot)
    }

    /// A place for `key`, waited for `patience` at most, in turn.
    ///
    /// # Errors
    /// [`Full`].
    pub async fn enter(&self, key: K, patience: Duration) -> Result<Slot<K>, Full> {
        let mut slot = self.slot(key);
        let places = slot.places().ok_or(Full)?;
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            slot.permit = Some(permit);
            return Ok(slot);
        }
        let _waiting = slot.wait(self.waiting).ok_or(Full)?;
        match timeout(patience, places.acquire_owned()).await {
            Ok(Ok(permit)) => slot.permit = Some(permit),
            Ok(Err(_)) | Err(_) => return Err(Full),
        }
        Ok(slot)
    }

    /// How many keys have calls under way.
    pub fn len(&self) -> usize {
        self.keys.borrow().len()
    }

    /// Whether no call is under way.
    pub fn is_empty(&self) -> bool {
        self.keys.borrow().is_empty()
    }

    fn slot(&self, key: K) -> Slot<K> {
        let mut keys = self.keys.borrow_mut();
        let compartment = keys.entry(key.clone()).or_insert_with(|| {
            Rc::new(Compartment {
                places: Arc::new(Semaphore::new(self.places)),
                waiting: std::cell::Cell::new(0),
            })
        });
        Slot {
            permit: None,
            compartment: Some(Rc::clone(compartment)),
            key,
            keys: Rc::clone(&self.keys),
        }
    }
}

/// One that waits.
struct Waiting(Rc<Compartment>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

impl<K: Hash + Eq + Clone> Slot<K> {
    fn places(&self) -> Option<Arc<Semaphore>> {
        self.compartment
            .as_ref()
            .map(|compartment| Arc::clone(&compartment.places))
    }

    fn wait(&self, most: usize) -> Option<Waiting> {
        let compartment = self.compartment.as_ref()?;
        let waiting = compartment.waiting.get();
        (waiting < most).then(|| {
            compartment.waiting.set(waiting + 1);
            Waiting(Rc::clone(compartment))
        })
    }
}

impl<K: Hash + Eq + Clone> Drop for Slot<K> {
    fn drop(&mut self) {
        self.permit = None;
        self.compartment = None;
        let mut keys = self.keys.borrow_mut();
        // Whoever has or waits for a place holds the compartment too.
        if keys.get(&self.key).is_some_and(|own| Rc::strong_count(own) == 1) {
            keys.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_target_leaves_the_others_alone() {
        let bulkhead = Bulkhead::new(2, 1);
        let held = [bulkhead.try_enter("slow"), bulkhead.try_enter("slow")];
        assert!(held.iter().all(Result::is_ok));
        assert!(bulkhead.try_enter("slow").is_err());
        assert!(bulkhead.try_enter("well").is_ok());
        assert!(bulkhead.enter("slow", Duration::from_secs(1)).await.is_err());
        drop(held);
        assert!(bulkhead.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait_and_the_first_gets_the_place() {
        let bulkhead = Bulkhead::new(1, 1);
        let held = bulkhead.try_enter(1).unwrap();
        let patience = Duration::from_secs(5);
        let waits = bulkhead.enter(1, patience);
        tokio::pin!(waits);
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        assert_eq!(bulkhead.enter(1, patience).await.err(), Some(Full));
        drop(held);
        let slot = waits.await.unwrap();
        assert_eq!(bulkhead.len(), 1);
        drop(slot);
        assert!(bulkhead.is_empty());
    }
}
