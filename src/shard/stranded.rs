//! What was said in a history that the store has lost.

use std::rc::Rc;

use uuid::Uuid;

use crate::log::StoredRecord;
use crate::model::{Body, LogId, LogKind, MessageKind, Position, SessionEvent};
use crate::session::{Lost, Said, Session, SessionInput};

use super::machine::Machine as _;
use super::table::CoreTable;

impl CoreTable {
    /// Asks the session to keep what was said in an append that has no place any more. Desks and feeds are decided anew by what
    /// their sessions and batches say.
    pub(super) fn keep_stranded(self: &Rc<Self>, log: LogId, after: u64, records: &[StoredRecord]) {
        let Some(last) = records.last().filter(|_| log.kind() == LogKind::Session) else {
            return;
        };
        let lost = Lost {
            cause: cause(last.position()),
            after,
            said: records.iter().filter_map(said).collect(),
        };
        self.tell::<Session>(log, SessionInput::Lost(lost));
    }
}

/// The same for everybody who tells of the same append.
fn cause(at: Position) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&at.hash.0);
    bytes[8..].copy_from_slice(&at.n.to_be_bytes());
    Uuid::new_v8(bytes)
}

fn said(stored: &StoredRecord) -> Option<Said> {
    let record = Session::decode(stored).ok()?;
    let (from, visibility) = match record.event {
        SessionEvent::Message {
            from,
            kind: MessageKind::Text,
            visibility,
            ..
        }
        | SessionEvent::Recovered { from, visibility } => (from, visibility),
        _ => return None,
    };
    let Body::Present(text) = record.body else {
        return None;
    };
    Some(Said {
        from,
        visibility,
        text,
    })
}
