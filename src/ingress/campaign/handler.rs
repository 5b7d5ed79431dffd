//! From a request to its answer.

use std::rc::Rc;

use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::accept::unavailable;
use super::buffer::Buffer;
use super::route::{NoRoute, Route};
use super::stream::{self, Consumer};
use crate::ingress::answer;
use crate::model::TenantId;
use crate::net::http::{Body, BodyError, Request, Response};
use crate::net::websocket::{Offer, SocketLimits};
use crate::protocol::campaign::{BATCH_MAX, BatchRequest};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, accepted, success};
use crate::provisioning::Snapshots;
use crate::provisioning::access::Principal;
use crate::runtime::{DrainToken, Phase};
use crate::shard::{Campaigns, Shards};

/// What connection 6 is made of.
pub struct CampaigningParts {
    /// The core's shards.
    pub shards: Shards,
    /// Batches and feeds.
    pub campaigns: Rc<Campaigns>,
    /// Channels and keys.
    pub snapshots: Snapshots,
    /// Ends the streams.
    pub drain: DrainToken,
    /// Lanes of effects that may wait before batches are refused.
    pub buffer: usize,
    /// Bounds of one stream.
    pub socket: Rc<SocketLimits>,
}

/// Connection 6 on one core.
pub struct Campaigning {
    pub(super) shards: Shards,
    pub(super) campaigns: Rc<Campaigns>,
    pub(super) snapshots: Snapshots,
    pub(super) buffer: Buffer,
    drain: DrainToken,
    socket: Rc<SocketLimits>,
}

impl Campaigning {
    /// Connection 6 with its surroundings.
    #[must_use]
    pub fn new(parts: CampaigningParts) -> Self {
        Self {
            shards: parts.shards,
            campaigns: parts.campaigns,
            snapshots: parts.snapshots,
            buffer: Buffer::new(parts.buffer),
            drain: parts.drain,
            socket: parts.socket,
        }
    }

    /// The bounded name of a path in metrics.
    #[must_use]
    pub fn name(path: &str) -> &'static str {
        Route::name(path)
    }

    /// Answers a request below `/nexus/v3/campaigns`. Credentials are asked for before a path is looked at.
    pub async fn call(&self, who: Result<Principal, Fault>, request: Request) -> Response {
        let route = Route::of(request.method(), request.uri().path());
        let no_route = route.as_ref().err().copied();
        let answered = async {
            let who = who?;
            let route = route.map_err(NoRoute::fault)?;
            if !who.allows("campaign", route.action()) {
                let needs = format!("needs nexus:campaign:{}", route.action());
                return Err(Fault::new(Code::Forbidden).detail(needs));
            }
            let tenant = tenant_of(&who, request.uri().query(), request.headers())?;
            match route {
                Route::Stream => self.stream(who, tenant, &request),
                Route::Post(campaign) => self.post(tenant, campaign, request).await,
                Route::Read(campaign, batch) => self.read(tenant, &campaign, &batch).await,
            }
        };
        answered.await.unwrap_or_else(|fault| {
            let mut response = answer::fault(Dialect::Numeric, &CallIds::default(), &fault);
            if let (Code::MethodNotAllowed, Some(NoRoute::Method(allowed))) = (fault.code, no_route) {
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static(allowed));
            }
            response
        })
    }

    async fn post(&self, tenant: TenantId, campaign: String, request: Request) -> Result<Response, Fault> {
        let (head, body) = request.into_parts();
        if !is_json(&head.headers) {
            return Err(Code::UnsupportedType.into());
        }
        let asked = BatchRequest::parse(&whole(body).await?)?;
        let batch = self.accept(tenant, campaign, &asked).await?;
        let data: Value = batch.acceptance();
        let body = accepted(&CallIds::default(), Some(&data));
        Ok(answer::json(StatusCode::ACCEPTED, body))
    }

    async fn read(&self, tenant: TenantId, campaign: &str, batch: &str) -> Result<Response, Fault> {
        let log = Campaigns::log_of(tenant, campaign, batch);
        let known = self.campaigns.batch(log).await.map_err(unavailable)?;
        if known.batch.head().is_none() {
            return Err(Code::NotFound.into());
        }
        let body = success(Dialect::Numeric, &CallIds::default(), &known.batch.picture());
        Ok(answer::json(StatusCode::OK, body))
    }

    fn stream(&self, who: Principal, tenant: TenantId, request: &Request) -> Result<Response, Fault> {
        if self.drain.phase() >= Phase::Closing {
            return Err(Fault::unavailable(std::time::Duration::from_secs(1)));
        }
        let offer = match Offer::of(request) {
            Ok(offer) => offer,
            Err(error) => {
                let fault = Fault::new(Code::Malformed).detail(error.to_string());
                let mut response = answer::fault(Dialect::Numeric, &CallIds::default(), &fault);
                *response.status_mut() = error.status();
                error.headers(response.headers_mut());
                return Ok(response);
            }
        };
        let consumer = Consumer {
            tenant,
            who,
            campaigns: Rc::clone(&self.campaigns),
            snapshots: self.snapshots.clone(),
            drain: self.drain.clone(),
        };
        Ok(offer.accept(None, Rc::clone(&self.socket), move |socket| {
            stream::serve(consumer, socket)
        }))
    }
}

async fn whole(body: Body) -> Result<Vec<u8>, Fault> {
    body.collect(BATCH_MAX).await.map_err(|error| {
        Fault::new(match error {
            BodyError::TooLarge => Code::TooLarge,
            BodyError::TooSlow => Code::RequestTimeout,
            BodyError::Cut | BodyError::Malformed => Code::Malformed,
        })
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// The caller's tenant, or for operators the one they name by `x-ccid` or `?ccid=`; everybody else's is not there.
fn tenant_of(who: &Principal, query: Option<&str>, headers: &HeaderMap) -> Result<TenantId, Fault> {
    let bad = || Fault::new(Code::BadValue).detail("ccid");
    let header = headers.get("x-ccid").map(|value| value.to_str().unwrap_or("?"));
    let mut named = header;
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let value = pair.strip_prefix("ccid=").ok_or_else(bad)?;
        if named.is_some_and(|before| before != value) {
            return Err(bad());
        }
        named = Some(value);
    }
    let Some(named) = named else { return Ok(who.tenant) };
    let named: TenantId = named.parse().map_err(|_| bad())?;
    if named != who.tenant && !who.is_operator() {
        return Err(Code::NotFound.into());
    }
    Ok(named)
}
