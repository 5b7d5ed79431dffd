//! Ties routing by GWS and its link to one core.

use std::rc::Rc;

use crate::egress::gws::{Configurations, GwsLink, Leader, lead};
use crate::log::SharedLog;
use crate::model::TenantId;
use crate::net::client::Client;
use crate::routing::{BuiltinRouter, GwsRouter, watch_gws};
use crate::runtime::cores::CoreId;
use crate::runtime::drain::Phase;
use crate::shard::{Router, Shards};

use super::serving::Parts;

/// GWS as one core has it.
pub(super) struct GwsSide {
    router: Rc<GwsRouter>,
    link: GwsLink,
    client: Client,
    configurations: Configurations,
}

impl GwsSide {
    pub(super) fn new(parts: &Parts, log: &SharedLog, client: Client) -> Self {
        let link = GwsLink::new(client.clone(), parts.snapshots.clone(), parts.clock.clone());
        let builtin = BuiltinRouter::new(Rc::clone(log));
        let patience = parts.config.routing.gws_patience;
        Self {
            router: Rc::new(GwsRouter::new(builtin, Rc::new(link.clone()), patience)),
            link,
            client,
            configurations: Configurations::default(),
        }
    }

    /// What the shard table asks who gets a session.
    pub(super) fn router(&self) -> Rc<dyn Router> {
        Rc::clone(&self.router) as Rc<dyn Router>
    }

    /// Whether the matching tables decide for a tenant.
    pub(super) fn decides(&self) -> impl Fn(TenantId) -> bool + 'static {
        let router = Rc::clone(&self.router);
        move |tenant| router.decides(tenant)
    }

    /// Starts what runs beside the shard table. Events come to the first core.
    pub(super) fn start(&self, parts: &Parts, core: CoreId, shards: &Shards) {
        let router = Rc::clone(&self.router);
        tokio::task::spawn_local(watch_gws(router, shards.clone(), parts.snapshots.clone()));
        let (link, mut drain) = (self.link.clone(), parts.drain.clone());
        tokio::task::spawn_local(async move {
            let _open = drain.retain(Phase::Released);
            drain.reached(Phase::Released).await;
            link.end().await;
        });
        if core.index() != 0 {
            return;
        }
        let leader = Leader {
            shards: shards.clone(),
            node: parts.node,
            snapshots: parts.snapshots.clone(),
            client: self.client.clone(),
            clock: parts.clock.clone(),
            random,
            drain: parts.drain.clone(),
        };
        tokio::task::spawn_local(lead(leader, Rc::clone(&self.configurations)));
    }
}

/// Spreads attempts; without randomness they are merely not spread.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}
