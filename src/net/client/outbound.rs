//! The client of one core: one call from its URL to its answer, under one deadline.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use tokio::time::timeout;

use crate::config::Outbound;
use crate::telemetry::names;

use super::connect::Dialer;
use super::exchange::{Link, NoAnswer, Wanted, read};
use super::pool::{Key, Many, One, Pool, Waiting};
use super::{Answer, Call, CallError, ErrorClass, Guard, Policy, Resolve, SystemResolver, Target, Trust};

/// What a client is made of; the same for all cores of a node.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    policy: Policy,
    trust: Trust,
    connect: Duration,
    deadline: Duration,
    max_response: usize,
    connections: usize,
    pool: usize,
    pool_idle: Duration,
}

impl ClientOptions {
    /// The options of the settings, for a node that listens at `own`.
    pub fn new(settings: &Outbound, trust: Trust, own: Vec<SocketAddr>) -> Self {
        Self {
            policy: Policy::new(settings, own),
            trust,
            connect: settings.connect_timeout,
            deadline: settings.deadline,
            max_response: settings.max_response.len(),
            connections: settings.connections,
            pool: settings.pool,
            pool_idle: settings.pool_idle,
        }
    }

    /// The rules of where calls may go, to judge a URL when it is saved.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// The HTTP client of one core. Cheap to clone; to be used within a `LocalSet` or a local runtime.
#[derive(Clone)]
pub struct Client(Rc<Shared>);

struct Shared {
    options: ClientOptions,
    resolver: Box<dyn Resolve>,
    pool: Rc<Pool>,
    open: Cell<usize>,
}

/// A call that counts among those that are open.
struct Open<'a>(&'a Cell<usize>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Client {
    /// A client that asks the machine's resolver.
    pub fn new(options: ClientOptions, resolver: SystemResolver) -> Self {
        Self::with_resolver(options, Box::new(resolver))
    }

    /// A client that asks `resolver`.
    pub fn with_resolver(options: ClientOptions, resolver: Box<dyn Resolve>) -> Self {
        let pool = Pool::new(options.pool, options.pool_idle);
        Self(Rc::new(Shared {
            options,
            resolver,
            pool,
            open: Cell::new(0),
        }))
    }

    /// The rules of where calls may go, to judge a URL when it is saved.
    pub fn policy(&self) -> &Policy {
        self.0.options.policy()
    }

    /// Makes one call. Any status is an answer. Dropping the future ends the call and closes its connection.
    ///
    /// A call goes out once. Only where a kept connection turned out to be closed does it go out on a new one:
    /// when not a byte of it had left, or when its method says that twice is as good as once.
    ///
    /// # Errors
    /// [`CallError`], no later than the deadline.
    pub async fn send(&self, call: Call) -> Result<Answer, CallError> {
        let guard = match call.guard {
            Guard::Public => "public",
            Guard::Operator => "operator",
        };
        let outcome = self.bounded(&call).await;
        let word = match &outcome {
            Ok(answer) if answer.status.is_success() => "success",
            Ok(answer) if answer.status.is_server_error() => "status_5xx",
            Ok(answer) if answer.status.is_client_error() => "status_4xx",
            Ok(_) => "status_other",
            Err(error) if error.is_denied() => "denied",
            Err(error) => error.class().word(),
        };
        metrics::counter!(names::OUTBOUND_CALLS, "guard" => guard, "outcome" => word).increment(1);
        outcome
    }

    async fn bounded(&self, call: &Call) -> Result<Answer, CallError> {
        let options = &self.0.options;
        if self.0.open.get() >= options.connections {
            return Err(CallError::new(
                ErrorClass::Busy,
                "outbound.connections is reached",
            ));
        }
        self.0.open.set(self.0.open.get() + 1);
        let _open = Open(&self.0.open);
        let deadline = call.deadline.unwrap_or(options.deadline).min(Call::LONGEST);
        let reached = Cell::new(false);
        match timeout(deadline, self.attempt(call, &reached)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let late = CallError::new(ErrorClass::Deadline, format!("no answer within {deadline:?}"));
                Err(late.reached(reached.get()))
            }
        }
    }

    async fn attempt(&self, call: &Call, reached: &Cell<bool>) -> Result<Answer, CallError> {
        let options = &self.0.options;
        let target = Target::parse(&call.url).map_err(|error| CallError::new(ErrorClass::Url, error))?;
        options
            .policy
            .judge(&target, call.guard)
            .map_err(CallError::denied)?;
        let going = Going {
            client: &self.0,
            call,
            reached,
            key: Key::new(&target, call.guard),
            wanted: Wanted {
                method: &call.method,
                target: &target,
                headers: &call.headers,
                body: &call.body,
            },
        };
        if let Some(waiting) = self.0.pool.take(&going.key) {
            metrics::counter!(names::OUTBOUND_REUSED).increment(1);
            let outcome = match waiting {
                Waiting::One(one) => going.on_one(one).await,
                Waiting::Many(many) => going.on_many(&many).await,
            };
            match outcome {
                Err(NoAnswer::Unsent(error)) if error.class() == ErrorClass::Answer => {}
                Err(NoAnswer::Lost(error))
                    if error.class() == ErrorClass::Answer && is_safe_twice(&call.method) => {}
                outcome => return outcome.map_err(NoAnswer::into_error),
            }
        }
        let dialer = Dialer {
            policy: &options.policy,
            resolver: &*self.0.resolver,
            trust: &options.trust,
            patience: options.connect,
        };
        let connected = dialer.connect(&target, call.guard).await?;
        let outcome = match Link::over(connected).await? {
            Link::One(send, driven) => {
                let one = One {
                    send,
                    _driven: driven,
                };
                going.on_one(one).await
            }
            Link::Many(send, driven) => {
                let many = Rc::new(Many {
                    send,
                    _driven: driven,
                });
                self.0.pool.share(going.key.clone(), &many);
                going.on_many(&many).await
            }
        };
        outcome.map_err(NoAnswer::into_error)
    }
}

/// Methods that the standard calls idempotent, but for `DELETE`, whose second answer is another one.
fn is_safe_twice(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT].contains(method)
}

/// A call on its way.
struct Going<'a> {
    client: &'a Shared,
    call: &'a Call,
    reached: &'a Cell<bool>,
    key: Key,
    wanted: Wanted<'a>,
}

impl Going<'_> {
    async fn on_one(&self, mut one: One) -> Result<Answer, NoAnswer> {
        self.reached.set(true);
        let response = self.noted(Link::exchange(&mut one.send, &self.wanted).await)?;
        let answer = self.read(response).await?;
        if !answer.cut {
            // The task of the connection has yet to notice that the answer is over.
            if !one.send.is_ready() {
                tokio::task::yield_now().await;
            }
            if one.send.is_ready() {
                self.client.pool.keep_one(self.key.clone(), one);
            }
        }
        Ok(answer)
    }

    async fn on_many(&self, many: &Rc<Many>) -> Result<Answer, NoAnswer> {
        self.reached.set(true);
        // A connection on which a call fails or is given up is suspect: later calls take a new one.
        let suspect = Suspect {
            going: self,
            many,
            cleared: Cell::new(false),
        };
        let mut send = many.send.clone();
        let response = self.noted(Link::exchange_many(&mut send, &self.wanted).await)?;
        let answer = self.read(response).await?;
        suspect.cleared.set(true);
        Ok(answer)
    }

    fn noted<T>(&self, outcome: Result<T, NoAnswer>) -> Result<T, NoAnswer> {
        if let Err(NoAnswer::Unsent(_)) = &outcome {
            self.reached.set(false);
        }
        outcome
    }

    async fn read(&self, response: hyper::Response<hyper::body::Incoming>) -> Result<Answer, NoAnswer> {
        let most = self.call.max_response.unwrap_or(self.client.options.max_response);
        read(response, most, self.call.excess)
            .await
            .map_err(NoAnswer::Lost)
    }
}

struct Suspect<'a> {
    going: &'a Going<'a>,
    many: &'a Rc<Many>,
    cleared: Cell<bool>,
}

impl Drop for Suspect<'_> {
    fn drop(&mut self) {
        if !self.cleared.get() {
            self.going.client.pool.retire(&self.going.key, self.many);
        }
    }
}

impl NoAnswer {
    fn into_error(self) -> CallError {
        match self {
            Self::Unsent(error) | Self::Lost(error) => error,
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("open", &self.0.open.get())
            .finish_non_exhaustive()
    }
}
