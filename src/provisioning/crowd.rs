//! How many webhooks of a tenant may hear of one thing. The append that opens or ends a session holds an effect for each, and no more than so
//! many: one that would be left out is refused when it is written, not dropped when it should hear.

use std::collections::BTreeMap;

use serde_json::Value;

use super::objects::{Problems, Webhook};
use super::row::ObjectId;
use super::snapshot::Snapshot;
use crate::model::TenantId;

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
    for event in ["STARTED", "FINISHED"] {
        for medium in ["chat", "email"] {
            let hear = |hooks: &BTreeMap<ObjectId, Webhook>| {
                hooks.values().filter(|hook| hook.hears(event, medium)).count()
            };
            let (were, are) = (hear(&before), hear(&after));
            if are > Webhook::MOST && are > were {
                let most = Webhook::MOST;
                let why = format!("at most {most} webhooks of a tenant hear of {event} of {medium}");
                problems.bad("events", why);
            }
        }
    }
    problems.into_result()
}
