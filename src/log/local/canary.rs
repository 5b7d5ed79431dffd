//! A probe that takes the path of a real append.

use bytes::Bytes;

use crate::log::append::{Answer, Append, Basis, NewRecord};
use crate::log::error::LogError;
use crate::log::store::Log;
use crate::model::{Digest, LogId, Position, TenantId};

/// The canary's log is nobody's: it belongs to the tenant whose id is all zero.
const NAME: &str = "canary";
const EXPIRE_MS: u64 = 60_000;
/// Other cores and nodes have canaries too; losing a race to one proves as much as winning it.
const ROUNDS: usize = 8;

/// Appends to the canary's log on its top, reads the record back and trims what came before.
///
/// # Errors
/// Whatever the store fails with; [`LogError::Corrupt`] if it gives back something else than was written.
pub async fn canary(log: &dyn Log) -> Result<(), LogError> {
    let id = LogId::feed(TenantId(uuid::Uuid::nil()), NAME);
    let mut position = log
        .tail(id)
        .await?
        .and_then(|tail| tail.records.last().map(|record| record.position()))
        .unwrap_or_default();
    for _ in 0..ROUNDS {
        let envelope = Bytes::from_static(NAME.as_bytes());
        let append = Append {
            log: id,
            basis: Basis::Decided(position),
            records: vec![NewRecord {
                digest: Digest::of(&[&envelope]),
                envelope,
                body: None,
                snapshot: true,
            }],
            key: None,
            guard: None,
            effects: Vec::new(),
            timers: Vec::new(),
            indexes: Vec::new(),
            expire_ms: EXPIRE_MS,
            closes: false,
        };
        match log.append(append).await? {
            Answer::Appended { first, .. } => return read_back(log, id, first, position).await,
            Answer::Refused { top } => position = top,
            other => {
                return Err(LogError::Corrupt {
                    reason: format!("a canary was answered {other:?}"),
                });
            }
        }
    }
    Ok(())
}

async fn read_back(log: &dyn Log, id: LogId, n: u64, before: Position) -> Result<(), LogError> {
    let page = log.read_forward(id, n, 1).await?;
    match page.as_ref().and_then(|page| page.records.first()) {
        Some(record) if record.n == n => record.verify(before)?,
        // Another canary has trimmed it by now, and what is read instead may be that one's.
        Some(_) | None if page.as_ref().is_some_and(|page| page.oldest > n) => {}
        Some(_) | None => {
            return Err(LogError::Corrupt {
                reason: format!("canary {n} cannot be read back"),
            });
        }
    }
    log.trim(id, n).await
}
