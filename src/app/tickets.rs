//! Keys of TLS session tickets: shared by all nodes through provisioning, so that a session resumes on any of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::model::Millis;
use crate::net::tls::{TicketKey, TicketKeys};
use crate::provisioning::{SigningKey, SigningPurpose, Snapshots};
use crate::runtime::clock::Clock;

/// How often keys are looked at if nothing happens.
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
        let wait = take(&keys, &snapshots, &clock);
        // Whether something changed or only time passed: both are looked at in the same way.
        if let Ok(Err(_)) = tokio::time::timeout(wait, changes.changed()).await {
            return;
        }
    }
}

/// Gives how long it holds: a key that was provisioned ahead becomes the current one by time alone, on every node in the same
/// moment as far as their clocks agree.
fn take(keys: &TicketKeys, snapshots: &Snapshots, clock: &Clock) -> Duration {
    let snapshot = snapshots.load();
    let ring = snapshot.signing_keys(SigningPurpose::TlsTicket);
    let now = Millis(clock.wall_ms());
    let current = ring.current(now);
    let previous = ring.iter().skip_while(|key| key.id != current.id).nth(1);
    // Newest first: those before the current one are yet to come.
    let next = ring.iter().take_while(|key| key.id != current.id).last();
    keys.set(
        ticket_key(current),
        previous.into_iter().chain(next).map(ticket_key),
    );
    next.map_or(LOOK_EVERY, |next| {
        let ahead = next.active_from.since(now).max(1);
        LOOK_EVERY.min(Duration::from_millis(ahead))
    })
}

fn ticket_key(key: &SigningKey) -> TicketKey {
    TicketKey::new(u128::from(key.id).to_be_bytes(), key.secret())
}
