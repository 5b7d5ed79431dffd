//! From a call to its answer.

use hyper::header::{ALLOW, HOST, HeaderValue};
use hyper::{HeaderMap, Method as HttpMethod, StatusCode};
use serde_json::{Map, Value, json};

use super::poll::{Waiting, messages};
use crate::ingress::answer;
use crate::ingress::fields::Reader;
use crate::ingress::outcome::{rejected, session_of};
use crate::model::{LogId, Millis, TenantId, UserDataChange};
use crate::net::http::{Body, Request, Response};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault};
use crate::protocol::esp::{self, AfterAction, METHODS, Method, Transfer, TransferKind, Words};
use crate::provisioning::Snapshots;
use crate::provisioning::access::Principal;
use crate::routing::{RouteTarget, priority, route};
use crate::runtime::drain::DrainToken;
use crate::session::{ServiceAct, SessionInput};
use crate::shard::{Shards, Typing};

/// What connection 5 goes by.
#[derive(Debug, Clone)]
pub struct TenantOptions {
    /// Bytes of a body.
    pub body: usize,
    /// The base URL that the Tenant Service is given (`urlFromEsv`); absent takes the `Host` of a request.
    pub url: Option<String>,
}

/// Connection 5 on one core.
pub struct TenantService {
    shards: Shards,
    snapshots: Snapshots,
    reader: Reader,
    url: Option<String>,
    waiting: Waiting,
    drain: DrainToken,
}

const BASE: &str = "/nexus/v3/esp";

impl TenantService {
    /// The interface over this core's shards. Calls that wait are answered when `drain` begins to close.
    #[must_use]
    pub fn new(shards: Shards, snapshots: Snapshots, options: TenantOptions, drain: DrainToken) -> Self {
        Self {
            shards,
            snapshots,
            reader: Reader::new(options.body),
            url: options.url,
            waiting: Waiting::default(),
            drain,
        }
    }

    /// The bounded name of a path in metrics.
    #[must_use]
    pub fn name(path: &str) -> &'static str {
        const NAMES: [&str; METHODS.len()] = [
            "/nexus/v3/esp/Chat/Message",
            "/nexus/v3/esp/Chat/Notice",
            "/nexus/v3/esp/Chat/GetMessages",
            "/nexus/v3/esp/Chat/Close",
            "/nexus/v3/esp/Chat/SetNickname",
            "/nexus/v3/esp/Chat/AttachUserData",
            "/nexus/v3/esp/Chat/TransferToAgent",
        ];
        let known = NAMES.iter().find(|name| **name == path);
        known.copied().unwrap_or("/nexus/v3/esp")
    }

    /// Answers a call below `/nexus/v3/esp`. Credentials are asked for before a path is looked at.
    pub async fn call(&self, who: Result<Principal, Fault>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let answered = async {
            let who = who?;
            let tenant = tenant_of(&who, &head.headers)?;
            if path.trim_end_matches('/') == BASE && head.method == HttpMethod::GET {
                return Ok(self.services(&head.headers));
            }
            let name = path
                .strip_prefix(BASE)
                .and_then(|rest| rest.strip_prefix("/Chat/"))
                .filter(|name| METHODS.contains(name))
                .ok_or(Code::NotFound)?;
            if !matches!(head.method, HttpMethod::POST | HttpMethod::PUT) {
                return Err(Code::MethodNotAllowed.into());
            }
            if !who.allows("esp", &name.to_ascii_lowercase()) {
                return Err(Fault::new(Code::Forbidden).detail("needs nexus:esp:*"));
            }
            self.carry_out(tenant, name, &head.headers, body).await
        };
        match answered.await {
            Ok(told) => answer::json(StatusCode::OK, esp::done(told)),
            Err(fault) => refusal(&fault),
        }
    }

    /// Where the Tenant Service finds what.
    fn services(&self, headers: &HeaderMap) -> Map<String, Value> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let base = self.url.clone();
        let base = base.unwrap_or_else(|| format!("http://{}", host.unwrap_or("localhost")));
        let mut told = Map::new();
        told.insert("Url".to_owned(), format!("{base}{BASE}").into());
        told.insert("Services".to_owned(), json!({ "Chat": METHODS }));
        told
    }

    async fn carry_out(
        &self,
        tenant: TenantId,
        name: &str,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Map<String, Value>, Fault> {
        let fields = self.reader.read(headers, body).await?;
        let method = Method::read(name, &fields)?;
        let session = esp::session(&fields)?;
        let act = match method {
            Method::GetMessages { after, wait } => {
                let chat = (tenant, session);
                return messages(&self.shards, &self.waiting, &self.drain, chat, after, wait).await;
            }
            Method::Typing(started) => return self.typing(tenant, session, started).await,
            Method::Message(words) => {
                let told = self.say(tenant, session, words).await?;
                return Ok(told);
            }
            Method::Close(after) => match after {
                AfterAction::KeepAlive => {
                    session_of(&self.shards, tenant, session).await?;
                    return Ok(Map::new());
                }
                AfterAction::CloseIfNoAgents => ServiceAct::CloseUnlessHeld,
                AfterAction::ForceClose => ServiceAct::Close,
            },
            Method::SetNickname(name) => ServiceAct::Nickname { name },
            Method::AttachUserData(data) => ServiceAct::Data {
                change: UserDataChange::Attach,
                data,
            },
            Method::TransferToAgent(transfer) => {
                let view = session_of(&self.shards, tenant, session).await?;
                let home = view.state.home().map(|place| place.queue.as_str());
                self.transfer(tenant, home, &transfer)?
            }
        };
        session_of(&self.shards, tenant, session).await?;
        self.act(session, act).await?;
        Ok(Map::new())
    }

    async fn say(&self, tenant: TenantId, session: LogId, words: Words) -> Result<Map<String, Value>, Fault> {
        let view = session_of(&self.shards, tenant, session).await?;
        let named = view.state.strategy().filter(|_| !words.system);
        let act = ServiceAct::Say {
            bot: named.map(|strategy| strategy.nickname.clone()),
            kind: words.kind,
            text: words.text,
            visibility: words.visibility,
        };
        let n = self.act(session, act).await?;
        let mut told = Map::new();
        told.insert("MessageIndex".to_owned(), n.into());
        Ok(told)
    }

    fn transfer(
        &self,
        tenant: TenantId,
        home: Option<&str>,
        transfer: &Transfer,
    ) -> Result<ServiceAct, Fault> {
        let target = match transfer.kind {
            TransferKind::Agent => RouteTarget::Agent(&transfer.name),
            TransferKind::Group => RouteTarget::Group(&transfer.name),
            TransferKind::Skill => RouteTarget::Skill(&transfer.name),
            TransferKind::Queue => RouteTarget::Queue(&transfer.name),
        };
        let found = route(&self.snapshots.load(), tenant, target, home);
        let (mut place, prefer) =
            found.ok_or_else(|| Fault::new(Code::BadValue).detail("nobody is meant by this target"))?;
        place.priority = transfer.priority.map_or(place.priority, priority);
        if let Some(timeout) = transfer.timeout {
            place.offer_ms = timeout.as_secs() * 1_000;
        }
        Ok(ServiceAct::Route { place, prefer })
    }

    /// A signal: nothing is written down. Only a strategy with a name is seen typing.
    async fn typing(
        &self,
        tenant: TenantId,
        session: LogId,
        started: bool,
    ) -> Result<Map<String, Value>, Fault> {
        let view = session_of(&self.shards, tenant, session).await?;
        if view.state.closed_at().is_some() {
            return Err(Fault::new(Code::Conflict).detail("chat session is closed"));
        }
        let Some(strategy) = view.state.strategy() else {
            return Err(Fault::new(Code::Conflict).detail("SetNickname comes first"));
        };
        let at = Millis(self.shards.clock().wall_ms());
        let last = view.tail.last().map_or(at, |entry| entry.record.at);
        let typing = Typing {
            from: strategy.id,
            started,
            preview: String::new(),
            visibility: strategy.visibility,
            n: view.top.n,
            quarter: Typing::quarters(last, at),
            at,
        };
        self.shards.signal(session, typing);
        Ok(Map::new())
    }

    /// Asks the session; the number of the last record that followed.
    async fn act(&self, session: LogId, act: ServiceAct) -> Result<u64, Fault> {
        let done = self.shards.session(session, SessionInput::Service(act)).await;
        Ok(done.map_err(rejected)?.n)
    }
}

/// A fault in the protocol's form, with the headers that its status has everywhere.
fn refusal(fault: &Fault) -> Response {
    let mut response = answer::fault(Dialect::Numeric, &CallIds::default(), fault);
    *response.body_mut() = crate::net::http::ResponseBody::full(esp::fault(fault));
    if fault.code == Code::MethodNotAllowed {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("POST, PUT"));
    }
    response
}

/// The caller's tenant, or for operators the one in `x-ccid`; everybody else's is not there.
fn tenant_of(who: &Principal, headers: &HeaderMap) -> Result<TenantId, Fault> {
    let Some(named) = headers.get("x-ccid") else {
        return Ok(who.tenant);
    };
    let named = named.to_str().ok().and_then(|text| text.parse().ok());
    let named: TenantId = named.ok_or_else(|| Fault::new(Code::BadValue).detail("x-ccid"))?;
    if named == who.tenant || who.is_operator() {
        Ok(named)
    } else {
        Err(Code::NotFound.into())
    }
}
