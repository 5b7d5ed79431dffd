//! From a request to its answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use serde_json::Value;

use crate::ingress::answer;
use crate::ingress::channel::Intake;
use crate::ingress::fields::Reader;
use crate::log::media::SharedMedia;
use crate::model::Millis;
use crate::net::http::{Body, Request, Response};
use crate::protocol::body::Fields;
use crate::protocol::envelope::{CallIds, Dialect, Fault, success};
use crate::protocol::securemail::{Query, Whose};
use crate::provisioning::{ObjectId, Snapshot, Snapshots};
use crate::runtime::{KeyedLimit, Rate};
use crate::shard::Shards;

use super::access::{Access, api_key};
use super::customer::Customer;
use super::route::{NoRoute, Route};

/// Bounds of secure e-mail.
#[derive(Debug, Clone)]
pub struct SecureMailSettings {
    /// Bytes of a body that is no upload.
    pub body: usize,
    /// Bytes of a file.
    pub upload: u64,
    /// Characters of an `Idempotency-Key`.
    pub idempotency_key: usize,
    /// Requests under one API key, on one core.
    pub per_key: Rate,
    /// Keys whose rates are remembered.
    pub remembered: usize,
    /// What the store survives, as `X-Durability` says it.
    pub durability: &'static str,
}

/// Secure e-mail of one core.
pub struct SecureMail {
    pub(super) intake: Rc<Intake>,
    pub(super) shards: Shards,
    pub(super) media: SharedMedia,
    pub(super) settings: SecureMailSettings,
    snapshots: Snapshots,
    reader: Reader,
    rates: RefCell<KeyedLimit<ObjectId>>,
    origin: u64,
    calls: Cell<u64>,
}

/// A request whose key is good.
pub(super) struct Call<'r> {
    pub(super) head: &'r Parts,
    pub(super) snapshot: &'r Snapshot,
    pub(super) access: &'r Access,
    pub(super) now: Millis,
    /// The caller's correlation id, as soon as it is read.
    pub(super) operation: &'r Cell<Option<String>>,
}

/// What a request is told.
pub(super) enum Told {
    /// The `data` of the envelope.
    Data(Value),
    /// The same, once something is safe.
    Safe(Value),
    /// A file.
    File(Response),
}

impl SecureMail {
    /// Secure e-mail over this core's intake. `origin` is random, and makes the names of this core's calls unlike any other's.
    #[must_use]
    pub fn new(
        intake: Rc<Intake>,
        shards: Shards,
        media: SharedMedia,
        snapshots: Snapshots,
        settings: SecureMailSettings,
        origin: u64,
    ) -> Self {
        Self {
            intake,
            shards,
            media,
            snapshots,
            reader: Reader::new(settings.body),
            rates: RefCell::new(KeyedLimit::new(settings.per_key, settings.remembered)),
            settings,
            origin,
            calls: Cell::new(0),
        }
    }

    /// Answers a request below `/nexus/v3/securemail`.
    pub async fn call(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        self.calls.set(self.calls.get() + 1);
        let reference = format!("{:016x}-m{:x}", self.origin, self.calls.get());
        let operation = Cell::new(None);
        let route = Route::of(&head.method, head.uri.path());
        let answered = self.answer(route, &head, body, &operation).await;
        let operation = operation.take();
        let ids = CallIds {
            reference: &reference,
            operation: operation.as_deref(),
        };
        let mut response = match answered {
            Ok(Told::File(response)) => return response,
            Ok(Told::Data(data)) => answer::json(StatusCode::OK, success(Dialect::Chat, &ids, &data)),
            Ok(Told::Safe(data)) => {
                let mut response = answer::json(StatusCode::OK, success(Dialect::Chat, &ids, &data));
                let durability = HeaderValue::from_static(self.settings.durability);
                response.headers_mut().insert("x-durability", durability);
                response
            }
            Err(fault) => answer::fault(Dialect::Chat, &ids, &fault),
        };
        let refused = response.status() == StatusCode::METHOD_NOT_ALLOWED;
        if let Some(allow) = route.err().and_then(|none| none.allow).filter(|_| refused) {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }

    async fn answer(
        &self,
        route: Result<Route, NoRoute>,
        head: &Parts,
        body: Body,
        operation: &Cell<Option<String>>,
    ) -> Result<Told, Fault> {
        let snapshot: Arc<Snapshot> = self.snapshots.load_full();
        let now = self.shards.wall();
        // Nobody learns without a key which paths there are.
        let action = route.map_or("read", Route::action);
        let access = api_key(&snapshot, &head.headers, action, now)?;
        let taken = self
            .rates
            .borrow_mut()
            .take(&access.key, 1, self.shards.clock().now());
        taken.map_err(|limited| Fault::throttled(limited.retry_after))?;
        let call = Call {
            head,
            snapshot: &snapshot,
            access: &access,
            now,
            operation,
        };
        match route.map_err(|none| Fault::new(none.code))? {
            Route::Send => self.send(&call, body).await,
            Route::Upload => self.upload(&call, body).await,
            Route::List => self.list(&call).await,
            Route::Read(session, n) => self.read(&call, session, n).await,
            Route::Mark(session, n) => self.mark(&call, body, session, n).await,
            Route::Download(session, n, number) => self.download(&call, session, n, number).await,
        }
    }

    /// The fields of a body, and in them the correlation id.
    pub(super) async fn fields(&self, call: &Call<'_>, body: Body) -> Result<Fields, Fault> {
        let fields = self.reader.read(&call.head.headers, body).await?;
        call.operation.set(Query::operation(&fields)?);
        Ok(fields)
    }
}

impl Call<'_> {
    /// The parameters of the query, and in them the correlation id.
    pub(super) fn parameters(&self) -> Result<Fields, Fault> {
        let parameters = Query::parameters(self.head.uri.query())?;
        self.operation.set(Query::operation(&parameters)?);
        Ok(parameters)
    }

    /// The customer that the query names.
    pub(super) fn customer(&self) -> Result<Customer, Fault> {
        self.customer_of(Whose::read(&self.parameters()?, &[])?)
    }

    pub(super) fn customer_of(&self, whose: Whose) -> Result<Customer, Fault> {
        Customer::find(self.snapshot, self.access.tenant, whose)
    }
}
