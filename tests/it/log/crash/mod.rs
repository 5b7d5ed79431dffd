//! What the embedded store keeps when the process is killed, the power fails or the disk is full.

mod dice;
mod disk;
mod full;
mod kill;
mod power;

use std::collections::BTreeMap;
use std::time::Duration;

use nexus::log::Log;
use nexus::log::embedded::EmbeddedOptions;
use nexus::model::{LogId, TenantId};
use nexus::runtime::Clock;
use uuid::Uuid;

use super::suite::given::{numbers, tail, text};

/// What was acknowledged: the text that must stand at each number of each log.
type Acknowledged = BTreeMap<(LogId, u64), String>;

/// The logs that the tests write to, whichever process asks.
fn logs(count: usize) -> Vec<LogId> {
    let tenant = TenantId(Uuid::from_u128(1));
    (0..count).map(|i| LogId::feed(tenant, &i.to_string())).collect()
}

fn options(clock: Clock) -> EmbeddedOptions {
    EmbeddedOptions {
        partitions: 4,
        clock,
        cache_bytes: 1024 * 1024,
        readers: 1,
        call_timeout: Duration::from_secs(60),
        ..EmbeddedOptions::default()
    }
}

/// Nothing acknowledged is lost or stands elsewhere, no text stands twice, no number is missing, the chain is whole.
async fn verify(log: &dyn Log, ids: &[LogId], acknowledged: &Acknowledged) {
    let mut found = BTreeMap::new();
    for id in ids {
        if log.tail(*id).await.unwrap().is_none() {
            continue;
        }
        let tail = tail(log, *id).await;
        let count = tail.records.len() as u64;
        assert_eq!(numbers(&tail.records), (1..=count).collect::<Vec<_>>());
        found.extend(tail.records.iter().map(|record| ((*id, record.n), text(record))));
    }
    for (place, expected) in acknowledged {
        assert_eq!(found.get(place), Some(expected), "{place:?} was acknowledged");
    }
    let mut texts: Vec<&String> = found.values().collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), found.len(), "no text stands twice");
}
