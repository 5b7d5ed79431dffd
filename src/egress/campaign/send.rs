//! One message of a batch.

use std::time::Duration;

use serde_json::Value;

use crate::egress::channels::{Sent, Way, refer};
use crate::log::LogError;
use crate::model::{DeliveryStatus, Media, Millis};
use crate::protocol::campaign::CampaignMessage;
use crate::protocol::channel::{Outbound, message_id, peer_name};
use crate::provisioning::objects::{Channel, Stored};
use crate::shard::{Delivery, Shards, Verdict};
use crate::telemetry::names;

use super::connection::Campaign;

/// How often the record of what became of a message is tried: what is not written down may be sent twice.
const NOTES: u32 = 5;
/// Outside a campaign's hours a message is looked at again after this.
const HOURS: Duration = Duration::from_secs(60);
/// A message that could not be sent for so long is not sent any more, in milliseconds.
const TOO_LATE_MS: u64 = 72 * 3_600_000;
/// Characters of an error's text.
const DETAIL: usize = 300;

impl Campaign {
    pub(super) async fn say(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        channel: &str,
        n: u64,
    ) -> Result<Verdict, LogError> {
        let log = delivery.id.log;
        let known = self.campaigns.batch(log).await?;
        let Some(row) = known.batch.row(n) else {
            return Ok(Verdict::Dead("the batch is gone".to_owned()));
        };
        if row.status.is_some() {
            // It was accepted, or given up, and only the end of the effect was lost.
            return Ok(Verdict::Done);
        }
        let Some(channel) = self.channel(channel, delivery) else {
            return self
                .end(delivery, n, "no-channel", "the channel is gone or switched off")
                .await;
        };
        let record = self.campaigns.read(log, n).await?;
        let Some((at, message)) =
            record.and_then(|record| Some((record.at, CampaignMessage::read(record.body.bytes()?)?)))
        else {
            return self.end(delivery, n, "erased", "the message was erased").await;
        };
        // The first of a tenant waits a moment, until an answer to it is known for one everywhere.
        tokio::time::sleep(self.campaigns.begins(delivery.tenant, log).await?).await;
        // As the customer's own message will name them: a mailbox in small letters.
        let address = match channel.value.media {
            Media::Email => message.to.to_lowercase(),
            _ => message.to.clone(),
        };
        let peer = peer_name(delivery.tenant, &channel.id.to_string(), &address);
        if self.campaigns.is_opted_out(peer.clone()).await? {
            let (code, detail) = ("opted-out", "the customer opted out");
            self.note(delivery, n, DeliveryStatus::OptOut, Some((code, detail)))
                .await?;
            return Ok(Verdict::Done);
        }
        // A channel may name the opening hours that campaigns keep to. Whoever tries a campaign out waits for its message.
        let test = known.batch.head().is_some_and(|head| head.test);
        let hours = channel.value.config.get("campaignHours").and_then(Value::as_str);
        let now = Millis(self.calls.clock().wall_ms());
        if now.0.saturating_sub(at.0) > TOO_LATE_MS {
            return self
                .end(delivery, n, "expired", "it could not be sent in time")
                .await;
        }
        if !test && !self.snapshots.load().is_open(delivery.tenant, hours, now) {
            return Ok(Verdict::Spared(HOURS));
        }
        let target = format!("k{}", channel.id);
        let way = Way {
            calls: &self.calls,
            snapshots: &self.snapshots,
            target: &target,
        };
        let outbound = self.outbound(&channel, delivery, n, message, at);
        match way.transmit(delivery, &channel, &outbound).await {
            Sent::Accepted { reference, .. } => {
                if let Some(theirs) = &reference {
                    refer(shards, delivery, &channel, n, theirs).await;
                }
                // Before the acceptance is written down: after it nobody comes here again.
                self.campaigns.said_to(peer, log, n).await;
                self.note(delivery, n, DeliveryStatus::Sent, None).await?;
                Ok(Verdict::Done)
            }
            Sent::Refused { code, detail } => self.end(delivery, n, &code, &detail).await,
            Sent::Later(wait) => Ok(Verdict::Later(wait)),
            Sent::Spared(wait) => Ok(Verdict::Spared(wait)),
        }
    }

    fn outbound(
        &self,
        channel: &Stored<Channel>,
        delivery: &Delivery,
        n: u64,
        message: CampaignMessage,
        at: Millis,
    ) -> Outbound {
        let provider = &channel.value.provider;
        let base = &self.base;
        let status_url = (provider != "third-party")
            .then(|| format!("{base}/nexus/v3/aggregators/{provider}/{}/status", channel.id));
        let mail = channel.value.media == Media::Email;
        Outbound {
            id: message_id(delivery.id.log, n),
            from: channel.value.address.clone(),
            from_name: message
                .from_name
                .or_else(|| Some(channel.value.name.clone()))
                .filter(|_| mail),
            to: message.to,
            text: message.text,
            subject: message.subject.filter(|_| mail),
            html: message.html.filter(|_| mail),
            reply_to: message.reply_to.filter(|_| mail),
            at: Some(at),
            // No program need answer it.
            automatic: true,
            status_url,
            user_data: message.user_data,
            ..Outbound::default()
        }
    }

    /// The message will not be sent: the campaign is told so, and nobody else need look at it.
    async fn end(&self, delivery: &Delivery, n: u64, code: &str, detail: &str) -> Result<Verdict, LogError> {
        self.note(delivery, n, DeliveryStatus::Failed, Some((code, detail)))
            .await?;
        Ok(Verdict::Done)
    }

    async fn note(
        &self,
        delivery: &Delivery,
        of: u64,
        status: DeliveryStatus,
        error: Option<(&str, &str)>,
    ) -> Result<(), LogError> {
        let cut = |text: &str| text.chars().take(DETAIL).collect::<String>();
        let mut attempt = 1;
        loop {
            let (code, detail) = error.map_or((None, None), |(code, detail)| {
                (Some(cut(code)), Some(cut(detail)))
            });
            match self
                .campaigns
                .note(delivery.id.log, of, status, code, detail)
                .await
            {
                Ok(()) => {
                    let outcome = match status {
                        DeliveryStatus::Sent => "sent",
                        DeliveryStatus::OptOut => "opted_out",
                        _ => "failed",
                    };
                    metrics::counter!(names::CAMPAIGN_MESSAGES, "outcome" => outcome).increment(1);
                    return Ok(());
                }
                Err(failed) if attempt >= NOTES => return Err(failed),
                Err(failed) => {
                    tracing::warn!(error = %failed, attempt, effect = %delivery.id, "what became of a message is not recorded yet");
                    attempt += 1;
                }
            }
        }
    }
}
