//! From a request to its answer.

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::catalogue;
use super::interaction::picture;
use super::query::Query;
use super::route::{NoRoute, Route};
use super::target::Wanted;
use crate::ingress::answer;
use crate::ingress::codes::{Values, profile};
use crate::ingress::fields::Reader;
use crate::ingress::outcome::{rejected, session_of};
use crate::model::{LogId, TenantId, UserDataChange};
use crate::net::http::{Body, Request, Response};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, success};
use crate::provisioning::Snapshots;
use crate::provisioning::access::Principal;
use crate::provisioning::masking::Maskers;
use crate::routing::{priority, route};
use crate::session::{ServiceAct, SessionInput};
use crate::shard::Shards;

/// Connection 4 on one core.
pub struct Designer {
    shards: Shards,
    snapshots: Snapshots,
    reader: Reader,
    maskers: Maskers,
}

impl Designer {
    /// The interface over this core's shards; bodies have at most `body` bytes.
    #[must_use]
    pub fn new(shards: Shards, snapshots: Snapshots, body: usize) -> Self {
        Self {
            shards,
            snapshots,
            reader: Reader::new(body),
            maskers: Maskers::default(),
        }
    }

    /// The bounded name of a path in metrics.
    #[must_use]
    pub fn name(path: &str) -> &'static str {
        Route::name(path)
    }

    /// Answers a request below `/nexus/v3/routing`. Credentials are asked for before a path is looked at.
    pub async fn call(&self, who: Result<Principal, Fault>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let route = Route::of(&head.method, head.uri.path());
        let answered = async {
            let who = who?;
            let route = route.map_err(NoRoute::fault)?;
            if !who.allows("routing", route.action()) {
                let needs = format!("needs nexus:routing:{}", route.action());
                return Err(Fault::new(Code::Forbidden).detail(needs));
            }
            let query = Query::parse(head.uri.query())?;
            let tenant = tenant_of(&who, &query, &head.headers)?;
            self.answer(tenant, route, &query, &head.headers, body).await
        };
        let ids = CallIds::default();
        match answered.await {
            Ok(data) => answer::json(StatusCode::OK, success(Dialect::Numeric, &ids, &data)),
            Err(fault) => {
                let mut response = answer::fault(Dialect::Numeric, &ids, &fault);
                if let (Code::MethodNotAllowed, Err(NoRoute::Method(allowed))) = (fault.code, route) {
                    response
                        .headers_mut()
                        .insert(ALLOW, HeaderValue::from_static(allowed));
                }
                response
            }
        }
    }

    async fn answer(
        &self,
        tenant: TenantId,
        route: Route,
        query: &Query,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Value, Fault> {
        match route {
            Route::Endpoints => Ok(catalogue::endpoints(&self.snapshots.load(), tenant)),
            Route::CustomVariables => Ok(catalogue::custom_variables(&self.snapshots.load(), tenant)),
            Route::PiiRules => Ok(catalogue::pii_rules(&self.snapshots.load(), tenant)),
            Route::StandardResponses | Route::FieldCodes => self.rendered(tenant, route, query).await,
            Route::Interaction(session) => self.interaction(tenant, session).await,
            Route::UserData(session) => self.user_data(tenant, session, headers, body).await,
            Route::Send(session) => self.send(tenant, session, headers, body).await,
        }
    }

    async fn rendered(&self, tenant: TenantId, route: Route, query: &Query) -> Result<Value, Fault> {
        let session = match query.get("interactionId") {
            None => None,
            Some(id) => {
                let session = id.parse().map_err(|_| Code::NotFound)?;
                Some(session_of(&self.shards, tenant, session).await?)
            }
        };
        let profile = match &session {
            Some(view) => profile(&self.shards, view).await?,
            None => serde_json::Map::new(),
        };
        let snapshot = self.snapshots.load_full();
        let agent = match query.get("agentId") {
            None => None,
            Some(login) => {
                let login = login.parse().map_err(|_| Code::NotFound)?;
                Some(snapshot.agent(tenant, &login).ok_or(Code::NotFound)?)
            }
        };
        let values = Values {
            snapshot: &snapshot,
            tenant,
            session: session.as_deref(),
            profile,
            agent: agent.map(|agent| &agent.value),
        };
        Ok(match route {
            Route::FieldCodes => catalogue::field_codes(&values),
            _ => catalogue::standard_responses(&values, query.get("language")),
        })
    }

    async fn interaction(&self, tenant: TenantId, session: LogId) -> Result<Value, Fault> {
        let view = session_of(&self.shards, tenant, session).await?;
        let masker = self.maskers.of(&self.snapshots.load(), tenant);
        let picture = picture(&view, &masker).ok_or(Code::NotFound)?;
        serde_json::to_value(picture).map_err(|_| Code::Internal.into())
    }

    async fn user_data(
        &self,
        tenant: TenantId,
        session: LogId,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Value, Fault> {
        let fields = self.reader.read(headers, body).await?;
        let data = fields.object(&["data", "userData"]);
        if data.is_empty() {
            return Err(Fault::new(Code::MissingField).detail("data.userData"));
        }
        session_of(&self.shards, tenant, session).await?;
        let act = ServiceAct::Data {
            change: UserDataChange::Attach,
            data,
        };
        self.act(session, act).await
    }

    async fn send(
        &self,
        tenant: TenantId,
        session: LogId,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Value, Fault> {
        let wanted = Wanted::read(&self.reader.read(headers, body).await?)?;
        let view = session_of(&self.shards, tenant, session).await?;
        let home = view.state.home().map(|place| place.queue.as_str());
        let found = route(&self.snapshots.load(), tenant, wanted.target(), home);
        let (mut place, prefer) =
            found.ok_or_else(|| Fault::new(Code::BadValue).detail("data.target.value"))?;
        place.priority = wanted.priority.map_or(place.priority, priority);
        place.offer_ms = wanted.offer_ms.unwrap_or(place.offer_ms);
        let queue = place.queue.clone();
        let mut told = self.act(session, ServiceAct::Route { place, prefer }).await?;
        told["queue"] = queue.into();
        Ok(told)
    }

    async fn act(&self, session: LogId, act: ServiceAct) -> Result<Value, Fault> {
        let done = self.shards.session(session, SessionInput::Service(act)).await;
        let reply = done.map_err(rejected)?;
        Ok(json!({"id": session.to_string(), "asOf": reply.n}))
    }
}

/// The caller's tenant, or for operators the one they name; everybody else's is not there.
fn tenant_of(who: &Principal, query: &Query, headers: &HeaderMap) -> Result<TenantId, Fault> {
    let header = headers.get("x-ccid").map(|value| value.to_str().unwrap_or("?"));
    let mut tenant = who.tenant;
    for named in [query.get("ccid"), header].into_iter().flatten() {
        let named: TenantId = named
            .parse()
            .map_err(|_| Fault::new(Code::BadValue).detail("ccid"))?;
        if named != who.tenant && !who.is_operator() {
            return Err(Code::NotFound.into());
        }
        if tenant != who.tenant && tenant != named {
            return Err(Fault::new(Code::BadValue).detail("ccid and x-ccid differ"));
        }
        tenant = named;
    }
    Ok(tenant)
}
