//! The channels of one core as the dispatcher knows them.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::egress::dispatcher::{Calls, Connection};
use crate::log::media::SharedMedia;
use crate::model::{Notice, Target};
use crate::protocol::channel::sms::gates::Gates;
use crate::protocol::channel::sms::velocity::Caps;
use crate::protocol::securemail;
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{ObjectId, Snapshots};
use crate::shard::{Delivery, Shards, Verdict};

/// Addresses and bounds of what leaves by channels.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    /// The base of our public addresses, without a slash at its end.
    pub base: String,
    /// How long a file can be fetched at the address we give it, once it can have been sent for the last time.
    pub address_ttl: Duration,
    /// Bytes of a file that is fetched.
    pub max_file: usize,
    /// Short messages that one text may be, where a channel does not say otherwise.
    pub segments: usize,
    /// Text messages, where a channel does not say otherwise.
    pub texts: Caps,
}

/// Channels, outwards, of one core.
pub struct Channels {
    pub(super) calls: Calls,
    pub(super) snapshots: Snapshots,
    pub(super) media: SharedMedia,
    pub(super) settings: ChannelSettings,
    pub(super) gates: RefCell<Gates>,
}

impl Channels {
    /// Channels over this core's client.
    #[must_use]
    pub fn new(calls: Calls, snapshots: Snapshots, media: SharedMedia, settings: ChannelSettings) -> Self {
        Self {
            calls,
            snapshots,
            media,
            settings,
            gates: RefCell::default(),
        }
    }

    async fn attempt(&self, shards: &Shards, delivery: &Delivery) -> Verdict {
        let Target::Channel(id) = &delivery.target else {
            return Verdict::Dead("not for a channel".to_owned());
        };
        let Some(channel) = self.channel(id, delivery) else {
            return Verdict::Dead("the channel is gone or switched off".to_owned());
        };
        if channel.value.provider == securemail::PROVIDER {
            return match delivery.notice {
                Notice::Said { n } => self.enter(shards, delivery, &channel, n).await,
                Notice::Arrived => self.enter(shards, delivery, &channel, delivery.id.n).await,
                _ => Verdict::Done,
            };
        }
        match delivery.notice {
            Notice::Said { n } => self.say(shards, delivery, &channel, n).await,
            Notice::Replied { after } => self.say(shards, delivery, &channel, delivery.id.n + after).await,
            Notice::Fetch { after } => {
                self.fetch(shards, delivery, &channel, delivery.id.n + after)
                    .await
            }
            Notice::Arrived
            | Notice::Started
            | Notice::Finished
            | Notice::Turn { .. }
            | Notice::Status { .. } => Verdict::Done,
        }
    }

    fn channel(&self, id: &str, delivery: &Delivery) -> Option<Arc<Stored<Channel>>> {
        let id = id.parse::<ObjectId>().ok()?;
        let snapshot = self.snapshots.load();
        let channel = snapshot.channel(&id)?;
        (channel.tenant == delivery.tenant && channel.value.enabled).then(|| Arc::clone(channel))
    }
}

impl Connection for Channels {
    fn tell<'a>(&'a self, shards: &'a Shards, delivery: &'a Delivery) -> LocalBoxFuture<'a, Verdict> {
        self.attempt(shards, delivery).boxed_local()
    }
}
