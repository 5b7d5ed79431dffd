//! The record a delivery is about, as it stands in its session.

use std::sync::Arc;
use std::time::Duration;

use crate::log::EffectId;
use crate::model::SessionEvent;
use crate::shard::{Entry, SessionView, ShardError, Shards, Verdict};

/// When a session could not be read, the attempt is made again after this.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// A session and one of its records.
pub struct About {
    /// The session's newest picture.
    pub view: Arc<SessionView>,
    /// The record.
    pub entry: Arc<Entry<SessionEvent>>,
}

/// The session an effect is of.
///
/// # Errors
/// The verdict when it cannot be had: later when the store is away, never when the session is gone.
pub async fn session(shards: &Shards, id: EffectId) -> Result<Arc<SessionView>, Verdict> {
    shards.session_view(id.log).await.map_err(unread)
}

/// The session an effect is of, and its record with number `n`.
///
/// # Errors
/// As [`session`].
pub async fn record(shards: &Shards, id: EffectId, n: u64) -> Result<About, Verdict> {
    let view = session(shards, id).await?;
    let held = n
        .checked_sub(view.oldest())
        .and_then(|at| usize::try_from(at).ok());
    let held = held.and_then(|at| view.tail.get(at)).cloned();
    let entry = match held {
        Some(entry) => Some(entry),
        None => {
            let page = shards.session_page(id.log, n, 1).await.map_err(unread)?;
            page.into_iter().find(|entry| entry.n == n)
        }
    };
    match entry {
        Some(entry) => Ok(About { view, entry }),
        None => Err(Verdict::Dead("the record is gone".to_owned())),
    }
}

/// What becomes of an attempt whose session could not be read.
#[must_use]
pub fn unread(error: ShardError<()>) -> Verdict {
    match error {
        ShardError::NoSuchLog | ShardError::Rejected(()) => Verdict::Dead("the session is gone".to_owned()),
        ShardError::Unreadable { .. } => Verdict::Dead("the session cannot be read".to_owned()),
        _ => Verdict::Spared(READ_AGAIN),
    }
}
