//! What was said in a history that the store has lost: kept in the session as soon as the store takes it, in the order in which it
//! was said.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use uuid::Uuid;

use crate::log::StoredRecord;
use crate::model::{Body, LogId, LogKind, MessageKind, Position, SessionEvent};
use crate::runtime::Backoff;
use crate::session::{Lost, Said, Session, SessionInput};
use crate::telemetry::names;

use super::error::ShardError;
use super::machine::Machine as _;
use super::table::CoreTable;

/// Attempts to have one append kept; with [`AGAIN`] an hour or so.
const ATTEMPTS: u32 = 256;
/// Between two of them. The store has just come back, and may go again.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
/// Appends that one core has waiting to be kept. More than a ring of usual appends holds.
const WAITING: usize = 65_536;

/// The lost appends of one core that are not kept yet, by log, each in order. A log that stands here has one task at work on it.
#[derive(Debug, Default)]
pub(super) struct Stranded {
    logs: HashMap<LogId, VecDeque<Lost>>,
    waiting: usize,
}

/// What becomes of one more.
#[derive(Debug, PartialEq, Eq)]
enum Queued {
    /// Nobody works on its log yet.
    First,
    /// It is kept after those before it.
    Behind,
    /// There is no room.
    Full,
}

impl Stranded {
    fn push(&mut self, log: LogId, lost: Lost) -> Queued {
        if self.waiting >= WAITING {
            return Queued::Full;
        }
        self.waiting += 1;
        let queued = match self.logs.contains_key(&log) {
            true => Queued::Behind,
            false => Queued::First,
        };
        self.logs.entry(log).or_default().push_back(lost);
        queued
    }

    /// The next of a log. After `None` nobody works on it any more.
    fn next(&mut self, log: LogId) -> Option<Lost> {
        let next = self.logs.get_mut(&log).and_then(VecDeque::pop_front);
        match next {
            Some(_) => self.waiting -= 1,
            None => drop(self.logs.remove(&log)),
        }
        next
    }
}

/// How a session answered.
enum Answer {
    /// It has it.
    Kept,
    /// It cannot be asked now.
    Away,
    /// It never will.
    Refused(String),
}

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
        match self.stranded.borrow_mut().push(log, lost) {
            Queued::Behind => {}
            Queued::Full => {
                metrics::counter!(names::QUEUE_FULL, "queue" => "stranded").increment(1);
                tracing::error!(%log, after, "what redis lost could not be kept: too much of it waits");
            }
            Queued::First => {
                let core = Rc::clone(self);
                tokio::task::spawn_local(async move {
                    recover(&core.stranded, log, async |lost| {
                        core.ask_to_keep(log, lost).await
                    })
                    .await;
                });
            }
        }
    }

    async fn ask_to_keep(self: &Rc<Self>, log: LogId, lost: Lost) -> Answer {
        match self.ask::<Session>(log, SessionInput::Lost(lost), None).await {
            Ok(_) => Answer::Kept,
            Err(ShardError::Unavailable { .. }) => Answer::Away,
            Err(error) => Answer::Refused(format!("{error:?}")),
        }
    }
}

/// Has everything kept that a log has lost, one after the other: each is asked for until there is an answer.
async fn recover(stranded: &RefCell<Stranded>, log: LogId, ask: impl AsyncFn(Lost) -> Answer) {
    loop {
        let next = stranded.borrow_mut().next(log);
        let Some(lost) = next else { return };
        if let Err(error) = keep(&lost, &ask).await {
            tracing::error!(%log, after = lost.after, error, "what redis lost could not be kept");
        }
    }
}

async fn keep(lost: &Lost, ask: &impl AsyncFn(Lost) -> Answer) -> Result<(), String> {
    for attempt in 0..ATTEMPTS {
        match ask(lost.clone()).await {
            Answer::Kept => return Ok(()),
            Answer::Refused(error) => return Err(error),
            Answer::Away => {
                let random = Uuid::new_v4().as_u64_pair().0;
                tokio::time::sleep(AGAIN.delay(attempt, random)).await;
            }
        }
    }
    Err("the session cannot be reached".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Millis, Spread};

    fn log(of: u8) -> LogId {
        LogId::session(Millis(5), [of; 10], Spread::of(&[b"x"]))
    }

    fn lost(after: u64) -> Lost {
        Lost {
            cause: Uuid::from_u64_pair(0, after),
            after,
            said: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_session_lost_is_kept_in_its_order_however_often_the_store_goes_away() {
        let stranded = RefCell::new(Stranded::default());
        assert_eq!(stranded.borrow_mut().push(log(1), lost(1)), Queued::First);
        assert_eq!(stranded.borrow_mut().push(log(1), lost(2)), Queued::Behind);
        let asked = RefCell::new(Vec::new());
        let ask = async |lost: Lost| {
            asked.borrow_mut().push(lost.after);
            match asked.borrow().len() {
                // More is lost while the first is asked for.
                1 => assert_eq!(stranded.borrow_mut().push(log(1), self::lost(3)), Queued::Behind),
                2..=4 => {}
                5 => return Answer::Refused("never".to_owned()),
                _ => return Answer::Kept,
            }
            if asked.borrow().len() == 4 {
                Answer::Kept
            } else {
                Answer::Away
            }
        };
        recover(&stranded, log(1), ask).await;
        assert_eq!(*asked.borrow(), [1, 1, 1, 1, 2, 3]);
        assert_eq!(stranded.borrow().waiting, 0);
        assert_eq!(
            stranded.borrow_mut().push(log(1), lost(4)),
            Queued::First,
            "nobody is at work on it any more"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_cannot_be_reached_is_given_up() {
        let stranded = RefCell::new(Stranded::default());
        stranded.borrow_mut().push(log(1), lost(1));
        let asked = std::cell::Cell::new(0);
        let ask = async |_: Lost| {
            asked.set(asked.get() + 1);
            Answer::Away
        };
        recover(&stranded, log(1), ask).await;
        assert_eq!(asked.get(), ATTEMPTS);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut stranded = Stranded::default();
        for after in 0..WAITING {
            let of = u8::try_from(after % 5).unwrap();
            assert_ne!(stranded.push(log(of), lost(1)), Queued::Full);
        }
        assert_eq!(stranded.push(log(9), lost(1)), Queued::Full);
        assert!(stranded.next(log(0)).is_some());
        assert_eq!(stranded.push(log(9), lost(1)), Queued::First);
    }
}
