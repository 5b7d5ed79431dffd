//! One message of ours to its provider, once its acceptance is not yet known.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::egress::dispatcher::record;
use crate::log::PeerKey;
use crate::model::{DeliveryStatus, Notice, SessionEvent, Spread, Visibility};
use crate::protocol::channel::peer_name;
use crate::protocol::channel::sms::size::Size;
use crate::provisioning::objects::{Channel, Stored};
use crate::session::{Outside, Rejection, ServiceAct, SessionInput};
use crate::shard::{Delivery, ShardError, Shards, Verdict};

use super::choices;
use super::connection::Channels;
use super::gate::Held;
use super::transmit::{Sent, Way, refer};

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
        match self.is_unwanted(shards, delivery, channel, outside).await {
            Ok(false) => {}
            Err(verdict) => return verdict,
            Ok(true) => {
                let why = failure("opted-out", "the customer opted out");
                self.note(shards, delivery, n, DeliveryStatus::OptOut, why).await;
                return Verdict::Done;
            }
        }
        let beside = match choices::beside(shards, delivery.id, &about).await {
            Ok(beside) => beside,
            Err(verdict) => return verdict,
        };
        let message = match self.render(channel, &about, beside).await {
            Ok(message) => message,
            Err(verdict) => return verdict,
        };
        match self.may_leave(channel, &message) {
            Ok(()) => {}
            Err(Held::For(wait)) => return Verdict::Spared(wait),
            Err(Held::Back(code, words)) => return self.give_up(shards, delivery, n, code, words).await,
        }
        let target = format!("c{}", channel.id);
        let way = Way {
            calls: &self.calls,
            snapshots: &self.snapshots,
            target: &target,
        };
        match way.transmit(delivery, channel, &message).await {
            Sent::Accepted { reference, size } => {
                self.accepted(shards, delivery, channel, n, (reference, size))
                    .await;
                Verdict::Done
            }
            Sent::Refused { code, detail } => self.give_up(shards, delivery, n, &code, &detail).await,
            Sent::Later(wait) => Verdict::Later(wait),
            Sent::Spared(wait) => Verdict::Spared(wait),
        }
    }

    /// Whether the customer wants no messages: this session may know it, or they said so in another.
    ///
    /// # Errors
    /// The verdict while nobody can tell: then nothing is sent.
    async fn is_unwanted(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        outside: &Outside,
    ) -> Result<bool, Verdict> {
        if matches!(delivery.notice, Notice::Replied { .. }) {
            return Ok(false);
        }
        let Some(address) = outside.address.as_deref().filter(|_| !outside.opted_out) else {
            return Ok(outside.opted_out);
        };
        let peer = peer_name(channel.tenant, &channel.id.to_string(), address);
        let log = shards.log();
        let partition = Spread::of(&[&peer]).partition(log.info().partitions);
        log.opted_out(partition, PeerKey(peer)).await.map_err(|error| {
            tracing::warn!(%error, effect = %delivery.id, "consent not looked up");
            Verdict::Spared(Duration::from_secs(2))
        })
    }

    /// The provider has it: that is written down before anything else can be tried.
    async fn accepted(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        n: u64,
        (reference, size): (Option<String>, Option<Size>),
    ) {
        if let Some(theirs) = &reference {
            refer(shards, delivery, channel, n, theirs).await;
        }
        let mut about = Map::new();
        about.extend(reference.map(|theirs| ("reference".to_owned(), Value::from(theirs))));
        if let Some(Size { encoding, segments }) = size {
            about.insert("segments".to_owned(), segments.into());
            about.insert("encoding".to_owned(), encoding.as_str().into());
        }
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
    pub(super) async fn note(
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
