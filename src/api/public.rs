//! The public listener: customers, agents, administrators and the pages, each under its paths.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use hyper::header::{COOKIE, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};

use crate::ingress::aggregators::Aggregators;
use crate::ingress::answer;
use crate::ingress::media::GivenFiles;
use crate::ingress::messaging::Messaging;
use crate::ingress::securemail::SecureMail;
use crate::ingress::widgets::Widgets;
use crate::ingress::workspace::{AgentPrincipal, Workspace};
use crate::net::Peer;
use crate::net::http::{Refusal, Request, Response, ResponseBody, Service};
use crate::protocol::envelope::{Code, Dialect, Fault};
use crate::provisioning::access::Principal;

use super::contacts::Contacts;
use super::dead_letters::DeadLetters;
use super::documents::DOCUMENTS;
use super::front::{self, Asked, Front, nothing};
use super::pages::{self, Asset};
use super::plugins::Plugins;
use super::provisioning::ProvisioningApi;
use super::{route, ux};

/// Everything the public listener of one core serves.
pub struct Public {
    /// What it shares with the other listener.
    pub front: Rc<Front>,
    /// Connection 2.
    pub widgets: Widgets,
    /// Connection 3.
    pub workspace: Workspace,
    /// Connection 1.
    pub messaging: Messaging,
    /// Files at the addresses that were given out for them.
    pub files: GivenFiles,
    /// Secure e-mail.
    pub securemail: SecureMail,
    /// Connection 11, inwards.
    pub aggregators: Aggregators,
    /// What could not be delivered.
    pub dead_letters: DeadLetters,
    /// All that is kept of a contact.
    pub contacts: Contacts,
    /// The plug-in pages of Designer.
    pub plugins: Plugins,
    /// The provisioning API.
    pub provisioning: ProvisioningApi,
    /// The body of `/ux/widget/config.json`, where the development tenant is served.
    pub widget_settings: Option<Bytes>,
}

impl Public {
    /// The answer of whoever the path belongs to. What is asked for rarely is boxed: every request makes room for the largest of the
    /// others.
    async fn route(&self, request: Request, peer: &Peer) -> Response {
        let front = &self.front;
        match route::Public::of(request.uri().path()) {
            route::Public::Widgets => self.widgets.handle(request, peer).await,
            route::Public::Aggregators => self.aggregators.call(request).await,
            route::Public::Provisioning => {
                front.judged(Box::pin(self.provisioning.call(request)).await, true, peer)
            }
            // A signature that does not fit is slowed down like a credential that is refused.
            route::Public::Messaging => {
                front.judged(Box::pin(self.messaging.call(request)).await, true, peer)
            }
            route::Public::Media => Box::pin(self.files.call(&request)).await,
            route::Public::DeadLetters => {
                let who = front.principal(request.headers());
                let response = Box::pin(self.dead_letters.call(who, request)).await;
                front.judged(response, true, peer)
            }
            route::Public::Contacts => {
                let who = front.principal(request.headers());
                let response = Box::pin(self.contacts.call(who, request)).await;
                front.judged(response, true, peer)
            }
            route::Public::SecureMail => {
                let response = Box::pin(self.securemail.call(request)).await;
                front.judged_in(Dialect::Chat, response, true, peer)
            }
            route::Public::Workspace => {
                let who = front.principal(request.headers()).and_then(agent);
                let refused = who.is_err();
                let response = Box::pin(self.workspace.call(who, request, peer)).await;
                front.judged(response, refused, peer)
            }
            route::Public::Plugins => {
                let missing = nothing(&request);
                // A page that looks whether somebody is signed in does not guess.
                let shown = request.method() == Method::POST || request.headers().contains_key(COOKIE);
                let answered = Box::pin(self.plugins.call(request, peer)).await;
                front.judged(answered.unwrap_or(missing), shown, peer)
            }
            route::Public::Page => self.page(&request),
            route::Public::Nothing => nothing(&request),
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
        let asked = Asked::now(route::name(request.uri().path()), request.method());
        Box::pin(async move {
            self.front.prepared(request.headers()).await;
            let response = self.route(request, peer).await;
            self.front.counted(&asked, response, peer)
        })
    }

    fn refuse(&self, refusal: Refusal, target: Option<&str>) -> Response {
        front::refuse(refusal, target)
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

fn redirect(to: &'static str) -> Response {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static(to));
    response
}
