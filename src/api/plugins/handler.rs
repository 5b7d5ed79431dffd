//! From a request below `/admin/ux` to its answer.

use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::preview::preview;
use super::session::{begin, end, enter, own_page};
use crate::api::auth::authenticate;
use crate::api::provisioning::ProvisioningApi;
use crate::api::{pages, refusals, ux};
use crate::ingress::answer;
use crate::model::Millis;
use crate::net::Peer;
use crate::net::http::{Body, Request, Response};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, success};
use crate::protocol::plugin_session::LIFETIME_MS;
use crate::provisioning::Snapshots;
use crate::provisioning::access::{Access, Principal};
use crate::runtime::Clock;

/// Bytes of a sign-in or a preview.
const BODY: usize = 64 * 1024;
/// The collections of the pages, by the id under which Designer knows the plug-in, with the page's address.
const PLUGINS: [(&str, &str, &str); 4] = [
    ("nexuspii", "pii-rules", "/admin/ux/"),
    ("nexusfc", "field-codes", "/admin/ux/fieldcodes/"),
    ("nexuscv", "custom-variables", "/admin/ux/customvariables/"),
    ("nexussr", "standard-responses", "/admin/ux/sr/"),
];

/// The plug-in pages of one core.
pub struct Plugins {
    access: Arc<Access>,
    snapshots: Snapshots,
    provisioning: ProvisioningApi,
    clock: Clock,
}

impl Plugins {
    /// The pages over the provisioning API.
    #[must_use]
    pub fn new(
        access: Arc<Access>,
        snapshots: Snapshots,
        provisioning: ProvisioningApi,
        clock: Clock,
    ) -> Self {
        Self {
            access,
            snapshots,
            provisioning,
            clock,
        }
    }

    /// Answers a request; `None` for a path where nothing is.
    pub async fn call(&self, request: Request, peer: &Peer) -> Option<Response> {
        let path = request.uri().path();
        if path == "/admin/ux/loadplugin" {
            return Some(told(self.load(request, peer).await));
        }
        if let Some(rest) = path.strip_prefix("/admin/ux/api/") {
            let rest = rest.to_owned();
            return Some(match self.api(request, &rest, peer).await {
                Ok(response) => response,
                Err(fault) => told(Err(fault)),
            });
        }
        pages::serve(ux::plugins::ASSETS, request.method(), path, request.headers())
    }

    /// `POST /admin/ux/loadplugin`: a token for a session. JSON only: no form of another site can send it.
    async fn load(&self, request: Request, peer: &Peer) -> Result<Response, Fault> {
        if request.method() != Method::POST {
            return Err(Code::MethodNotAllowed.into());
        }
        let (head, body) = request.into_parts();
        let body = object(&head.headers, body).await?;
        let text = |name: &'static str| {
            let value = body.get(name).and_then(Value::as_str);
            value.ok_or_else(|| Fault::new(Code::MissingField).detail(name))
        };
        let (plugin, token) = (text("plugin")?, text("token")?);
        let (_, collection, page) = PLUGINS
            .into_iter()
            .find(|(id, ..)| *id == plugin)
            .ok_or_else(|| Fault::new(Code::BadValue).detail("plugin"))?;
        self.access.await_key(token).await;
        let now = self.now();
        let mut bearer = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Code::BadToken)?;
        bearer.insert(hyper::header::AUTHORIZATION, value);
        let who = authenticate(&self.access, &self.snapshots.load(), &bearer, now)?;
        if !who.allows("routing", "read") {
            return Err(Fault::new(Code::Forbidden).detail("needs nexus:routing:read"));
        }
        let cookie = begin(&self.snapshots, token, now, peer.tls)?;
        let data = json!({"plugin": plugin, "collection": collection, "url": page,
            "expiresInSec": LIFETIME_MS / 1_000});
        let mut response = ok(&data);
        response.headers_mut().insert(SET_COOKIE, cookie);
        response
            .headers_mut()
            .insert(LOCATION, HeaderValue::from_static(page));
        Ok(response)
    }

    async fn api(&self, request: Request, rest: &str, peer: &Peer) -> Result<Response, Fault> {
        own_page(request.headers())?;
        let (mut head, body) = request.into_parts();
        let now = self.now();
        let snapshot = self.snapshots.load_full();
        let ends = enter(&mut head.headers, &snapshot, now)?;
        let who = authenticate(&self.access, &snapshot, &head.headers, now)?;
        match (rest, &head.method) {
            ("session", &Method::GET) => Ok(ok(&about(&who, ends.since(now) / 1_000))),
            ("session", &Method::DELETE) => {
                let mut response = ok(&json!({}));
                response.headers_mut().insert(SET_COOKIE, end(peer.tls)?);
                Ok(response)
            }
            ("preview", &Method::POST) => {
                if !who.allows("routing", "read") {
                    return Err(Code::Forbidden.into());
                }
                let asked = object(&head.headers, body).await?;
                Ok(ok(&preview(&snapshot, who.tenant, &asked)?))
            }
            ("session" | "preview", _) => Err(Code::MethodNotAllowed.into()),
            _ => {
                let collection = rest.split('/').next().unwrap_or_default();
                if !PLUGINS.iter().any(|(_, known, _)| *known == collection) {
                    return Err(Code::NotFound.into());
                }
                let query = head
                    .uri
                    .query()
                    .map_or(String::new(), |query| format!("?{query}"));
                let target = format!("/nexus/v3/{rest}{query}");
                head.uri = target.parse().map_err(|_| Code::Malformed)?;
                Ok(self.provisioning.call(Request::from_parts(head, body)).await)
            }
        }
    }

    fn now(&self) -> Millis {
        Millis(self.clock.wall_ms())
    }
}

/// Who sits here, and what the page may offer them.
fn about(who: &Principal, seconds: u64) -> Value {
    let may = |action: &str| who.allows("routing", action);
    json!({"actor": who.actor(), "expiresInSec": seconds,
        "may": {"create": may("create"), "update": may("update"), "delete": may("delete")}})
}

/// The `data` of a JSON body, or the body itself.
async fn object(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Fault> {
    let json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
    if !json {
        return Err(Code::UnsupportedType.into());
    }
    let body = body.collect(BODY).await;
    let body = body.map_err(|error| refusals::fault(error.into()))?;
    let mut outer: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| Code::Malformed)?;
    match outer.remove("data") {
        Some(Value::Object(data)) => Ok(data),
        Some(_) => Err(Fault::new(Code::BadValue).detail("data")),
        None => Ok(outer),
    }
}

fn ok(data: &Value) -> Response {
    answer::json(
        StatusCode::OK,
        success(Dialect::Numeric, &CallIds::default(), data),
    )
}

fn told(outcome: Result<Response, Fault>) -> Response {
    outcome.unwrap_or_else(|fault| answer::fault(Dialect::Numeric, &CallIds::default(), &fault))
}
