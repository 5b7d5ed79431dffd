//! The HTTPS side of connection 3, and the door of the stream.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use hyper::header::CONTENT_TYPE;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use uuid::Uuid;

use crate::log::media::SharedMedia;
use crate::model::{LogId, MediaId, SessionEvent};
use crate::net::Peer;
use crate::net::http::{Request, Response};
use crate::net::websocket::{Offer, SocketLimits};
use crate::protocol::agent::{Command, Credential, MAX_FRAME, Question, decode_operation};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, accepted, success};
use crate::protocol::file::FileKind;
use crate::provisioning::Snapshots;
use crate::provisioning::masking::Maskers;
use crate::runtime::Bell;
use crate::runtime::drain::{DrainToken, Phase};
use crate::shard::Shards;

use super::admission::Admission;
use super::counts::Counts;
use super::looks_back::LooksBack;
use super::principal::AgentPrincipal;
use super::{act, driver, origin, questions};
use crate::ingress::{answer, files};
use crate::telemetry::{CoreTally, TenantLabels};

/// The sub-protocol of the stream.
const PROTOCOL: &str = "nexus.v3";
/// The most records looked through for a file.
const FILE_RECORDS: usize = 1_000;

/// What the connection needs of its surroundings, on one core.
pub struct WorkspaceParts {
    /// Sessions and desks.
    pub shards: Shards,
    /// Tenants, agents, keys.
    pub snapshots: Snapshots,
    /// Files.
    pub media: SharedMedia,
    /// The graceful stop.
    pub drain: DrainToken,
    /// Bounds and times.
    pub settings: WorkspaceSettings,
}

/// Bounds and times of the connection.
#[derive(Debug, Clone)]
pub struct WorkspaceSettings {
    /// How long a ticket may be used.
    pub ticket_ttl: Duration,
    /// How long a resume token may be used.
    pub resume_window: Duration,
    /// From the handshake to a credential.
    pub unauthenticated: Duration,
    /// Over which time reconnects are spread when the node stops.
    pub reconnect_window: Duration,
    /// Origins a browser may connect from, exact; our own page is always let in.
    pub allowed_origins: Vec<String>,
    /// The largest file, in bytes.
    pub upload_limit: u64,
    /// Short messages that one text to a customer may be, where its channel does not say otherwise.
    pub segments: usize,
    /// The bounds of one socket.
    pub socket: Rc<SocketLimits>,
}

impl Default for WorkspaceSettings {
    fn default() -> Self {
        Self {
            ticket_ttl: Duration::from_secs(30),
            resume_window: Duration::from_secs(24 * 3_600),
            unauthenticated: Duration::from_secs(5),
            reconnect_window: Duration::from_secs(60),
            allowed_origins: Vec::new(),
            upload_limit: 10 * 1024 * 1024,
            segments: 10,
            socket: Rc::new(SocketLimits {
                rate: Some(crate::runtime::limit::Rate::per_second(20, 40)),
                ..SocketLimits::default()
            }),
        }
    }
}

/// What every request and stream of a core shares.
pub(super) struct Shared {
    pub(super) shards: Shards,
    pub(super) snapshots: Snapshots,
    pub(super) media: SharedMedia,
    pub(super) drain: DrainToken,
    /// Rung when settings change and when the drain moves on.
    pub(super) bell: Bell,
    pub(super) admission: Admission,
    pub(super) settings: WorkspaceSettings,
    pub(super) maskers: Maskers,
    pub(super) counts: Counts,
    pub(super) past: Option<Rc<dyn LooksBack>>,
}

/// Connection 3 on one core.
#[derive(Clone)]
pub struct Workspace {
    shared: Rc<Shared>,
}

/// A body: `{"operationId":…,"data":{…}}`, both optional.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(borrow)]
    operation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Workspace {
    /// Connection 3 with its surroundings, on the current `LocalSet`.
    #[must_use]
    pub fn new(parts: WorkspaceParts) -> Self {
        let WorkspaceParts {
            shards,
            snapshots,
            media,
            drain,
            settings,
        } = parts;
        let admission = Admission::new(
            snapshots.clone(),
            shards.log(),
            shards.clock().clone(),
            settings.ticket_ttl,
            settings.resume_window,
        );
        let bell = Bell::default();
        tokio::task::spawn_local(ring(bell.clone(), snapshots.watch(), drain.clone()));
        Self {
            shared: Rc::new(Shared {
                bell,
                shards,
                snapshots,
                media,
                drain,
                admission,
                settings,
                maskers: Maskers::default(),
                counts: Counts::default(),
                past: None,
            }),
        }
    }

    /// Counts sockets in the tally of the core, and by tenant under the labels of the process. Before the first call only.
    #[must_use]
    pub fn counted_by(mut self, tally: CoreTally, labels: TenantLabels) -> Self {
        if let Some(shared) = Rc::get_mut(&mut self.shared) {
            shared.counts = Counts::new(tally, labels);
        }
        self
    }

    /// Asks `past` what customers did before. Before the first call only; without it they did nothing.
    #[must_use]
    pub fn looking_back(mut self, past: Rc<dyn LooksBack>) -> Self {
        if let Some(shared) = Rc::get_mut(&mut self.shared) {
            shared.past = Some(past);
        }
        self
    }

    /// Answers a request under `/nexus/v3/agentstream`, `/nexus/v3/agents/ticket` or `/nexus/v3/agents/me`. `who`: the agent behind
    /// the bearer token, or why there is none; the stream has credentials of its own and does not ask.
    pub async fn call(&self, who: Result<AgentPrincipal, Fault>, request: Request, peer: &Peer) -> Response {
        let path = request.uri().path().to_owned();
        let rest = path.strip_prefix("/nexus/v3/").unwrap_or_default();
        let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
        let answered = match segments.as_slice() {
            ["agentstream"] => self.stream(&request, peer),
            ["agents", "ticket"] if request.method() == Method::POST => who.and_then(|who| self.ticket(&who)),
            ["agents", "ticket"] => Err(Code::MethodNotAllowed.into()),
            ["agents", "me", rest @ ..] => match who {
                Ok(who) => self.me(&who, rest, request).await,
                Err(fault) => Err(fault),
            },
            _ => Err(Code::NotFound.into()),
        };
        answered.unwrap_or_else(|fault| answer::fault(Dialect::Numeric, &CallIds::default(), &fault))
    }

    fn ticket(&self, who: &AgentPrincipal) -> Result<Response, Fault> {
        if !who.is_enabled(&self.shared.snapshots.load()) {
            return Err(Code::Forbidden.into());
        }
        let ticket = self.shared.admission.ticket(who).ok_or(Code::Internal)?;
        let expires = self.shared.settings.ticket_ttl.as_secs();
        done(&serde_json::json!({ "ticket": ticket, "expiresInS": expires }))
    }

    fn stream(&self, request: &Request, peer: &Peer) -> Result<Response, Fault> {
        let shared = &self.shared;
        // An address is written to logs, histories and referrers: what stands there is no secret any more.
        if request.uri().query().is_some() {
            return Err(Fault::new(Code::BadValue).detail("credentials do not belong in the address"));
        }
        if !origin::is_allowed(request.headers(), &shared.settings.allowed_origins, peer.tls) {
            return Err(Fault::new(Code::Forbidden).detail("origin"));
        }
        if shared.drain.phase() >= Phase::Closing {
            return Err(Fault::unavailable(Duration::from_secs(1)));
        }
        let offer = match Offer::of(request) {
            Ok(offer) => offer,
            Err(error) => {
                let fault = Fault::new(handshake_code(error.status())).detail(error.to_string());
                let mut response = answer::fault(Dialect::Numeric, &CallIds::default(), &fault);
                *response.status_mut() = error.status();
                error.headers(response.headers_mut());
                return Ok(response);
            }
        };
        let credential = offer.protocols().find_map(|protocol| {
            let ticket = protocol
                .strip_prefix("ticket.")
                .map(|text| Credential::Ticket(text.into()));
            ticket.or_else(|| {
                protocol
                    .strip_prefix("resume.")
                    .map(|text| Credential::Resume(text.into()))
            })
        });
        let credential = credential.map(driver::owned);
        let spoken = offer
            .protocols()
            .any(|protocol| protocol == PROTOCOL)
            .then_some(PROTOCOL);
        if credential.is_some() && spoken.is_none() {
            return Err(Fault::new(Code::BadValue).detail("sub-protocol"));
        }
        let limits = Rc::clone(&shared.settings.socket);
        let shared = Rc::clone(shared);
        Ok(offer.accept(spoken, limits, move |socket| {
            driver::serve(shared, socket, credential)
        }))
    }

    async fn me(&self, who: &AgentPrincipal, path: &[&str], request: Request) -> Result<Response, Fault> {
        if !who.is_enabled(&self.shared.snapshots.load()) {
            return Err(Code::BadToken.into());
        }
        let method = request.method().clone();
        match (&method, path) {
            (&Method::GET, ["directory"]) => done(&questions::directory(&self.shared, who)),
            (&Method::GET, ["team"]) => done(&questions::team(&self.shared, who).await?),
            (&Method::GET, ["responses"]) => {
                let question = Question::CannedResponses {
                    search: query(&request, "search"),
                    locale: query(&request, "locale"),
                    session: query(&request, "session")
                        .map(|id| id.parse())
                        .transpose()
                        .map_err(|_| Code::NotFound)?,
                };
                done(&questions::answer(&self.shared, who, question).await?)
            }
            (&Method::GET, ["interactions", id, "transcript"]) => {
                let number = |name| {
                    let text = query(&request, name);
                    text.map(|text| {
                        text.parse::<u64>()
                            .map_err(|_| Fault::new(Code::BadValue).detail(name))
                    })
                    .transpose()
                };
                let question = Question::Transcript {
                    session: session(id)?,
                    upto: number("upto")?,
                    limit: u16::try_from(number("limit")?.unwrap_or(50).clamp(1, 100)).unwrap_or(100),
                };
                done(&questions::answer(&self.shared, who, question).await?)
            }
            (&Method::GET, ["interactions", id, "history"]) => {
                let (cursor, limit) = (query(&request, "cursor"), query(&request, "limit"));
                let limit = limit.map(|limit| limit.parse::<u16>()).transpose();
                let limit = limit.map_err(|_| Fault::new(Code::BadValue).detail("limit"))?;
                done(&questions::earlier(&self.shared, who, session(id)?, limit, cursor.as_deref()).await?)
            }
            (&Method::POST, ["interactions", id, "files"]) => {
                let (tenant, session) = (who.tenant, session(id)?);
                let view = self.shared.session_of(tenant, session).await?;
                view.state
                    .participants()
                    .of_agent(&who.agent)
                    .ok_or(Code::Forbidden)?;
                let (head, body) = request.into_parts();
                let limit = self.shared.settings.upload_limit;
                done(&files::take(&self.shared.media, tenant, &head.headers, body, limit).await?)
            }
            (&Method::GET, ["interactions", id, "files", media]) => self.file(who, session(id)?, media).await,
            (&Method::POST, [operation]) => self.operation(who, operation, None, request).await,
            (&Method::POST, ["interactions", id, operation]) => {
                self.operation(who, operation, Some(session(id)?), request).await
            }
            (_, [_] | ["interactions", _, _] | ["interactions", _, "files", _]) => {
                Err(Code::MethodNotAllowed.into())
            }
            _ => Err(Code::NotFound.into()),
        }
    }

    /// A command over HTTPS. A caller's `operationId` that is a UUID makes a repeat recognisable, as `cmdId` does on the stream.
    async fn operation(
        &self,
        who: &AgentPrincipal,
        operation: &str,
        session: Option<LogId>,
        request: Request,
    ) -> Result<Response, Fault> {
        let json = request
            .headers()
            .get(CONTENT_TYPE)
            .is_none_or(|value| value.as_bytes().starts_with(b"application/json"));
        if !json {
            return Err(Code::UnsupportedType.into());
        }
        let body = request.into_body().collect(MAX_FRAME).await.map_err(body_fault)?;
        let call: Call<'_> = if body.is_empty() {
            Call::default()
        } else {
            serde_json::from_slice(&body).map_err(|_| Code::Malformed)?
        };
        let data = call.data.map_or(&b""[..], |data| data.get().as_bytes());
        let command = decode_operation(operation, session, data)
            .map_err(|fault| Fault::new(fault.code()).detail(fault.to_string()))?;
        let given = call
            .operation_id
            .as_deref()
            .and_then(|text| Uuid::try_parse(text).ok());
        let id = given.unwrap_or_else(Uuid::new_v4);
        let asked = matches!(command, Command::Ask(_));
        let data = act::carry_out(&self.shared, who, id, command).await?;
        if asked {
            return done(&data);
        }
        let name = call.operation_id.map_or_else(|| id.to_string(), Cow::into_owned);
        let ids = CallIds {
            reference: "",
            operation: Some(&name),
        };
        Ok(answer::json(StatusCode::OK, accepted(&ids, data.as_ref())))
    }

    /// A file that was sent in a session the agent may read.
    async fn file(&self, who: &AgentPrincipal, session: LogId, media: &str) -> Result<Response, Fault> {
        let media: MediaId = media.parse().map_err(|_| Code::NotFound)?;
        let (view, reach) = self.shared.readable(who, session).await?;
        let sent = |event: &SessionEvent| match event {
            SessionEvent::File {
                media: known, mime, ..
            } if *known == media => FileKind::of_mime(mime),
            _ => None,
        };
        let find = |entries: &[std::sync::Arc<crate::shard::Entry<SessionEvent>>]| {
            entries
                .iter()
                .filter(|entry| entry.n <= reach)
                .find_map(|entry| Some((sent(&entry.record.event)?, entry.record.body.as_str().to_owned())))
        };
        let mut found = find(&view.tail);
        if found.is_none() {
            let page = self
                .shared
                .shards
                .session_page(session, reach, FILE_RECORDS)
                .await;
            found = find(&page.map_err(|error| act::shard_fault(error, |()| Code::Internal.into()))?);
        }
        let (kind, name) = found.ok_or(Code::NotFound)?;
        files::give(&self.shared.media, who.tenant, media, &name, kind).await
    }
}

/// Rings for every stream of this core.
async fn ring(bell: Bell, mut versions: watch::Receiver<u64>, mut drain: DrainToken) {
    loop {
        tokio::select! {
            changed = versions.changed() => if changed.is_err() { return },
            _ = drain.changed() => {}
        }
        bell.ring();
    }
}

fn session(text: &str) -> Result<LogId, Fault> {
    text.parse().map_err(|_| Code::NotFound.into())
}

fn query(request: &Request, name: &str) -> Option<Cow<'static, str>> {
    let pairs = request
        .uri()
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let value = value.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&value)
        .decode_utf8()
        .ok()?
        .into_owned();
    Some(Cow::Owned(decoded)).filter(|text: &Cow<'_, str>| !text.is_empty() && text.len() <= 512)
}

fn done<T: serde::Serialize>(data: &T) -> Result<Response, Fault> {
    Ok(answer::json(
        StatusCode::OK,
        success(Dialect::Numeric, &CallIds::default(), data),
    ))
}

fn body_fault(error: crate::net::http::BodyError) -> Fault {
    use crate::net::http::BodyError;
    match error {
        BodyError::TooLarge => Code::TooLarge.into(),
        _ => Code::Malformed.into(),
    }
}

const fn handshake_code(status: StatusCode) -> Code {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::UPGRADE_REQUIRED => Code::UpgradeRequired,
        _ => Code::Malformed,
    }
}
