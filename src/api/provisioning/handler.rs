//! The provisioning API over HTTP: takes a request apart, and puts the answer together.

use std::sync::Arc;

use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH};
use hyper::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use super::answer::{Reply, Request, answer};
use super::target::Target;
use crate::api::auth::{CONTACT_CENTER, authenticate};
use crate::api::refusals;
use crate::ingress::answer;
use crate::model::Millis;
use crate::net::http::{Request as HttpRequest, Response};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, success};
use crate::provisioning::Directory;
use crate::provisioning::access::Access;
use crate::runtime::Clock;

/// The provisioning API. Cheap to clone; one for each core.
#[derive(Clone)]
pub struct ProvisioningApi {
    directory: Arc<Directory>,
    access: Arc<Access>,
    clock: Clock,
    body_limit: usize,
}

/// Everything of ours is below this.
const BASE: &str = "/nexus/v3/";

impl ProvisioningApi {
    /// An API over a directory that takes bodies of at most `body_limit` bytes.
    pub fn new(directory: Arc<Directory>, access: Arc<Access>, clock: Clock, body_limit: usize) -> Self {
        ProvisioningApi {
            directory,
            access,
            clock,
            body_limit,
        }
    }

    /// Answers a request; a path that is not ours is 404. Credentials are asked for before a path is looked at, so that
    /// nobody learns from outside which paths there are.
    pub async fn call(&self, request: HttpRequest) -> Response {
        let ids = CallIds::default();
        match self.reply(request).await {
            Ok(reply) => {
                let mut response = answer::json(reply.status, success(Dialect::Numeric, &ids, &reply.data));
                if let Some(version) = reply.version
                    && let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\""))
                {
                    response.headers_mut().insert(ETAG, tag);
                }
                response
            }
            Err(Refused { fault, allow }) => {
                let mut response = answer::fault(Dialect::Numeric, &ids, &fault);
                if response.status() == StatusCode::METHOD_NOT_ALLOWED
                    && let Some(allow) = allow
                {
                    response.headers_mut().insert(ALLOW, allow);
                }
                response
            }
        }
    }

    async fn reply(&self, request: HttpRequest) -> Result<Reply, Refused> {
        let now = Millis(self.clock.wall_ms());
        let (head, body) = request.into_parts();
        let snapshot = self.directory.snapshots().load_full();
        let principal = authenticate(&self.access, &snapshot, &head.headers, now)?;
        drop(snapshot);
        let target = target_of(head.uri.path()).ok_or(Fault::new(Code::NotFound))?;
        let body = body
            .collect(self.body_limit)
            .await
            .map_err(|error| refusals::fault(error.into()))?;
        let request = Request {
            method: &head.method,
            target: &target,
            query: head.uri.query().unwrap_or_default(),
            content_type: text(&head.headers, CONTENT_TYPE.as_str())?,
            ccid: text(&head.headers, CONTACT_CENTER)?,
            if_match: text(&head.headers, IF_MATCH.as_str())?,
            body: &body,
        };
        let done = answer(&self.directory, &principal, now, request).await;
        done.map_err(|fault| {
            let names: Vec<&str> = target.allowed().iter().map(|method| method.as_str()).collect();
            Refused {
                fault,
                allow: HeaderValue::from_str(&names.join(", ")).ok(),
            }
        })
    }
}

/// A refusal, with the methods the target knows.
struct Refused {
    fault: Fault,
    allow: Option<HeaderValue>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Refused { fault, allow: None }
    }
}

fn target_of(path: &str) -> Option<Target> {
    let segments = path.strip_prefix(BASE)?.trim_end_matches('/').split('/');
    let decoded: Vec<_> = segments
        .map(|segment| percent_decode_str(segment).decode_utf8())
        .collect::<Result<_, _>>()
        .ok()?;
    let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
    Target::of(&segments)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Fault> {
    let value = headers.get(name).map(HeaderValue::to_str).transpose();
    value.map_err(|_| Fault::new(Code::Malformed).detail("a header is not text"))
}
