//! What the listeners have in common: who calls, how often an address may guess, what is counted, and the words for
//! what is nobody's. One for each core, shared by its listeners, so that an address that guesses at one is slow at both.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::header::{HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};
use uuid::Uuid;

use crate::ingress::answer;
use crate::model::Millis;
use crate::net::Peer;
use crate::net::http::{Refusal, Request, Response};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault};
use crate::provisioning::Snapshots;
use crate::provisioning::access::{Access, Principal};
use crate::runtime::{Clock, KeyedLimit};
use crate::telemetry::{ApiMetrics, CoreTally, Count};

use super::auth::{authenticate, await_key};
use super::refusals;

/// What metrics say of a request.
pub struct Asked {
    name: &'static str,
    method: &'static str,
    began: Instant,
}

impl Asked {
    /// A request that begins now. `name`: the bounded name of its path.
    #[must_use]
    pub fn now(name: &'static str, method: &Method) -> Self {
        Self {
            name,
            method: method_name(method),
            began: Instant::now(),
        }
    }
}

/// What every listener of one core asks before and after its handlers.
pub struct Front {
    access: Arc<Access>,
    snapshots: Snapshots,
    /// Refused credentials by address: guessing is slow.
    refused: RefCell<KeyedLimit<IpAddr>>,
    clock: Clock,
    metrics: ApiMetrics,
    tally: CoreTally,
}

impl Front {
    /// The front of one core. `refused`: how often an address may present credentials that are refused.
    #[must_use]
    pub fn new(
        access: Arc<Access>,
        snapshots: Snapshots,
        refused: KeyedLimit<IpAddr>,
        clock: Clock,
        tally: CoreTally,
    ) -> Self {
        Self {
            access,
            snapshots,
            refused: RefCell::new(refused),
            clock,
            metrics: ApiMetrics::new(),
            tally,
        }
    }

    /// Waits a moment for what it takes to judge the credentials of a request. Before anything asks who sent it.
    pub async fn prepared(&self, headers: &HeaderMap) {
        await_key(&self.access, headers).await;
    }

    /// Who sent these headers.
    ///
    /// # Errors
    /// 401 with the code of what was refused.
    pub fn principal(&self, headers: &HeaderMap) -> Result<Principal, Fault> {
        let now = Millis(self.clock.wall_ms());
        authenticate(&self.access, &self.snapshots.load(), headers, now)
    }

    /// As [`Self::principal`]; an address that keeps presenting credentials that are refused is slowed down.
    ///
    /// # Errors
    /// Also 429.
    pub fn known(&self, headers: &HeaderMap, peer: &Peer) -> Result<Principal, Fault> {
        let who = self.principal(headers);
        match &who {
            Err(fault) if fault.code.status() == 401 => self.slowed(peer).and(who),
            _ => who,
        }
    }

    /// The same for an answer that may be a refusal of credentials: `presented`.
    pub fn judged(&self, response: Response, presented: bool, peer: &Peer) -> Response {
        self.judged_in(Dialect::Numeric, response, presented, peer)
    }

    /// The same where the refusal is told in another dialect.
    pub fn judged_in(&self, dialect: Dialect, response: Response, presented: bool, peer: &Peer) -> Response {
        if !presented || response.status() != StatusCode::UNAUTHORIZED {
            return response;
        }
        match self.slowed(peer) {
            Ok(()) => response,
            Err(fault) => answer::fault(dialect, &CallIds::default(), &fault),
        }
    }

    fn slowed(&self, peer: &Peer) -> Result<(), Fault> {
        let mut refused = self.refused.borrow_mut();
        let taken = refused.take(&peer.addr.ip(), 1, self.clock.now());
        taken.map_err(|limited| Fault::throttled(limited.retry_after))
    }

    /// Secures an answer, and counts it.
    pub fn counted(&self, asked: &Asked, response: Response, peer: &Peer) -> Response {
        let response = secured(response, peer);
        self.tally.count(Count::Request);
        let (code, took) = (response.status().as_u16(), asked.began.elapsed());
        self.metrics.observe(code, asked.name, asked.method, took);
        response
    }
}

/// The answer to a request that the network layer refused, in the dialect of its path.
#[must_use]
pub fn refuse(refusal: Refusal, target: Option<&str>) -> Response {
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

/// A path that is nobody's, in the dialect of its neighbours.
#[must_use]
pub fn nothing(request: &Request) -> Response {
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

/// Over TLS a browser is told to stay there; a development certificate must not bind it for long.
fn secured(mut response: Response, peer: &Peer) -> Response {
    let headers = response.headers_mut();
    headers
        .entry(X_CONTENT_TYPE_OPTIONS)
        .or_insert(HeaderValue::from_static("nosniff"));
    if peer.tls && !peer.addr.ip().is_loopback() {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
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
