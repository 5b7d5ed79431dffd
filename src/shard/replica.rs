//! A replica: the state of a log up to a position, and the newest records.

use std::sync::Arc;

use crate::log::{StoredRecord, Tail};
use crate::model::{LogId, Millis, Position, Record};
use crate::protocol::dense::{Packer, Unfit};

use super::entry::Entry;
use super::folded::{Contents, Folded, Newest};
use super::machine::Machine;
use super::view::{Typing, View};

/// Droppable at any time; rebuilt from the log.
pub(super) struct Replica<M: Machine> {
    pub(super) state: Arc<M>,
    pub(super) top: Position,
    /// Time of the newest record: no later record is earlier.
    pub(super) time: Millis,
    /// Number of the newest snapshot; 0 before the first.
    pub(super) snapshot: u64,
    /// Whether a record was taken: the first one may have to bring the state along.
    begun: bool,
    /// Whether it was made small since the newest record.
    rests: bool,
    /// Most records in the tail.
    tail_max: u32,
    /// The newest records; absent where there are none, since most logs are at rest.
    tail: Option<Box<Newest<M::Event>>>,
    /// What it was folded, as long as nothing came since.
    folded: Option<Folded>,
}

/// Why a record did not fit onto a replica.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Known already.
    Old,
    /// Records between are missing.
    Gap,
    /// Another history.
    Fork,
    /// Cannot be read.
    Unreadable(String),
}

impl<M: Machine> Replica<M> {
    /// A log that does not exist yet.
    pub(super) fn empty(tail_max: u32) -> Self {
        Self {
            state: Arc::default(),
            top: Position::default(),
            time: Millis::default(),
            snapshot: 0,
            begun: false,
            rests: false,
            tail_max,
            tail: None,
            folded: None,
        }
    }

    /// Rebuilds from the newest snapshot on.
    pub(super) fn rebuild(tail: &Tail, tail_max: u32) -> Result<Self, Misfit> {
        let mut replica = Self {
            top: tail.base,
            ..Self::empty(tail_max)
        };
        for stored in &tail.records {
            replica.take(stored)?;
        }
        Ok(replica)
    }

    /// Takes the next record as the store gave it.
    pub(super) fn take(&mut self, stored: &StoredRecord) -> Result<(), Misfit> {
        if stored.n <= self.top.n {
            let same = stored.n < self.top.n || stored.hash == self.top.hash;
            return Err(if same { Misfit::Old } else { Misfit::Fork });
        }
        if stored.n > self.top.n + 1 {
            return Err(Misfit::Gap);
        }
        stored.verify(self.top).map_err(|_| Misfit::Fork)?;
        let record = M::decode(stored).map_err(Misfit::Unreadable)?;
        let begins = !self.begun && self.top.n > 0;
        if begins && M::restore(&record).is_none() {
            // What came before is not here: a state that begins with nothing would be another one.
            return Err(Misfit::Unreadable(format!(
                "record {} is where a rebuild begins, and holds no state that can be read",
                stored.n
            )));
        }
        self.push(Arc::new(Entry::new(stored.position(), record)));
        Ok(())
    }

    /// Takes the next record, which this node has just written: nothing of it need be checked or read.
    pub(super) fn take_own(&mut self, at: Position, record: Record<M::Event>) {
        self.push(Arc::new(Entry::new(at, record)));
    }

    /// Takes a record that is known to stand at `entry`'s position.
    fn push(&mut self, entry: Arc<Entry<M::Event>>) {
        if let Some(state) = M::restore(&entry.record) {
            self.snapshot = entry.n;
            // A snapshot is a function of what is before it: only a rebuild has nothing before it.
            if !self.begun {
                self.state = Arc::new(state);
            }
        } else {
            Arc::make_mut(&mut self.state).apply(entry.n, &entry.record);
        }
        self.keep(entry);
    }

    /// Takes records that this node decided, with the state they lead to.
    pub(super) fn install(&mut self, state: Arc<M>, entries: Vec<Arc<Entry<M::Event>>>) {
        self.state = state;
        for entry in entries {
            if M::restore(&entry.record).is_some() {
                self.snapshot = entry.n;
            }
            self.keep(entry);
        }
    }

    fn keep(&mut self, entry: Arc<Entry<M::Event>>) {
        self.begun = true;
        self.rests = false;
        self.folded = None;
        if M::erases(&entry.record.event) {
            self.tail = None;
        }
        if M::renumbers(&entry.record.event) {
            // Without the encodings made so far.
            for kept in self.tail.iter_mut().flat_map(|tail| tail.iter_mut()) {
                *kept = Arc::new(Entry::new(kept.position(), kept.record.clone()));
            }
        }
        self.top = entry.position();
        self.time = self.time.max(entry.record.at);
        let tail = self.tail.get_or_insert_default();
        tail.push_back(entry);
        while tail.len() > self.tail_max as usize {
            tail.pop_front();
        }
    }

    /// Whether it is as small as it can be.
    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    /// Lets go of what only the busy need: how records are told to sockets, and the records themselves where whoever still wants them
    /// reads them from the store. Says whether it did the latter.
    pub(super) fn rest(&mut self) -> bool {
        self.rests = true;
        if !M::KEEPS_RECORDS {
            return self.tail.take().is_some();
        }
        if let Some(tail) = &mut self.tail {
            tail.shrink_to_fit();
            tail.iter().for_each(|entry| entry.forget_wires());
        }
        false
    }

    /// Whether it is worth folding, as soon as it rests.
    pub(super) fn can_fold(&self) -> bool {
        M::KEEPS_RECORDS && self.begun
    }

    /// All of it in one block of bytes; `None` where it has to stay as it is.
    pub(super) fn fold(&self, packer: &mut Packer) -> Option<Folded> {
        let contents = || Contents::<M> {
            top: self.top,
            time: self.time,
            snapshot: self.snapshot,
            tail_max: self.tail_max,
            state: Arc::clone(&self.state),
            tail: self.tail.as_deref().cloned().unwrap_or_default(),
        };
        self.folded.clone().or_else(|| Folded::of(&contents(), packer))
    }

    /// The replica that was folded.
    ///
    /// # Errors
    /// [`Unfit`]: it is none, and has to be read again.
    pub(super) fn unfold(folded: &Folded) -> Result<Self, Unfit> {
        let contents = folded.open::<M>()?;
        Ok(Self {
            state: contents.state,
            top: contents.top,
            time: contents.time,
            snapshot: contents.snapshot,
            begun: true,
            rests: false,
            tail_max: contents.tail_max,
            tail: Some(Box::new(contents.tail)),
            folded: Some(folded.clone()),
        })
    }

    /// The record with number `n`, if it is still in memory.
    pub(super) fn entry(&self, n: u64) -> Option<&Arc<Entry<M::Event>>> {
        let tail = self.tail.as_ref()?;
        let oldest = tail.front()?.n;
        tail.get(usize::try_from(n.checked_sub(oldest)?).ok()?)
    }

    pub(super) fn view(&self, log: LogId, signals: &[Typing]) -> View<M> {
        View {
            log,
            top: self.top,
            state: Arc::clone(&self.state),
            tail: self.tail.iter().flat_map(|tail| tail.iter().cloned()).collect(),
            signals: signals.into(),
        }
    }

    /// A snapshot record, when it is time for one.
    pub(super) fn due_snapshot(
        &self,
        state: &M,
        top: u64,
        every: u64,
        at: Millis,
    ) -> Option<Record<M::Event>> {
        (top - self.snapshot >= every).then(|| state.snapshot(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::StoredBody;
    use crate::model::Body;
    use crate::session::{Desk, Session};
    use crate::shard::Wire;

    fn stored<M: Machine>(base: Position, body: StoredBody) -> Tail {
        let mut record = Machine::snapshot(&M::default(), Millis(1));
        record.body = match &body {
            StoredBody::Present(bytes) => Body::Present(bytes.clone()),
            StoredBody::None | StoredBody::Erased => Body::text("erased since"),
        };
        let new = M::encode(&record);
        let at = base.then(&new.digest);
        let records = vec![StoredRecord {
            n: at.n,
            hash: at.hash,
            digest: new.digest,
            envelope: new.envelope,
            body,
        }];
        Tail { base, records }
    }

    #[test]
    fn a_rebuild_begins_with_a_state_or_not_at_all() {
        let base = Position {
            n: 7,
            ..Position::default()
        };
        let state = Machine::snapshot(&Session::default(), Millis(1)).body;
        let whole = stored::<Session>(
            base,
            StoredBody::Present(state.bytes().cloned().unwrap_or_default()),
        );
        assert_eq!(
            Replica::<Session>::rebuild(&whole, 8)
                .map(|replica| replica.top.n)
                .ok(),
            Some(8)
        );
        for body in [StoredBody::Present("{}".into()), StoredBody::Erased] {
            let rebuilt = Replica::<Session>::rebuild(&stored::<Session>(base, body), 8);
            assert!(matches!(rebuilt, Err(Misfit::Unreadable(_))));
        }
    }

    fn begun<M: Machine>() -> Replica<M> {
        let state = Machine::snapshot(&M::default(), Millis(1)).body;
        let body = StoredBody::Present(state.bytes().cloned().unwrap_or_default());
        let first = stored::<M>(Position::default(), body);
        Replica::rebuild(&first, 8).ok().unwrap()
    }

    #[test]
    fn a_replica_that_let_go_of_its_records_takes_the_next_one() {
        let mut replica = begun::<Desk>();
        assert!(replica.rest() && replica.rests() && replica.tail.is_none());
        // A snapshot that cannot be read is no beginning, but it is no obstacle either once the state is here.
        let next = stored::<Desk>(replica.top, StoredBody::Erased);
        assert_eq!(replica.take(&next.records[0]), Ok(()));
        assert_eq!(
            (replica.top.n, replica.rests(), replica.tail.is_some()),
            (2, false, true)
        );
    }

    #[test]
    fn a_session_at_rest_keeps_its_records_and_not_how_they_are_told() {
        let mut replica = begun::<Session>();
        let entry = Arc::clone(replica.entry(1).unwrap());
        assert_eq!(entry.wire(Wire::Widget, || "told".into()), "told");
        assert!(!replica.rest() && replica.rests());
        assert!(Arc::ptr_eq(&entry, replica.entry(1).unwrap()));
        assert_eq!(entry.wire(Wire::Widget, || "told again".into()), "told again");
    }
}
