//! Secure e-mail, outwards: the customer's side of the channel is a mailbox of ours.

use std::time::Duration;

use crate::egress::dispatcher::unread;
use crate::model::{DeliveryStatus, LogId};
use crate::provisioning::objects::{Channel, Stored};
use crate::shard::{Delivery, Shards, Verdict};

use super::connection::Channels;

/// A mailbox that took no entry is tried again after this: nothing but our own store stands in the way.
const AGAIN: Duration = Duration::from_secs(2);

impl Channels {
    /// Enters the mail that begins with record `n`. Entering it twice changes nothing.
    pub(super) async fn enter(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        n: u64,
    ) -> Verdict {
        let found = match shards.mail(delivery.id.log, n, &channel.value.name).await {
            Ok(Some(found)) => found,
            // Said to colleagues, or erased with its session.
            Ok(None) => return Verdict::Done,
            Err(error) => return unread(error),
        };
        let outside = found.view.state.outside();
        let Some(address) = outside.address.as_deref() else {
            return Verdict::Dead("the address was erased".to_owned());
        };
        let id = LogId::mailbox(delivery.tenant, &channel.id.to_string(), address);
        let keep_ms = self.snapshots.load().transcripts_ms(delivery.tenant);
        if let Err(error) = shards.mailbox(id, keep_ms).enter(&found.mail).await {
            tracing::warn!(%error, effect = %delivery.id, "a mail is not in its mailbox yet");
            return Verdict::Later(AGAIN);
        }
        if !found.is_read() && outside.delivery(n).is_none() {
            self.note(
                shards,
                delivery,
                n,
                DeliveryStatus::Delivered,
                serde_json::Map::new(),
            )
            .await;
        }
        Verdict::Done
    }
}
