//! The provisioning API over HTTP: credentials and body in, envelope and status out.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH};

use crate::ingress::answer;
use crate::model::Millis;
use crate::net::Peer;
use crate::net::http::{Request, Response};
use crate::protocol::envelope::{self, CallIds, Code, Dialect, Fault};
use crate::provisioning::Directory;
use crate::provisioning::access::{Access, Principal};
use crate::runtime::clock::Clock;
use crate::runtime::{KeyedLimit, Rate};

use super::auth::{CONTACT_CENTER, authenticate};
use super::provisioning::{self, Reply, Target};
use super::refusals;

/// Provisioning objects are small.
const BODY_MAX: usize = 64 * 1024;

/// The provisioning API of one core.
pub struct Administration {
    directory: Arc<Directory>,
    access: Arc<Access>,
    clock: Clock,
    /// Refused credentials by address: guessing is slow.
    refused: RefCell<KeyedLimit<IpAddr>>,
}

impl Administration {
    /// The API over `directory`, for those whom `access` lets in.
    #[must_use]
    pub fn new(
        directory: Arc<Directory>,
        access: Arc<Access>,
        clock: Clock,
        refused: Rate,
        remembered: usize,
    ) -> Self {
        Self {
            directory,
            access,
            clock,
            refused: RefCell::new(KeyedLimit::new(refused, remembered)),
        }
    }

    /// Answers one request under `/nexus/v3/`.
    pub async fn handle(&self, request: Request, peer: &Peer, reference: &str) -> Response {
        let ids = CallIds {
            reference,
            operation: None,
        };
        match self.answer(request, peer).await {
            Ok(reply) => {
                let mut response = answer::json(
                    reply.status,
                    envelope::success(Dialect::Numeric, &ids, &reply.data),
                );
                let tag = reply
                    .version
                    .and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
                if let Some(tag) = tag {
                    response.headers_mut().insert(ETAG, tag);
                }
                response
            }
            Err(fault) => answer::fault(Dialect::Numeric, &ids, &fault),
        }
    }

    async fn answer(&self, request: Request, peer: &Peer) -> Result<Reply, Fault> {
        let (head, body) = request.into_parts();
        let now = Millis(self.clock.wall_ms());
        let segments: Vec<&str> = head
            .uri
            .path()
            .strip_prefix("/nexus/v3/")
            .unwrap_or_default()
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        let principal = self.principal(&head.headers, peer)?;
        // Who is not let in learns nothing, not even which paths there are.
        let target = Target::of(&segments).ok_or(Code::NotFound)?;
        let body = body
            .collect(BODY_MAX)
            .await
            .map_err(|error| refusals::fault(error.into()))?;
        let text =
            |name: &hyper::header::HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let call = provisioning::Request {
            method: &head.method,
            target: &target,
            query: head.uri.query().unwrap_or_default(),
            content_type: text(&CONTENT_TYPE),
            ccid: head
                .headers
                .get(CONTACT_CENTER)
                .and_then(|value| value.to_str().ok()),
            if_match: text(&IF_MATCH),
            body: &body,
        };
        provisioning::answer(&self.directory, &principal, now, call).await
    }

    /// Who sent these headers.
    ///
    /// # Errors
    /// 401, or 429 for an address that has guessed too often.
    pub fn principal(&self, headers: &HeaderMap, peer: &Peer) -> Result<Principal, Fault> {
        let now = Millis(self.clock.wall_ms());
        let principal = authenticate(&self.access, &self.directory.snapshots().load(), headers, now);
        principal.map_err(|fault| self.slow_down(peer, fault))
    }

    fn slow_down(&self, peer: &Peer, fault: Fault) -> Fault {
        match self
            .refused
            .borrow_mut()
            .take(peer.addr.ip(), 1, self.clock.now())
        {
            Ok(()) => fault,
            Err(limited) => Fault::throttled(limited.retry_after),
        }
    }
}
