//! What was said in a history that the store has lost.

use std::rc::Rc;
use std::time::Duration;

use uuid::Uuid;

use crate::log::StoredRecord;
use crate::model::{Body, LogId, LogKind, MessageKind, Position, SessionEvent};
use crate::runtime::Backoff;
use crate::session::{Lost, Said, Session, SessionInput};

use super::error::ShardError;
use super::machine::Machine as _;
use super::table::CoreTable;

/// Attempts to have it kept; with [`AGAIN`] an hour or so.
const ATTEMPTS: u32 = 256;
/// Between two of them. The store has just come back, and may go again.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));

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
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move { core.recover(log, lost).await });
    }

    /// Asks until there is an answer.
    async fn recover(self: &Rc<Self>, log: LogId, lost: Lost) {
        for attempt in 0..ATTEMPTS {
            match self
                .ask::<Session>(log, SessionInput::Lost(lost.clone()), None)
                .await
            {
                Ok(_) => return,
                Err(ShardError::Unavailable { .. }) => {
                    let random = Uuid::new_v4().as_u64_pair().0;
                    tokio::time::sleep(AGAIN.delay(attempt, random)).await;
                }
                Err(error) => {
                    return tracing::error!(%log, ?error, "what redis lost could not be kept");
                }
            }
        }
        tracing::error!(%log, "what redis lost could not be kept: the session cannot be reached");
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
