//! From a request to its answer.

use std::cell::RefCell;

use bytes::Bytes;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use crate::ingress::answer;
use crate::log::media::SharedMedia;
use crate::model::{Millis, TenantId};
use crate::net::Peer;
use crate::net::http::{Body, Request, Response};
use crate::protocol::body::JsonDecoder;
use crate::protocol::envelope::{Code, Dialect, Fault};
use crate::provisioning::Snapshots;
use crate::shard::Shards;
use crate::telemetry::{CoreTally, Count, TenantLabels, names};

use super::access::{Access, Tokens, api_key};
use super::call::{Call, References};
use super::cors::{Preflight, Verdict};
use super::create::create;
use super::download::download;
use super::memory::Memory;
use super::options::WidgetOptions;
use super::rates::{Quota, Rates};
use super::read::read;
use super::route::{NoRoute, Route};
use super::upload::upload;
use super::write::{leave, send, user_data};

/// The widget interface of one core.
pub struct Widgets {
    shards: Shards,
    snapshots: Snapshots,
    media: SharedMedia,
    options: WidgetOptions,
    tokens: Tokens,
    rates: Rates,
    memory: RefCell<Memory>,
    decoder: RefCell<JsonDecoder>,
    references: References,
    preflight: Preflight,
    tally: Option<CoreTally>,
    labels: TenantLabels,
}

impl Widgets {
    /// The interface over this core's shards. `origin` is random, and makes the names of this core's calls unlike any other's.
    #[must_use]
    pub fn new(
        shards: Shards,
        snapshots: Snapshots,
        media: SharedMedia,
        options: WidgetOptions,
        origin: u64,
    ) -> Self {
        Self {
            shards,
            snapshots,
            media,
            tokens: Tokens::default(),
            rates: Rates::new(&options),
            memory: RefCell::default(),
            decoder: RefCell::new(JsonDecoder::new(options.structure)),
            references: References::new(origin),
            preflight: Preflight::default(),
            tally: None,
            labels: TenantLabels::new(usize::from(u8::MAX)),
            options,
        }
    }

    /// Counts new chats in the tally of the core, and by tenant under the labels of the process.
    #[must_use]
    pub fn counted_by(mut self, tally: CoreTally, labels: TenantLabels) -> Self {
        self.tally = Some(tally);
        self.labels = labels;
        self
    }

    /// Answers a request below `/nexus/v3/chat` or `/chat/v3`.
    pub async fn handle(&self, request: Request, peer: &Peer) -> Response {
        let (address, clock) = (peer.addr.ip(), self.shards.clock());
        let instant = clock.now();
        let limited = self.rates.address(address, instant);
        // Before any other work: a browser sends one with every poll.
        if limited.is_ok() && *request.method() == Method::OPTIONS {
            return self.preflight.answer();
        }
        let (head, body) = request.into_parts();
        let call = Call::new(
            head,
            address,
            self.snapshots.load_full(),
            (Millis(clock.wall_ms()), instant),
            self.references.next(),
        );
        if let Err(fault) = limited {
            return self.refusal(&call, &fault, &Verdict::Anybody);
        }
        let route = match Route::of(&call.head.method, call.head.uri.path()) {
            Ok(route) => route,
            Err(none) => return self.astray(&call, none),
        };
        let access = match self.access(&call) {
            Ok(access) => access,
            Err(fault) => return self.refusal(&call, &fault, &Verdict::Anybody),
        };
        let verdict = self.origin(&call, &access);
        if verdict == Verdict::Refused {
            return self.refusal(&call, &Fault::new(Code::Forbidden).detail("origin"), &verdict);
        }
        let mut response = match self.answer(&call, &access, route, body).await {
            Ok(response) => response,
            Err(fault) => self.faulted(&call, &fault),
        };
        verdict.mark(&mut response);
        response
    }

    /// What is asked for rarely is boxed: a poll need not make room for an upload.
    async fn answer(
        &self,
        call: &Call,
        access: &Access,
        route: Route,
        body: Body,
    ) -> Result<Response, Fault> {
        let Some(session) = route.session() else {
            let created = Box::pin(create(self, call, access, body)).await;
            return self.count_create(call, access, created);
        };
        let read_token = self
            .tokens
            .of_session(&call.snapshot, call.now, call.headers(), session);
        let token = self.judge(call, read_token)?;
        self.rates.session(session, call.instant)?;
        match route {
            Route::Read(_) => {
                let body = read(self, call, access, &token).await?;
                return Ok(answer::json(StatusCode::OK, body));
            }
            Route::Download(_, n) => return Box::pin(download(self, call, access, &token, n)).await,
            Route::Create => Err(Fault::new(Code::NotFound)),
            Route::Send(_) => Box::pin(send(self, call, access, &token, body)).await,
            Route::Upload(_) => Box::pin(upload(self, call, access, &token, body)).await,
            Route::UserData(_) => Box::pin(user_data(self, call, access, &token, body)).await,
            Route::Leave(_, participant) => {
                Box::pin(leave(self, call, access, &token, participant, body)).await
            }
        }
        .map(|bytes| self.written(bytes))
    }

    fn count_create(
        &self,
        call: &Call,
        access: &Access,
        created: Result<Bytes, Fault>,
    ) -> Result<Response, Fault> {
        if let Some(tally) = &self.tally {
            tally.count(Count::ChatAsked);
        }
        let name = match &created {
            Ok(_) => names::CHAT_NEW_OK,
            Err(_) => names::CHAT_NEW_FAIL,
        };
        let label = self.labels.label(access.tenant).to_string();
        metrics::counter!(name, "ccid" => label).increment(1);
        let taken = self.shards.clock().now().saturating_duration_since(call.instant);
        metrics::histogram!(names::CHAT_CREATE).record(taken.as_secs_f64() * 1_000.0);
        created.map(|bytes| self.written(bytes))
    }

    fn access(&self, call: &Call) -> Result<Access, Fault> {
        let grant = self.judge(call, api_key(&call.snapshot, call.headers(), call.now))?;
        self.rates.key(&grant.id, call.instant)?;
        Ok(Access { tenant: grant.tenant })
    }

    /// Lets nobody try keys and tokens faster than a person mistypes.
    fn judge<T>(&self, call: &Call, credentials: Result<T, Fault>) -> Result<T, Fault> {
        credentials.map_err(|fault| match fault.code {
            Code::BadApiKey | Code::BadToken => {
                let counted = self.rates.refused(call.address, call.instant);
                counted.err().unwrap_or(fault)
            }
            _ => fault,
        })
    }

    fn origin(&self, call: &Call, access: &Access) -> Verdict {
        let tenant = call.snapshot.tenant(access.tenant);
        let of_tenant = tenant.map_or(&[][..], |tenant| &tenant.value.allowed_origins);
        Verdict::of(call.headers(), &self.options.allowed_origins, of_tenant)
    }

    /// The answer to something that is safe now.
    fn written(&self, body: Bytes) -> Response {
        let mut response = answer::json(StatusCode::OK, body);
        let durability = HeaderValue::from_static(self.options.durability);
        response.headers_mut().insert("x-durability", durability);
        response
    }

    fn faulted(&self, call: &Call, fault: &Fault) -> Response {
        answer::fault(Dialect::Chat, &call.ids(), fault)
    }

    fn refusal(&self, call: &Call, fault: &Fault, verdict: &Verdict) -> Response {
        let mut response = self.faulted(call, fault);
        verdict.mark(&mut response);
        response
    }

    fn astray(&self, call: &Call, none: NoRoute) -> Response {
        let mut response = self.refusal(call, &none.fault(), &Verdict::Anybody);
        if let NoRoute::Method(allowed) = none {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }

    pub(super) fn limit_create(&self, call: &Call, tenant: TenantId) -> Result<(), Fault> {
        self.rates.create(call.address, call.instant)?;
        self.limit_tenant(call, tenant, Quota::Sessions)
    }

    pub(super) fn limit_tenant(&self, call: &Call, tenant: TenantId, quota: Quota) -> Result<(), Fault> {
        match call.snapshot.tenant(tenant) {
            Some(known) => self
                .rates
                .tenant(tenant, &known.value.limits, quota, call.instant),
            None => Ok(()),
        }
    }

    pub(super) const fn shards(&self) -> &Shards {
        &self.shards
    }

    pub(super) const fn media(&self) -> &SharedMedia {
        &self.media
    }

    pub(super) const fn options(&self) -> &WidgetOptions {
        &self.options
    }

    pub(super) const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    pub(super) const fn memory(&self) -> &RefCell<Memory> {
        &self.memory
    }

    pub(super) const fn decoder(&self) -> &RefCell<JsonDecoder> {
        &self.decoder
    }
}
