//! What cores ask of the committer, and how they hear back.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::log::append::{Answer, Append, PeerKey};
use crate::log::effects::{EffectId, Leased};
use crate::log::error::LogError;
use crate::log::outbound::Referred;
use crate::model::{LogId, MatchOp, Millis, TenantId};

/// A write. Those without a reply are written behind.
pub(super) enum Request {
    Append(Box<Append>, Reply<Answer>),
    Erase(LogId, Vec<u64>, Reply<()>),
    Trim(LogId, u64, Reply<()>),
    Lease {
        partition: u16,
        limit: usize,
        lease_ms: u64,
        reply: Reply<Vec<Leased>>,
    },
    Complete(EffectId, String, Reply<()>),
    Claim(EffectId, String, u64, Reply<bool>),
    Retry(EffectId, String, u64, Reply<()>),
    Bury {
        id: EffectId,
        lane: String,
        tenant: TenantId,
        reason: String,
        reply: Reply<()>,
    },
    Replay(TenantId, EffectId, Reply<bool>),
    Discard(TenantId, EffectId, Reply<bool>),
    Refer(Bytes, Referred, u64, Reply<()>),
    OptOut(u16, PeerKey, bool, Reply<()>),
    Spend([u8; 16], u64, Reply<bool>),
    /// Logs that had no liveness deadline and now have one of this term.
    Revive(Vec<LogId>, u64),
    /// A write to the matching tables that was news.
    Match(TenantId, MatchOp, Millis),
    /// Commit what waits, close the database, end.
    Stop(Reply<()>),
}

/// Where the answer goes; whoever waited may have left.
pub(super) struct Reply<T>(oneshot::Sender<Result<T, LogError>>);

impl<T> Reply<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<Result<T, LogError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    pub(super) fn send(self, answer: Result<T, LogError>) {
        // Nobody waits any more: the outcome stands, and the caller reads back.
        let _ = self.0.send(answer);
    }
}

impl Request {
    /// Bytes it adds to its group.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Append(append, _) => append
                .records
                .iter()
                .map(|record| record.envelope.len() + record.body.as_ref().map_or(0, |body| body.len()))
                .sum(),
            _ => 0,
        }
    }
}
