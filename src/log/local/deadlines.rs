//! Things that become due, by time.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::model::Millis;

/// A deadline for each of many things; asks cheaply which have passed.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    at: HashMap<K, Millis>,
    order: BTreeSet<(Millis, K)>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self {
            at: HashMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Ord + Hash> Deadlines<K> {
    /// Sets or moves; says whether there was none before.
    pub(crate) fn set(&mut self, key: K, at: Millis) -> bool {
        let before = self.at.insert(key.clone(), at);
        if let Some(before) = before {
            self.order.remove(&(before, key.clone()));
        }
        self.order.insert((at, key));
        before.is_none()
    }

    /// Takes away, if it is there.
    pub(crate) fn clear(&mut self, key: &K) {
        if let Some(at) = self.at.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.at.contains_key(key)
    }

    /// Up to `limit` whose time has come, the most overdue first.
    pub(crate) fn due(&self, now: Millis, limit: usize) -> Vec<(Millis, K)> {
        self.order
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_deadline_is_due_once_and_at_its_new_time() {
        let mut deadlines = Deadlines::default();
        assert!(deadlines.set('a', Millis(10)));
        assert!(!deadlines.set('a', Millis(20)));
        deadlines.set('b', Millis(15));
        assert_eq!(deadlines.due(Millis(15), 9), vec![(Millis(15), 'b')]);
        assert_eq!(deadlines.due(Millis(20), 1), vec![(Millis(15), 'b')]);
        deadlines.clear(&'b');
        assert_eq!(deadlines.due(Millis(20), 9), vec![(Millis(20), 'a')]);
    }
}
