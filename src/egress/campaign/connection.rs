//! The campaigns of one core as the dispatcher knows them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::sync::Semaphore;

use crate::egress::dispatcher::{Calls, Connection};
use crate::model::{Notice, Target};
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{ObjectId, Snapshots};
use crate::shard::{Campaigns, Delivery, Shards, Verdict};

/// Messages of campaigns on their way at once on one core: a sixteenth of what the core sends in all.
const PLACES: usize = 64;
/// A message that finds no place is tried again after about this.
const CROWDED: Duration = Duration::from_millis(500);
/// When the store could not be asked, the attempt is made again after this.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// Campaigns, outwards, of one core.
pub struct Campaign {
    pub(super) campaigns: Rc<Campaigns>,
    /// A way out of their own: what is slow for a campaign is slow for nobody else.
    pub(super) calls: Calls,
    pub(super) snapshots: Snapshots,
    /// The base of our public addresses, without a slash at its end.
    pub(super) base: String,
    places: Semaphore,
}

impl Campaign {
    /// Campaigns over a way out of their own; `base` as in [`crate::egress::channels::ChannelSettings`].
    #[must_use]
    pub fn new(campaigns: Rc<Campaigns>, calls: Calls, snapshots: Snapshots, base: String) -> Self {
        Self {
            campaigns,
            calls,
            snapshots,
            base,
            places: Semaphore::new(PLACES),
        }
    }

    async fn attempt(&self, shards: &Shards, delivery: &Delivery) -> Verdict {
        match (&delivery.target, &delivery.notice) {
            (Target::Campaign(id), Notice::Said { n }) => {
                let Ok(_place) = self.places.try_acquire() else {
                    let spread = delivery.id.n % 8 * 50;
                    return Verdict::Spared(CROWDED + Duration::from_millis(spread));
                };
                self.say(shards, delivery, id, *n).await.unwrap_or_else(|error| {
                    tracing::info!(%error, effect = %delivery.id, "a campaign's message waits for the store");
                    Verdict::Spared(READ_AGAIN)
                })
            }
            (Target::Statuses, _) => match self.campaigns.tell(delivery.id, delivery.tenant).await {
                Ok(()) => Verdict::Done,
                Err(error) => {
                    tracing::info!(%error, effect = %delivery.id, "a status waits for the store");
                    Verdict::Spared(READ_AGAIN)
                }
            },
            _ => Verdict::Dead("not for a campaign".to_owned()),
        }
    }

    pub(super) fn channel(&self, id: &str, delivery: &Delivery) -> Option<Arc<Stored<Channel>>> {
        let id = id.parse::<ObjectId>().ok()?;
        let snapshot = self.snapshots.load();
        let channel = snapshot.channel(&id)?;
        (channel.tenant == delivery.tenant && channel.value.enabled).then(|| Arc::clone(channel))
    }
}

impl Connection for Campaign {
    fn tell<'a>(&'a self, shards: &'a Shards, delivery: &'a Delivery) -> LocalBoxFuture<'a, Verdict> {
        self.attempt(shards, delivery).boxed_local()
    }
}
