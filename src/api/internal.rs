//! The internal listener: the other services of the contact centre, and the provisioning API once more for them.
//!
//! **Owns** the path table of connections 4 to 6. **Leaves** who may come in at all to the listener's certificates and
//! to the network around it, what a caller may do to each handler.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use crate::ingress::campaign::Campaigning;
use crate::ingress::designer::Designer;
use crate::ingress::tenant::TenantService;
use crate::net::Peer;
use crate::net::http::{Refusal, Request, Response, Service};

use super::front::{self, Asked, Front, nothing};
use super::provisioning::ProvisioningApi;

/// Everything the internal listener of one core serves.
pub struct Internal {
    /// What it shares with the other listener.
    pub front: Rc<Front>,
    /// Connection 4.
    pub designer: Designer,
    /// Connection 5.
    pub tenant: TenantService,
    /// Connection 6.
    pub campaigns: Campaigning,
    /// The provisioning API.
    pub provisioning: ProvisioningApi,
}

/// Who answers under a path of the internal listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Connection 4.
    Designer,
    /// Connection 5.
    Tenant,
    /// Connection 6.
    Campaigns,
    /// What an administrator writes.
    Provisioning,
    /// Nobody.
    Nothing,
}

impl Route {
    fn of(path: &str) -> Self {
        let under = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if under("/nexus/v3/routing") {
            Self::Designer
        } else if under("/nexus/v3/esp") {
            Self::Tenant
        } else if under("/nexus/v3/campaigns") {
            Self::Campaigns
        } else if under("/nexus/v3/chat") || under("/nexus/v3/agents/me") || under("/nexus/v3/agentstream") {
            // Customers and agents come in at the public listener.
            Self::Nothing
        } else if under("/nexus/v3") {
            Self::Provisioning
        } else {
            Self::Nothing
        }
    }

    /// The name of a path in metrics: a caller cannot invent one.
    fn name(self, path: &str) -> &'static str {
        match self {
            Self::Designer => Designer::name(path),
            Self::Tenant => TenantService::name(path),
            Self::Campaigns => Campaigning::name(path),
            Self::Provisioning => "/nexus/v3/{kind}",
            Self::Nothing => "other",
        }
    }
}

impl Internal {
    async fn route(&self, route: Route, request: Request, peer: &Peer) -> Response {
        let who = || self.front.known(request.headers(), peer);
        match route {
            Route::Designer => self.designer.call(who(), request).await,
            Route::Tenant => self.tenant.call(who(), request).await,
            Route::Campaigns => self.campaigns.call(who(), request).await,
            Route::Provisioning => self
                .front
                .judged(self.provisioning.call(request).await, true, peer),
            Route::Nothing => nothing(&request),
        }
    }
}

impl Service for Internal {
    fn call<'a>(&'a self, request: Request, peer: &'a Peer) -> LocalBoxFuture<'a, Response> {
        let path = request.uri().path();
        let route = Route::of(path);
        let asked = Asked::now(route.name(path), request.method());
        Box::pin(async move {
            self.front.prepared(request.headers()).await;
            let response = self.route(route, request, peer).await;
            self.front.counted(&asked, response, peer)
        })
    }

    fn refuse(&self, refusal: Refusal, target: Option<&str>) -> Response {
        front::refuse(refusal, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prefix_has_its_handler_and_customers_have_none() {
        assert_eq!(Route::of("/nexus/v3/routing/endpoints"), Route::Designer);
        assert_eq!(Route::of("/nexus/v3/esp/Chat/Message"), Route::Tenant);
        assert_eq!(Route::of("/nexus/v3/campaigns/stream"), Route::Campaigns);
        assert_eq!(Route::of("/nexus/v3/queues"), Route::Provisioning);
        assert_eq!(Route::of("/nexus/v3/chat/sessions"), Route::Nothing);
        assert_eq!(Route::of("/ux/workspace/"), Route::Nothing);
    }
}
