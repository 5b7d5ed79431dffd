//! From a delivery to the connection that makes it.

use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::model::Target;
use crate::shard::{Deliverer, Delivery, Shards, Verdict};

use super::tries::Tries;

/// One connection outwards: makes one attempt at a delivery to its kind of target.
pub trait Connection {
    /// Makes one attempt. Ends within the attempt's deadline whatever its receiver does.
    fn tell<'a>(&'a self, shards: &'a Shards, delivery: &'a Delivery) -> LocalBoxFuture<'a, Verdict>;
}

/// Every connection outwards of one core. Each is told by [`Delivery::attempt`] how often the effect was really tried.
#[derive(Default)]
pub struct Dispatcher {
    /// How often effects were really tried.
    pub tries: Tries,
    /// Third-party messaging and aggregators.
    pub channels: Option<Rc<dyn Connection>>,
    /// Interactions webhooks.
    pub webhooks: Option<Rc<dyn Connection>>,
    /// Contact history.
    pub history: Option<Rc<dyn Connection>>,
    /// Our own history.
    pub archive: Option<Rc<dyn Connection>>,
    /// Campaigns: their messages, and the statuses told of them.
    pub campaigns: Option<Rc<dyn Connection>>,
    /// Bots.
    pub bots: Option<Rc<dyn Connection>>,
}

impl Deliverer for Dispatcher {
    fn deliver<'a>(&'a self, shards: &'a Shards, delivery: Delivery) -> LocalBoxFuture<'a, Verdict> {
        let connection = match &delivery.target {
            Target::Channel(_) => &self.channels,
            Target::Webhook(_) => &self.webhooks,
            Target::History => &self.history,
            Target::Archive => &self.archive,
            Target::Bot(_) => &self.bots,
            Target::Campaign(_) | Target::Statuses => &self.campaigns,
        };
        let Some(connection) = connection.clone() else {
            let verdict = Verdict::Dead("this node has no such connection".to_owned());
            return std::future::ready(verdict).boxed_local();
        };
        async move {
            let delivery = Delivery {
                attempt: self.tries.attempt(&delivery),
                ..delivery
            };
            let verdict = connection.tell(shards, &delivery).await;
            self.tries.ended(delivery.id, &verdict);
            verdict
        }
        .boxed_local()
    }
}
