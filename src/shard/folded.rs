//! A log at rest as one block of bytes.
//!
//! The records one after another, each in few bytes, and the state only where they do not lead to it: a state is a function of the
//! records. All of that is packed; where the log stands is in front of it, so that nobody has to open it for that. It never leaves the
//! process.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::Error as _;
use uuid::Uuid;

use crate::model::{Body, ChainHash, LogId, Millis, Position, Record};
use crate::protocol::dense::{Packer, Reader, Unfit, Writer, unpack};

use super::entry::Entry;
use super::machine::Machine;
use super::view::View;

/// The newest records of a log.
pub(super) type Newest<E> = VecDeque<Arc<Entry<E>>>;

/// A log up to a position, put away. Cheap to clone: whoever has it on this node shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded(Arc<[u8]>);

/// What is in it.
pub(super) struct Contents<M: Machine> {
    pub(super) top: Position,
    pub(super) time: Millis,
    pub(super) snapshot: u64,
    /// Most records it keeps.
    pub(super) tail_max: u32,
    pub(super) state: Arc<M>,
    /// Without a hole up to `top`.
    pub(super) tail: Newest<M::Event>,
}

/// What a record has beside its event.
const PRESENT: u8 = 1;
const ERASED: u8 = 2;
const CAUSE: u8 = 4;

impl Folded {
    /// Folds it; `None` where that is not possible, and it stays as it is.
    pub(super) fn of<M: Machine>(log: &Contents<M>, packer: &mut Packer) -> Option<Self> {
        let mut inner = Writer::default();
        write(&mut inner, log).ok()?;
        let inner = inner.finish();
        let mut outer = Writer::default();
        outer.number(log.top.n);
        outer.raw(&log.top.hash.0);
        match packer.pack(&inner) {
            Some(packed) => {
                outer.number(inner.len() as u64);
                outer.raw(&packed);
            }
            None => {
                outer.number(0);
                outer.raw(&inner);
            }
        }
        Some(Self(outer.finish().into()))
    }

    /// Up to where.
    pub(super) fn top(&self) -> Position {
        top(&mut Reader::new(&self.0)).unwrap_or_default()
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Unfit`], which would be a defect here: whoever has it drops it.
    pub(super) fn open<M: Machine>(&self) -> Result<Contents<M>, Unfit> {
        let mut outer = Reader::new(&self.0);
        let top = top(&mut outer)?;
        let length = usize::try_from(outer.number()?).map_err(Unfit::custom)?;
        if length == 0 {
            read(top, &mut outer)
        } else {
            let inner = unpack(outer.rest(), length)?;
            read(top, &mut Reader::new(&inner))
        }
    }

    /// What a reader of `log` sees, whom nobody has signalled to for a while.
    pub(super) fn view<M: Machine>(&self, log: LogId) -> Result<View<M>, Unfit> {
        let contents = self.open()?;
        Ok(View {
            log,
            top: contents.top,
            state: contents.state,
            tail: contents.tail.into_iter().collect(),
            signals: Box::default(),
        })
    }
}

fn write<M: Machine>(writer: &mut Writer, log: &Contents<M>) -> Result<(), Unfit> {
    writer.number(log.time.0);
    writer.number(log.snapshot);
    writer.number(log.tail_max.into());
    writer.value(&beginning::<M>(&log.tail).is_none().then_some(&*log.state))?;
    writer.number(log.tail.len() as u64);
    let mut before = log.time;
    for entry in &log.tail {
        let Record {
            at,
            cause,
            event,
            body,
        } = &entry.record;
        let beside = match body {
            Body::None => 0,
            Body::Present(_) => PRESENT,
            Body::Erased => ERASED,
        };
        writer.number((beside | cause.map_or(0, |_| CAUSE)).into());
        // Most follow each other closely; zigzag, because a clock may go back.
        let later = at.0.wrapping_sub(before.0).cast_signed();
        writer.number(((later << 1) ^ (later >> 63)).cast_unsigned());
        before = *at;
        if entry.n != log.top.n {
            writer.raw(&entry.hash.0);
        }
        if let Some(cause) = cause {
            writer.value(cause)?;
        }
        writer.value(event)?;
        if let Body::Present(bytes) = body {
            writer.block(bytes);
        }
    }
    Ok(())
}

fn top(reader: &mut Reader<'_>) -> Result<Position, Unfit> {
    Ok(Position {
        n: reader.number()?,
        hash: ChainHash(reader.array()?),
    })
}

fn read<M: Machine>(top: Position, reader: &mut Reader<'_>) -> Result<Contents<M>, Unfit> {
    let time = Millis(reader.number()?);
    let snapshot = reader.number()?;
    let tail_max = u32::try_from(reader.number()?).map_err(Unfit::custom)?;
    let state = reader.value::<Option<M>>()?;
    let records = reader.number()?;
    let mut tail = Newest::with_capacity(usize::try_from(records).unwrap_or(0));
    let mut before = time;
    for below in (0..records).rev() {
        let beside = reader.number()?;
        let later = reader.number()?;
        let later = (later >> 1).cast_signed() ^ -(later & 1).cast_signed();
        let at = Millis(before.0.wrapping_add_signed(later));
        before = at;
        let hash = if below == 0 {
            top.hash
        } else {
            ChainHash(reader.array()?)
        };
        let has = |what: u8| beside & u64::from(what) != 0;
        let cause = has(CAUSE).then(|| reader.value::<Uuid>()).transpose()?;
        let event = reader.value::<M::Event>()?;
        let body = if has(PRESENT) {
            Body::Present(Bytes::copy_from_slice(reader.block()?))
        } else if has(ERASED) {
            Body::Erased
        } else {
            Body::None
        };
        let position = Position {
            n: top.n.saturating_sub(below),
            hash,
        };
        let record = Record {
            at,
            cause,
            event,
            body,
        };
        tail.push_back(Arc::new(Entry::new(position, record)));
    }
    Ok(Contents {
        top,
        time,
        snapshot,
        tail_max,
        state: Arc::new(state.unwrap_or_else(|| state_after::<M>(&tail))),
        tail,
    })
}

/// A state that these records begin with, and the number of the record it was before; `None` where they begin in the middle of
/// something.
fn beginning<M: Machine>(tail: &Newest<M::Event>) -> Option<(M, u64)> {
    let first = tail.front()?;
    if first.n == 1 && M::restore(&first.record).is_none() {
        return Some((M::default(), 1));
    }
    tail.iter()
        .find_map(|entry| M::restore(&entry.record).map(|state| (state, entry.n + 1)))
}

/// The state that these records lead to. A snapshot is a function of what is before it: only the first says anything new.
fn state_after<M: Machine>(tail: &Newest<M::Event>) -> M {
    let (mut state, from) = beginning::<M>(tail).unwrap_or_default();
    for entry in tail.iter().filter(|entry| entry.n >= from) {
        if M::restore(&entry.record).is_none() {
            state.apply(entry.n, &entry.record);
        }
    }
    state
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests;
