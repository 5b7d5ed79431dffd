//! Challenges to endpoints that must show that they want to hear of a tenant's interactions before they hear anything.
//!
//! An endpoint is asked when it is new and when its address has changed, then ever more rarely until it answers, and again every
//! ninety days: a domain may have another owner by then. One that does not answer again in time is as one that never has.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use uuid::Uuid;

use crate::egress::dispatcher::{Callee, NotAnswered};
use crate::model::{Digest, Millis, TenantId};
use crate::net::client::Guard;
use crate::protocol::webhook;
use crate::provisioning::objects::{Stored, Verification, VerificationState, Webhook};
use crate::provisioning::{Act, ObjectId, Snapshot};
use crate::shard::Shards;

use super::connection::Webhooks;

/// How often it is looked whether somebody is to be asked.
const LOOK: Duration = Duration::from_millis(500);
/// Endpoints asked at once.
const AT_ONCE: usize = 8;
/// One question is asked by one node: whoever claims it, for so long.
const CLAIM_MS: u64 = 4_000;
/// An answer counts for so long; then the endpoint is asked again.
const COUNTS: Duration = Duration::from_secs(90 * 24 * 3_600);
/// One that does not answer again is left its standing for so long.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Endpoints this node has asked, by address, and when it may ask again.
#[derive(Default)]
struct Asked(HashMap<(TenantId, ObjectId, String), (u32, Instant)>);

/// An endpoint that is to be asked.
struct Due {
    hook: Arc<Stored<Webhook>>,
    asked: u32,
}

impl Webhooks {
    /// Asks whoever is to be asked, for as long as the core runs. One core of a node does this.
    pub async fn watch_over(self: Rc<Self>, shards: Shards) {
        let mut every = tokio::time::interval(LOOK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asked = Asked::default();
        loop {
            every.tick().await;
            let snapshot = self.snapshots().load_full();
            let clock = shards.clock();
            let due = asked.due(&snapshot, Millis(clock.wall_ms()), clock.now());
            drop(snapshot);
            stream::iter(due)
                .for_each_concurrent(AT_ONCE, |due| self.ask(&shards, due))
                .await;
        }
    }

    async fn ask(&self, shards: &Shards, due: Due) {
        let hook = &due.hook;
        let now = Millis(shards.clock().wall_ms());
        if !claimed(shards, hook, now).await {
            return;
        }
        let refused = self.challenge(hook).await.err();
        let before = hook.value.verification.as_ref();
        let standing = before.filter(|before| before.holds_for(&hook.value.url));
        let mut noted = Verification {
            state: VerificationState::Verified,
            url: hook.value.url.clone(),
            at: timestamp(now),
            detail: None,
        };
        if let Some(why) = refused {
            tracing::info!(webhook = %hook.id, asked = due.asked, reason = why, "the endpoint does not answer its challenge");
            if standing.is_some_and(|standing| age(standing, now) < COUNTS + PATIENCE) {
                return;
            }
            noted.state = VerificationState::Pending;
            noted.detail = Some(why.to_owned());
            if before.is_some_and(|before| before.detail == noted.detail && before.url == noted.url) {
                return;
            }
        } else {
            tracing::info!(webhook = %hook.id, "the endpoint has answered its challenge");
        }
        let act = Act {
            actor: "webhooks: challenge".to_owned(),
            at: now,
        };
        let done = self
            .directory()
            .note_verification(hook.tenant, &hook.id, &noted, &act)
            .await;
        if let Err(error) = done {
            tracing::warn!(%error, webhook = %hook.id, "what became of a challenge is not noted yet");
        }
    }

    /// Sends one challenge; why it was not answered.
    async fn challenge(&self, hook: &Stored<Webhook>) -> Result<(), &'static str> {
        let nonce = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let id = format!("challenge-{}", Uuid::new_v4().simple());
        let snapshot = self.snapshots().load_full();
        let call = self.call(&snapshot, hook, &id, webhook::challenge(&nonce));
        let call = call.map_err(|_| "its secrets cannot be opened")?;
        let target = format!("w{}", hook.id);
        let callee = Callee {
            tenant: hook.tenant,
            target: &target,
            guard: Guard::Public,
        };
        match self.calls().make(&callee, call).await {
            Ok(answer) if answer.status != 200 => Err("it answered another status than 200"),
            Ok(answer) if webhook::echoes(&answer.body, &nonce) => Ok(()),
            Ok(_) => Err("its answer is not the challenge"),
            Err(NotAnswered::Spared(_)) => Err("its host is left alone for a while"),
            Err(NotAnswered::Failed(error)) => Err(error.class().word()),
        }
    }
}

impl Asked {
    /// Whoever is to be asked now, and the time of the next question for each.
    fn due(&mut self, snapshot: &Snapshot, now: Millis, instant: Instant) -> Vec<Due> {
        let tenants = snapshot.tenants().filter(|tenant| tenant.value.enabled);
        let wanted: Vec<_> = tenants
            .flat_map(|tenant| snapshot.all::<Webhook>(tenant.tenant))
            .filter(|hook| wants_asking(&hook.value, now))
            .collect();
        let key = |hook: &Stored<Webhook>| (hook.tenant, hook.id.clone(), hook.value.url.clone());
        let waiting: std::collections::HashSet<_> = wanted.iter().map(|hook| key(hook)).collect();
        // One that was switched off, or that has answered, begins anew when it is asked again.
        self.0.retain(|asked, _| waiting.contains(asked));
        let mut due = Vec::new();
        for hook in wanted {
            let (asked, next) = self.0.entry(key(hook)).or_insert((0, instant));
            if *next <= instant {
                *asked += 1;
                *next = instant + pause(*asked);
                due.push(Due {
                    hook: Arc::clone(hook),
                    asked: *asked,
                });
            }
        }
        due
    }
}

/// After so many questions without an answer.
fn pause(asked: u32) -> Duration {
    const STEPS: [u64; 5] = [5, 30, 120, 600, 1_800];
    let step = usize::try_from(asked.saturating_sub(1)).unwrap_or(usize::MAX);
    Duration::from_secs(STEPS.get(step).copied().unwrap_or(3_600))
}

fn wants_asking(hook: &Webhook, now: Millis) -> bool {
    let standing = hook
        .verification
        .as_ref()
        .filter(|noted| noted.holds_for(&hook.url));
    hook.enabled && hook.verify && standing.is_none_or(|standing| age(standing, now) >= COUNTS)
}

fn age(noted: &Verification, now: Millis) -> Duration {
    let at = noted
        .at
        .map_or(0, |at| u64::try_from(at.as_millisecond()).unwrap_or(0));
    Duration::from_millis(now.since(Millis(at)))
}

fn timestamp(at: Millis) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()
}

/// Whether this node is the one that asks now. Where the store does not say, nobody asks.
async fn claimed(shards: &Shards, hook: &Stored<Webhook>, now: Millis) -> bool {
    let slot = (now.0 / CLAIM_MS).to_be_bytes();
    let id = hook.id.to_string();
    let digest = Digest::of(&[
        b"challenge",
        hook.tenant.0.as_bytes(),
        id.as_bytes(),
        &[0],
        hook.value.url.as_bytes(),
        &slot,
    ]);
    let mut token = [0; 16];
    token.copy_from_slice(&digest.0[..16]);
    shards.log().spend(token, CLAIM_MS * 2).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000;

    fn hook(verification: Option<Verification>) -> Webhook {
        Webhook {
            url: "https://crm.example.com/hook".to_owned(),
            verify: true,
            verification,
            ..Webhook::default()
        }
    }

    fn answered(at: u64, url: &str) -> Option<Verification> {
        Some(Verification {
            state: VerificationState::Verified,
            at: timestamp(Millis(at)),
            ..Verification::pending(url)
        })
    }

    #[test]
    fn an_endpoint_is_asked_when_it_is_new_when_it_moves_and_every_ninety_days() {
        let now = Millis(1_000 * DAY);
        assert!(wants_asking(&hook(None), now));
        assert!(wants_asking(
            &hook(Some(Verification::pending("https://crm.example.com/hook"))),
            now
        ));
        let fresh = answered(now.0 - 89 * DAY, "https://crm.example.com/hook");
        assert!(!wants_asking(&hook(fresh.clone()), now) && hook(fresh).is_proved());
        assert!(wants_asking(
            &hook(answered(now.0 - 90 * DAY, "https://crm.example.com/hook")),
            now
        ));
        let moved = answered(now.0, "https://old.example.com/hook");
        assert!(wants_asking(&hook(moved.clone()), now) && !hook(moved).is_proved());
        let off = Webhook {
            enabled: false,
            ..hook(None)
        };
        let unasked = Webhook {
            verify: false,
            ..hook(None)
        };
        assert!(!wants_asking(&off, now) && !wants_asking(&unasked, now) && unasked.is_proved());
    }

    #[test]
    fn one_that_does_not_answer_is_asked_ever_more_rarely() {
        let pauses: Vec<_> = (1..=7).map(|asked| pause(asked).as_secs()).collect();
        assert_eq!(pauses, [5, 30, 120, 600, 1_800, 3_600, 3_600]);
    }
}
