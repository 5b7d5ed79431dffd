//! From provisioning to the connections of a new session.

use crate::model::{Links, Media, TenantId};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Bot, Endpoint, Webhook};

/// Who outside is told of a session of this medium that comes in by this endpoint. Settled for its life: a webhook added later
/// hears of later sessions.
#[must_use]
pub fn links(
    snapshot: &Snapshot,
    tenant: TenantId,
    endpoint: &Endpoint,
    media: Media,
    channel: Option<String>,
) -> Links {
    // Secure mail, and chat with everything like it.
    let medium = if media == Media::Email { "email" } else { "chat" };
    let hooks = |event: &str| {
        let mut ids: Vec<String> = snapshot
            .all::<Webhook>(tenant)
            .filter(|hook| hook.value.is_proved() && hook.value.hears(event, medium))
            .map(|hook| hook.id.to_string())
            .collect();
        ids.sort_unstable();
        if ids.len() > Webhook::MOST {
            // No store takes so many; one written by an older release may hold them.
            tracing::warn!(tenant = %tenant, event, webhooks = ids.len(), "more webhooks than can be told");
            ids.truncate(Webhook::MOST);
        }
        ids
    };
    let bot = endpoint.bot.as_deref().filter(|name| {
        snapshot
            .named::<Bot>(tenant, name)
            .is_some_and(|bot| bot.value.enabled)
    });
    Links {
        channel,
        started: hooks("STARTED"),
        finished: hooks("FINISHED"),
        history: snapshot
            .tenant(tenant)
            .is_some_and(|tenant| tenant.value.ucs_url.is_some()),
        archive: true,
        bot: bot.map(str::to_owned),
    }
}
