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
    let hooks = |event: &str| {
        let mut ids: Vec<String> = snapshot
            .all::<Webhook>(tenant)
            .filter(|hook| hook.value.enabled && hook.value.is_proved() && hears(&hook.value, event, media))
            .map(|hook| hook.id.to_string())
            .collect();
        ids.sort_unstable();
        ids.truncate(HOOKS_MAX);
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

/// Webhooks that hear of one session; an append holds so many effects and no more.
const HOOKS_MAX: usize = 16;

/// Contract section 12 knows two media: secure mail, and chat with everything like it.
fn hears(hook: &Webhook, event: &str, media: Media) -> bool {
    let named = if media == Media::Email { "email" } else { "chat" };
    hook.events.iter().any(|wanted| wanted == event)
        && (hook.media_types.is_empty() || hook.media_types.iter().any(|wanted| wanted == named))
}
