//! The public listener: customers, agents, administrators and the pages, each under its paths.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use uuid::Uuid;

use crate::ingress::answer;
use crate::ingress::widgets::Widgets;
use crate::ingress::workspace::{AgentPrincipal, Workspace};
use crate::model::Millis;
use crate::net::Peer;
use crate::net::http::{Refusal, Request, Response, ResponseBody, Service};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault};
use crate::provisioning::Snapshots;
use crate::provisioning::access::{Access, Principal};
use crate::runtime::{Clock, KeyedLimit};
use crate::telemetry::{ApiMetrics, CoreTally, Count};

use super::auth::authenticate;
use super::documents::DOCUMENTS;
use super::pages::{self, Asset};
use super::provisioning::ProvisioningApi;
use super::{refusals, route, ux};

/// What the public listener of one core is made of.
pub struct PublicParts {
    /// Connection 2.
    pub widgets: Widgets,
    /// Connection 3.
    pub workspace: Workspace,
    /// The provisioning API.
    pub provisioning: ProvisioningApi,
    /// Who may come in.
    pub access: Arc<Access>,
    /// What is provisioned.
    pub snapshots: Snapshots,
    /// How often an address may present credentials that are refused.
    pub refused: KeyedLimit<IpAddr>,
    /// The time.
    pub clock: Clock,
    /// The body of `/ux/widget/config.json`, where the development tenant is served.
    pub widget_settings: Option<Bytes>,
    /// The counters of this core.
    pub tally: CoreTally,
}

/// Everything the public listener of one core serves.
pub struct Public {
    widgets: Widgets,
    workspace: Workspace,
    provisioning: ProvisioningApi,
    access: Arc<Access>,
    snapshots: Snapshots,
    /// Refused credentials by address: guessing is slow.
    refused: RefCell<KeyedLimit<IpAddr>>,
    clock: Clock,
    /// The body of `/ux/widget/config.json`, where the development tenant is served.
    widget_settings: Option<Bytes>,
    metrics: ApiMetrics,
    tally: CoreTally,
}

impl Public {
    /// The handlers of one core.
    #[must_use]
    pub fn new(parts: PublicParts) -> Self {
        let PublicParts {
            widgets,
            workspace,
            provisioning,
            access,
            snapshots,
            refused,
            clock,
            widget_settings,
            tally,
        } = parts;
        Self {
            widgets,
            workspace,
            provisioning,
            access,
            snapshots,
            refused: RefCell::new(refused),
            clock,
            widget_settings,
            metrics: ApiMetrics::new(),
            tally,
        }
    }

    async fn route(&self, request: Request, peer: &Peer) -> Response {
        match route::Public::of(request.uri().path()) {
            route::Public::Provisioning => self.judged(self.provisioning.call(request).await, true, peer),
            route::Public::Widgets => self.widgets.handle(request, peer).await,
            route::Public::Workspace => {
                let who = self.principal(&request).and_then(agent);
                let refused = who.is_err();
                let response = self.workspace.call(who, request, peer).await;
                self.judged(response, refused, peer)
            }
            route::Public::Page => self.page(&request),
            route::Public::Nothing => nothing(&request),
        }
    }

    fn principal(&self, request: &Request) -> Result<Principal, Fault> {
        authenticate(
            &self.access,
            &self.snapshots.load(),
            request.headers(),
            Millis(self.clock.wall_ms()),
        )
    }

    /// An address that keeps presenting credentials that are refused is slowed down.
    fn judged(&self, response: Response, presented: bool, peer: &Peer) -> Response {
        if !presented || response.status() != StatusCode::UNAUTHORIZED {
            return response;
        }
        match self
            .refused
            .borrow_mut()
            .take(peer.addr.ip(), 1, self.clock.now())
        {
            Ok(()) => response,
            Err(limited) => answer::fault(
                Dialect::Numeric,
                &CallIds::default(),
                &Fault::throttled(limited.retry_after),
            ),
        }
    }

    fn page(&self, request: &Request) -> Response {
        let (method, path) = (request.method(), request.uri().path());
        if path == "/" {
            return redirect("/ux/widget/");
        }
        if let ("/ux/widget/config.json", Some(settings)) = (path, &self.widget_settings) {
            return answer::json(StatusCode::OK, settings.clone());
        }
        let sets: [&[Asset]; 3] = [ux::widget::ASSETS, ux::workspace::ASSETS, DOCUMENTS];
        let served = sets
            .into_iter()
            .find_map(|assets| pages::serve(assets, method, path, request.headers()));
        served.unwrap_or_else(|| nothing(request))
    }
}

impl Service for Public {
    fn call<'a>(&'a self, request: Request, peer: &'a Peer) -> LocalBoxFuture<'a, Response> {
        Box::pin(async move {
            let began = Instant::now();
            let (name, method) = (route::name(request.uri().path()), method_name(request.method()));
            let response = secured(self.route(request, peer).await, peer);
            self.tally.count(Count::Request);
            self.metrics
                .observe(response.status().as_u16(), name, method, began.elapsed());
            response
        })
    }

    fn refuse(&self, refusal: Refusal, target: Option<&str>) -> Response {
        let dialect = Dialect::of_path(target.unwrap_or_default());
        let reference = reference();
        answer::fault(
            dialect,
            &CallIds {
                reference: &reference,
                operation: None,
            },
            &refusals::fault(refusal),
        )
    }
}

/// The agent a bearer token stands for; an API key stands for none.
fn agent(principal: Principal) -> Result<AgentPrincipal, Fault> {
    match principal.agent() {
        Some(agent) => Ok(AgentPrincipal {
            tenant: principal.tenant,
            agent: agent.clone(),
        }),
        None => Err(Code::Forbidden.into()),
    }
}

/// A path that is nobody's, in the dialect of its neighbours.
fn nothing(request: &Request) -> Response {
    let reference = reference();
    let ids = CallIds {
        reference: &reference,
        operation: None,
    };
    answer::fault(
        Dialect::of_path(request.uri().path()),
        &ids,
        &Fault::new(Code::NotFound),
    )
}

fn redirect(to: &'static str) -> Response {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static(to));
    response
}

/// Over TLS a browser is told to stay there; a development certificate must not bind it for long.
fn secured(mut response: Response, peer: &Peer) -> Response {
    let headers = response.headers_mut();
    headers
        .entry(HeaderName::from_static("x-content-type-options"))
        .or_insert(HeaderValue::from_static("nosniff"));
    if peer.tls && !peer.addr.ip().is_loopback() {
        headers.insert(
            "strict-transport-security",
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

fn reference() -> String {
    Uuid::new_v4().hyphenated().to_string()
}

/// Methods as they stand in metrics; what a caller made up is one name.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [(&Method, &str); 7] = [
        (&Method::GET, "GET"),
        (&Method::POST, "POST"),
        (&Method::PUT, "PUT"),
        (&Method::DELETE, "DELETE"),
        (&Method::OPTIONS, "OPTIONS"),
        (&Method::HEAD, "HEAD"),
        (&Method::PATCH, "PATCH"),
    ];
    KNOWN
        .iter()
        .find(|(known, _)| *known == method)
        .map_or("other", |(_, name)| name)
}
