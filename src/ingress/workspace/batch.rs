//! One write: its frames, and how the records of a session become some of them.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{AgentId, LogId, SessionEvent};
use crate::protocol::agent::Interaction;
use crate::session::{Session, visible_to_agent};
use crate::shard::{Entry, SessionView};

use super::frames::{change_frame, message_frame};
use super::picture;
use super::telling::{self, Telling};

/// The most bytes of one write, give or take one frame.
const MOST_BYTES: usize = 16 * 1024;

/// Frames of one write.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push(frame);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }
}

type Told = Arc<Entry<SessionEvent>>;

/// Frames for `records` until the batch is full; how many were dealt with. The last change carries the state, unless one of
/// `more`, which will be told later, is newer.
pub(super) fn tell(
    log: LogId,
    view: &SessionView,
    me: &AgentId,
    (records, more): (&[Told], &[Told]),
    state: Option<impl Fn() -> Interaction>,
    batch: &mut Batch,
) -> usize {
    let sight = picture::sight(&view.state, me);
    let session: &Session = &view.state;
    let telling = |entry: &Entry<SessionEvent>| match telling::of_session(&entry.record.event) {
        told if visible_to_agent(session, &entry.record, sight) => told,
        _ => Telling::Hidden,
    };
    let is_change = |entry: &Entry<SessionEvent>| {
        matches!(telling(entry), Telling::Change(..) | Telling::ChangeWithLine(..))
    };
    let last_told = records.last().map_or(0, |entry| entry.n);
    let later = more
        .iter()
        .rev()
        .take_while(|entry| entry.n > last_told)
        .any(|entry| is_change(entry));
    let carrier = records
        .iter()
        .rposition(|entry| is_change(entry))
        .filter(|_| !later);
    for (index, entry) in records.iter().enumerate() {
        if batch.is_full() {
            return index;
        }
        let (change, with_line) = match telling(entry) {
            Telling::Hidden => continue,
            Telling::Message => {
                batch.push(message_frame(log, session, entry));
                continue;
            }
            Telling::Change(kind, name) => ((kind, name), false),
            Telling::ChangeWithLine(kind, name) => ((kind, name), true),
        };
        let state = state
            .as_ref()
            .filter(|_| carrier == Some(index))
            .map(|state| state());
        batch.push(change_frame(
            log,
            session,
            entry,
            change,
            with_line,
            state.as_ref(),
        ));
    }
    records.len()
}
