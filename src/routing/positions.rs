//! What a waiting customer is told: where they stand, and about how long it will take.

use std::time::Duration;

use crate::model::LogId;
use crate::provisioning::Snapshots;
use crate::provisioning::objects::MessageTemplate;
use crate::session::{Phase, SessionInput};
use crate::shard::Shards;

/// Sessions looked at before others get their turn.
const AT_ONCE: usize = 32;

/// Tells the waiting sessions of this core their position, as long as the core runs. The session says no to what is not news.
pub async fn tell_positions(shards: Shards, snapshots: Snapshots, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let waiting = shards.sessions_where(|standing| standing.waits);
        for (index, session) in waiting.into_iter().enumerate() {
            if index % AT_ONCE == 0 {
                // A long queue is no reason to let everybody else wait.
                tokio::task::yield_now().await;
            }
            if let Some(told) = position(&shards, &snapshots, session).await {
                // A rejection means that it is no news; a store that is away is asked again next time.
                let _ = shards.session(session, told).await;
            }
        }
    }
}

async fn position(shards: &Shards, snapshots: &Snapshots, session: LogId) -> Option<SessionInput> {
    let state = shards.owned_session(session)?;
    let about = state.about()?;
    let Phase::Waiting { place, .. } = state.phase() else {
        return None;
    };
    let rank = shards
        .log()
        .queue_rank(about.tenant, place.queue.clone(), session)
        .await
        .ok()??;
    if state.told_position().is_some_and(|told| told <= rank.position) {
        return None;
    }
    let snapshot = snapshots.load();
    let fallback = snapshot
        .tenant(about.tenant)
        .map(|tenant| tenant.value.default_language.clone())
        .unwrap_or_default();
    let language = about.locale.clone().unwrap_or_else(|| fallback.clone());
    let say = |template: &str, values: &[(&str, &str)]| {
        snapshot
            .named::<MessageTemplate>(about.tenant, template)?
            .value
            .render(&language, &fallback, values)
    };
    let mut text = say("queue-position", &[("position", &rank.position.to_string())]).unwrap_or_default();
    if let Some(interval) = rank.mean_interval_ms {
        let minutes = (rank.position * interval).div_ceil(60_000).max(1);
        if let Some(estimate) = say("estimated-wait", &[("minutes", &minutes.to_string())]) {
            text.push(' ');
            text.push_str(&estimate);
        }
    }
    Some(SessionInput::Position {
        position: rank.position,
        text,
    })
}
