//! How many webhooks of a tenant may hear of one thing. The append that opens or ends a session holds an effect for each, and no more than so
//! many: one that would be left out is refused when it is written, not dropped when it should hear.
//!
//! Who writes is told by what this node has seen, with the reason; the store judges once more within its transaction, for another
//! node may write at the same moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::objects::{Kind, Problems, Webhook};
use super::row::ObjectId;
use super::snapshot::Snapshot;
use super::store::{Change, Clash};
use crate::model::TenantId;

/// What can be heard of: an event of a medium.
const HEARD: [(&str, &str); 4] = [
    ("STARTED", "chat"),
    ("STARTED", "email"),
    ("FINISHED", "chat"),
    ("FINISHED", "email"),
];

/// Judges webhooks that are about to be written: their ids and bodies.
///
/// # Errors
/// More would hear of one event of one medium than can, and more than do now. A tenant that has too many may still change and remove them.
pub(super) fn webhooks<'w>(
    snapshot: &Snapshot,
    tenant: TenantId,
    written: impl IntoIterator<Item = (&'w ObjectId, &'w Value)>,
) -> Result<(), Problems> {
    let before: BTreeMap<ObjectId, Webhook> = snapshot
        .all::<Webhook>(tenant)
        .map(|hook| (hook.id.clone(), hook.value.clone()))
        .collect();
    let mut after = before.clone();
    for (id, body) in written {
        if let Ok(hook) = serde_json::from_value(body.clone()) {
            after.insert(id.clone(), hook);
        }
    }
    let mut problems = Problems::default();
    for (event, medium) in overcrowded(before.values(), after.values()) {
        let most = Webhook::MOST;
        let why = format!("at most {most} webhooks of a tenant hear of {event} of {medium}");
        problems.bad("events", why);
    }
    problems.into_result()
}

/// The tenants whose webhooks these changes write: a store looks at all webhooks of each before and after.
pub(super) fn judged(changes: &[Change]) -> BTreeSet<TenantId> {
    let written = changes.iter().filter_map(|change| match change {
        Change::Put { row, .. } if row.kind == Kind::Webhook => Some(row.tenant),
        _ => None,
    });
    written.collect()
}

/// Judges what a store holds of one tenant within a transaction: the bodies of its webhooks before and after.
///
/// # Errors
/// [`Clash::Crowded`].
pub(super) fn settle<'w>(
    before: impl IntoIterator<Item = &'w Value>,
    after: impl IntoIterator<Item = &'w Value>,
) -> Result<(), Clash> {
    let read = |bodies: &mut dyn Iterator<Item = &'w Value>| -> Vec<Webhook> {
        bodies
            .filter_map(|body| serde_json::from_value(body.clone()).ok())
            .collect()
    };
    let (before, after) = (read(&mut before.into_iter()), read(&mut after.into_iter()));
    let crowded = overcrowded(before.iter(), after.iter()).next().is_some();
    if crowded { Err(Clash::Crowded) } else { Ok(()) }
}

/// What more would hear of than can, and more than did.
fn overcrowded<'w>(
    before: impl Iterator<Item = &'w Webhook> + Clone,
    after: impl Iterator<Item = &'w Webhook> + Clone,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    HEARD.into_iter().filter(move |(event, medium)| {
        let were = before.clone().filter(|hook| hook.hears(event, medium)).count();
        let are = after.clone().filter(|hook| hook.hears(event, medium)).count();
        are > Webhook::MOST && are > were
    })
}
