//! Calls to targets, each behind its own bulkhead and its host's circuit breaker: a target that hangs holds its own places and
//! nobody else's. A tenant's targets share what they take beyond a few places of their own, so that however many of them hang, one that is well
//! goes on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use uuid::Uuid;

use crate::model::TenantId;
use crate::net::client::{
    Answer, Breaker, BreakerPolicy, Bulkhead, Call, CallError, Client, Excess, Guard, Passage, Slot,
};
use crate::protocol::channel::HttpCall;
use crate::runtime::Clock;

/// Calls to one target at once.
const PER_TARGET: usize = 8;
/// Calls to it that none of its tenant's other targets can take the place of.
const OWN: usize = 2;
/// Calls of one tenant at once, beside those.
const PER_TENANT: usize = 64;
/// How long a call waits for its target's place.
const PATIENCE: Duration = Duration::from_secs(2);
/// Those who may wait for one target's places.
const WAITING: usize = 256;
/// Hosts whose health is remembered.
const HOSTS: usize = 4_096;
/// What a receiver has to answer within (contract sections 2 and 12).
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Of an answer's body so much is read.
const ANSWER: usize = 64 * 1_024;

/// Who is called, and on whose behalf.
#[derive(Debug, Clone)]
pub struct Callee<'c> {
    /// On whose behalf.
    pub tenant: TenantId,
    /// The target by its kind and id: what a bulkhead is kept for.
    pub target: &'c str,
    /// Who gave the address.
    pub guard: Guard,
}

/// Why a call was not answered.
#[derive(Debug)]
pub enum NotAnswered {
    /// Nothing was sent: the target is busy, or its host is left alone for a while.
    Spared(Duration),
    /// It was tried.
    Failed(CallError),
}

/// The way out of one core. Cheap to clone.
#[derive(Clone)]
pub struct Calls(Rc<Inner>);

struct Inner {
    client: Client,
    clock: Clock,
    targets: Bulkhead<String>,
    own: Bulkhead<String>,
    tenants: Bulkhead<TenantId>,
    breakers: RefCell<HashMap<String, Breaker>>,
    policy: BreakerPolicy,
}

impl Calls {
    /// The way out over a core's client.
    #[must_use]
    pub fn new(client: Client, clock: Clock) -> Self {
        Self(Rc::new(Inner {
            client,
            clock,
            targets: Bulkhead::new(PER_TARGET, WAITING),
            own: Bulkhead::new(OWN, PER_TARGET),
            tenants: Bulkhead::new(PER_TENANT, WAITING),
            breakers: RefCell::default(),
            policy: BreakerPolicy::default(),
        }))
    }

    /// The clock everything here goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Makes a call that a dialect has put together, with [`DEADLINE`].
    ///
    /// # Errors
    /// [`NotAnswered`].
    pub async fn make(&self, callee: &Callee<'_>, call: HttpCall) -> Result<Answer, NotAnswered> {
        self.make_within(callee, call, DEADLINE).await
    }

    /// The same with another deadline.
    ///
    /// # Errors
    /// [`NotAnswered`].
    pub async fn make_within(
        &self,
        callee: &Callee<'_>,
        call: HttpCall,
        deadline: Duration,
    ) -> Result<Answer, NotAnswered> {
        let method = Method::from_bytes(call.method.as_bytes()).unwrap_or(Method::POST);
        let mut request = Call::new(method, call.url, callee.guard);
        request.headers = headers(&call.headers);
        request.body = call.body;
        request.deadline = Some(deadline);
        request.max_response = Some(ANSWER);
        request.excess = Excess::Cut;
        self.send(callee, request).await
    }

    /// Makes any call behind the target's bulkhead and its host's breaker.
    ///
    /// # Errors
    /// [`NotAnswered`].
    pub async fn send(&self, callee: &Callee<'_>, request: Call) -> Result<Answer, NotAnswered> {
        let inner = &self.0;
        let busy = NotAnswered::Spared(Duration::from_secs(1));
        let Ok(_target) = inner.targets.enter(callee.target.to_owned(), PATIENCE).await else {
            return Err(busy);
        };
        // Who waits for one waits for the other as well: whichever is free first.
        let _place = tokio::select! {
            biased;
            Ok(own) = inner.own.enter(callee.target.to_owned(), PATIENCE) => Place::Own(own),
            Ok(shared) = inner.tenants.enter(callee.tenant, PATIENCE) => Place::Shared(shared),
            else => return Err(busy),
        };
        let host = host_of(&request.url);
        if let Passage::Shut(until) =
            self.breaker(&host, |breaker| breaker.ask(&inner.policy, inner.clock.now()))
        {
            return Err(NotAnswered::Spared(until));
        }
        let outcome = inner.client.send(request).await;
        let healthy = matches!(&outcome, Ok(answer) if !answer.status.is_server_error());
        self.breaker(&host, |breaker| {
            if healthy {
                breaker.succeeded();
            } else {
                let dice = Uuid::new_v4().as_u64_pair().0;
                breaker.failed(&inner.policy, inner.clock.now(), dice);
            }
        });
        outcome.map_err(NotAnswered::Failed)
    }

    fn breaker<T>(&self, host: &str, with: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.0.breakers.borrow_mut();
        if breakers.len() >= HOSTS && !breakers.contains_key(host) {
            // What is forgotten is tried once more, which is what a breaker does anyway.
            breakers.clear();
        }
        with(breakers.entry(host.to_owned()).or_default())
    }
}

/// What a call holds of its tenant's while it lasts.
#[expect(dead_code, reason = "held, never looked at")]
enum Place {
    Own(Slot<String>),
    Shared(Slot<TenantId>),
}

/// A dialect's headers as a request carries them. A value that is no header value is left out.
#[must_use]
pub fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        // A value that is no header value was refused by its dialect.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    headers
}

/// Scheme and authority of an address.
fn host_of(url: &str) -> String {
    let end = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[end..];
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{}{}", &url[..end], authority.to_ascii_lowercase())
}
