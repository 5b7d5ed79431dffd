//! Keys of TLS session tickets: shared by all nodes through provisioning, so that a session resumes on any of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::model::Millis;
use crate::net::tls::{TicketKey, TicketKeys};
use crate::provisioning::{SigningKey, SigningPurpose, Snapshots};
use crate::runtime::clock::Clock;

/// A key that was provisioned ahead becomes the current one by time alone.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The keys as they are provisioned now.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn provisioned(snapshots: &Snapshots, clock: &Clock) -> Result<Arc<TicketKeys>> {
    let keys = TicketKeys::random()?;
    take(&keys, snapshots, clock);
    Ok(keys)
}

/// Follows the rotation of the keys, for ever.
pub(super) async fn follow(keys: Arc<TicketKeys>, snapshots: Snapshots, clock: Clock) {
    let mut changes = snapshots.watch();
    loop {
        // Whether something changed or only time passed: both are looked at in the same way.
        if let Ok(Err(_)) = tokio::time::timeout(LOOK_EVERY, changes.changed()).await {
            return;
        }
        take(&keys, &snapshots, &clock);
    }
}

fn take(keys: &TicketKeys, snapshots: &Snapshots, clock: &Clock) {
    let snapshot = snapshots.load();
    let ring = snapshot.signing_keys(SigningPurpose::TlsTicket);
    let current = ring.current(Millis(clock.wall_ms()));
    let previous = ring.iter().skip_while(|key| key.id != current.id).nth(1);
    keys.set(Some(ticket_key(current)), previous.map(ticket_key));
}

fn ticket_key(key: &SigningKey) -> TicketKey {
    TicketKey::new(u128::from(key.id).to_be_bytes(), key.secret())
}
