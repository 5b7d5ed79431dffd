//! One message to its provider by the channel's dialect, and what the answer means. Whoever sends writes down what became of it.

use std::time::Duration;

use uuid::Uuid;

use crate::egress::dispatcher::{Callee, Calls, NotAnswered, Schedule};
use crate::log::Referred;
use crate::model::Media;
use crate::net::client::Guard;
use crate::protocol::channel::sms::size::Size;
use crate::protocol::channel::third_party::ThirdParty;
use crate::protocol::channel::{Outbound, Provider, SendAnswer, provider, reference_key};
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{Snapshots, account};
use crate::shard::{Delivery, Shards};
use crate::telemetry::names;

use super::gate::may_write_to;

/// How long a provider's id of a message leads back to it.
const REFERENCE_MS: u64 = 7 * 24 * 3_600_000;

/// By which way a message leaves.
pub struct Way<'w> {
    /// Bulkheads and breakers.
    pub calls: &'w Calls,
    /// Where accounts are.
    pub snapshots: &'w Snapshots,
    /// What the bulkhead is kept for.
    pub target: &'w str,
}

/// What became of one attempt.
#[derive(Debug)]
pub enum Sent {
    /// The provider has it.
    Accepted {
        /// Its id of it.
        reference: Option<String>,
        /// Of a text message: what it is charged as.
        size: Option<Size>,
    },
    /// It will never be sent: refused, or every attempt failed.
    Refused {
        /// The provider's code, or ours.
        code: String,
        /// Its words.
        detail: String,
    },
    /// It was tried and failed: again after this.
    Later(Duration),
    /// It was not tried: nobody has been asked yet.
    Spared(Duration),
}

impl Way<'_> {
    /// Makes one attempt.
    pub async fn transmit(&self, delivery: &Delivery, channel: &Stored<Channel>, message: &Outbound) -> Sent {
        let refused = |code: &str, detail: &str| Sent::Refused {
            code: code.to_owned(),
            detail: detail.to_owned(),
        };
        if !may_write_to(&channel.value, &message.to) {
            return refused("number-not-allowed", "the channel may not write to this number");
        }
        let Some(dialect) = dialect(&channel.value.provider) else {
            return refused("no-provider", "the provider is not known");
        };
        let Ok(account) = account(&self.snapshots.load(), channel) else {
            return Sent::Spared(Duration::from_secs(30));
        };
        let call = match dialect.send(&account, message) {
            Ok(call) => call,
            Err(lacks) => return refused("not-configured", &lacks),
        };
        let callee = Callee {
            tenant: delivery.tenant,
            target: self.target,
            guard: Guard::Public,
        };
        let began = self.calls.clock().now();
        let answer = self.calls.make(&callee, call).await;
        let took = self.calls.clock().now().duration_since(began);
        let code = answer
            .as_ref()
            .map_or_else(|_| "none".to_owned(), |answer| answer.status.as_str().to_owned());
        if matches!(answer, Err(NotAnswered::Failed(_))) {
            metrics::counter!(names::HUB_ERRORS).increment(1);
        }
        // Whoever provisions a channel chooses the address: a label of it would have no bound.
        let provider = channel.value.provider.clone();
        metrics::histogram!(names::HUB_SEND_DURATION, "url" => provider, "statusCode" => code.clone())
            .record(took);
        metrics::counter!(names::HUB_SENT, "channelId" => channel.id.to_string(), "statusCode" => code)
            .increment(1);
        let outcome = match &answer {
            Ok(answer) => {
                let after = answer.retry_after(self.calls.clock().wall_ms());
                dialect.sent(answer.status.as_u16(), after, &answer.body)
            }
            Err(NotAnswered::Spared(after)) => return Sent::Spared(*after),
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
                let size = (channel.value.media == Media::Sms)
                    .then(|| Size::as_sent(message, dialect.fetches_files()));
                if let Some(Size { encoding, segments }) = size {
                    let provider = channel.value.provider.clone();
                    metrics::counter!(names::TEXT_SEGMENTS, "provider" => provider, "encoding" => encoding.as_str())
                        .increment(segments as u64);
                }
                Sent::Accepted { reference, size }
            }
            SendAnswer::Refused { code, detail } => Sent::Refused { code, detail },
            SendAnswer::Later { after } => {
                let schedule = Schedule::Fixed {
                    every: Duration::from_millis(channel.value.retry_timeout_ms.into()),
                    attempts: channel.value.retry_attempts,
                };
                let next = schedule.next(delivery.attempt.max(1), after, Uuid::new_v4().as_u64_pair().0);
                next.map_or_else(|| refused("exhausted", "every attempt failed"), Sent::Later)
            }
        }
    }
}

/// Remembers what the provider calls a message, for its receipts.
pub async fn refer(shards: &Shards, delivery: &Delivery, channel: &Stored<Channel>, n: u64, theirs: &str) {
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

/// The dialect of a provider by its name in provisioning.
pub(super) fn dialect(name: &str) -> Option<&'static dyn Provider> {
    if name == ThirdParty.name() {
        return Some(&ThirdParty);
    }
    provider(name)
}
