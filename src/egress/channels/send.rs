//! One message of ours to its provider, once its acceptance is not yet known.

use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::egress::dispatcher::{Callee, NotAnswered, Schedule, record};
use crate::log::Referred;
use crate::model::{DeliveryStatus, SessionEvent, Visibility};
use crate::net::client::Guard;
use crate::protocol::channel::third_party::ThirdParty;
use crate::protocol::channel::{Provider, SendAnswer, provider, reference_key};
use crate::provisioning::account;
use crate::provisioning::objects::{Channel, Stored};
use crate::session::{Rejection, ServiceAct, SessionInput};
use crate::shard::{Delivery, ShardError, Shards, Verdict};
use crate::telemetry::names;

use super::connection::Channels;

/// How long a provider's id of a message leads back to it.
const REFERENCE_MS: u64 = 7 * 24 * 3_600_000;
/// How often the record of an acceptance is tried: what is not written down may be sent twice.
const NOTES: u32 = 5;

impl Channels {
    pub(super) async fn say(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        n: u64,
    ) -> Verdict {
        let about = match record(shards, delivery.id, n).await {
            Ok(about) => about,
            Err(verdict) => return verdict,
        };
        let outside = about.view.state.outside();
        if outside.delivery(n).is_some_and(|status| !status.is_failure()) {
            // It was accepted, and only the end of the effect was lost. One that had failed is here to be sent again.
            return Verdict::Done;
        }
        let visible = match &about.entry.record.event {
            SessionEvent::Message { visibility, .. } | SessionEvent::File { visibility, .. } => *visibility,
            _ => return Verdict::Dead("not a message".to_owned()),
        };
        if visible != Visibility::All {
            return Verdict::Done;
        }
        if outside.opted_out {
            self.note(
                shards,
                delivery,
                n,
                DeliveryStatus::OptOut,
                failure("opted-out", "the customer opted out"),
            )
            .await;
            return Verdict::Done;
        }
        let message = match self.render(channel, &about).await {
            Ok(message) => message,
            Err(verdict) => return verdict,
        };
        let Some(dialect) = dialect(&channel.value.provider) else {
            return self
                .give_up(shards, delivery, n, "no-provider", "the provider is not known")
                .await;
        };
        let Ok(account) = account(&self.snapshots.load(), channel) else {
            return Verdict::Later(Duration::from_secs(30));
        };
        let call = match dialect.send(&account, &message) {
            Ok(call) => call,
            Err(lacks) => return self.give_up(shards, delivery, n, "not-configured", &lacks).await,
        };
        let target = format!("c{}", channel.id);
        let callee = Callee {
            tenant: delivery.tenant,
            target: &target,
            guard: Guard::Public,
        };
        let answer = self.calls.make(&callee, call).await;
        let code = answer
            .as_ref()
            .map_or_else(|_| "none".to_owned(), |answer| answer.status.as_str().to_owned());
        metrics::counter!(names::HUB_SENT, "channelId" => channel.id.to_string(), "statusCode" => code)
            .increment(1);
        let outcome = match &answer {
            Ok(answer) => {
                let after = answer.retry_after(self.calls.clock().wall_ms());
                dialect.sent(answer.status.as_u16(), after, &answer.body)
            }
            Err(NotAnswered::Spared(after)) => return Verdict::Later(*after),
            Err(NotAnswered::Failed(error)) if error.is_worth_a_retry() => {
                tracing::info!(channel = %channel.id, effect = %delivery.id, detail = error.detail(), "send failed");
                SendAnswer::Later { after: None }
            }
            Err(NotAnswered::Failed(error)) => SendAnswer::Refused {
                code: error.class().word().to_owned(),
                detail: error.to_string(),
            },
        };
        match outcome {
            SendAnswer::Accepted { reference } => {
                self.accepted(shards, delivery, channel, n, reference).await;
                Verdict::Done
            }
            SendAnswer::Refused { code, detail } => self.give_up(shards, delivery, n, &code, &detail).await,
            SendAnswer::Later { after } => {
                let schedule = Schedule::Fixed {
                    every: Duration::from_millis(channel.value.retry_timeout_ms.into()),
                    attempts: channel.value.retry_attempts,
                };
                match schedule.next(delivery.attempt.max(1), after, Uuid::new_v4().as_u64_pair().0) {
                    Some(wait) => Verdict::Later(wait),
                    None => {
                        self.give_up(shards, delivery, n, "exhausted", "every attempt failed")
                            .await
                    }
                }
            }
        }
    }

    /// The provider has it: that is written down before anything else can be tried.
    async fn accepted(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        n: u64,
        reference: Option<String>,
    ) {
        if let Some(theirs) = &reference {
            let key = reference_key(&channel.id.to_string(), theirs);
            let at = Referred {
                log: delivery.id.log,
                n,
            };
            // Without it the provider's receipts find nothing; the message is sent all the same.
            if let Err(error) = shards.log().refer(key, at, REFERENCE_MS).await {
                tracing::warn!(%error, effect = %delivery.id, "a provider's reference was not kept");
            }
        }
        let about = reference
            .map(|theirs| Map::from_iter([("reference".to_owned(), Value::from(theirs))]))
            .unwrap_or_default();
        self.note(shards, delivery, n, DeliveryStatus::Sent, about).await;
    }

    async fn give_up(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        n: u64,
        code: &str,
        detail: &str,
    ) -> Verdict {
        self.note(shards, delivery, n, DeliveryStatus::Failed, failure(code, detail))
            .await;
        Verdict::Dead(format!("{code}: {detail}"))
    }

    /// Records how far a message got.
    async fn note(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        of: u64,
        status: DeliveryStatus,
        about: Map<String, Value>,
    ) {
        for attempt in 1..=NOTES {
            let act = ServiceAct::Delivered {
                of,
                status,
                about: about.clone(),
            };
            match shards.session(delivery.id.log, SessionInput::Service(act)).await {
                Ok(_) | Err(ShardError::Rejected(Rejection::Stale) | ShardError::NoSuchLog) => return,
                Err(error) => {
                    tracing::warn!(%error, attempt, effect = %delivery.id, "what became of a message is not recorded yet");
                }
            }
        }
    }
}

fn failure(code: &str, detail: &str) -> Map<String, Value> {
    [("code", code), ("detail", detail)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

/// The dialect of a provider by its name in provisioning.
fn dialect(name: &str) -> Option<&'static dyn Provider> {
    if name == ThirdParty.name() {
        return Some(&ThirdParty);
    }
    provider(name)
}
