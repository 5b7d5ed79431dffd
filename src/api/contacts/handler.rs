//! The calls themselves: who may make them, and what they are told.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::auth::permit;
use crate::egress::history::OwnHistory;
use crate::ingress::answer;
use crate::ingress::fields::Reader;
use crate::log::archive::{ArchiveError, Asked, SharedArchive, Summary};
use crate::log::media::SharedMedia;
use crate::model::{LogId, TenantId};
use crate::net::http::{Request, Response};
use crate::protocol::agent::timestamp;
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, accepted, success};
use crate::provisioning::access::Principal;
use crate::provisioning::{Act, AuditAction, Directory};
use crate::shard::Shards;
use crate::telemetry::Pseudonyms;

use super::asked::Question;
use super::erase::Eraser;

const HISTORY: &str = "/nexus/v3/history/";
const CONTACTS: &str = "/nexus/v3/contacts/";
/// An erasure that takes longer says how far it is, and goes on when it is asked for again.
const BUDGET: Duration = Duration::from_secs(5);
/// Sessions looked up at once by an erasure.
const BATCH: usize = 50;
const AGAIN: Duration = Duration::from_secs(2);

/// What these calls need of their surroundings.
pub struct ContactsParts {
    /// Sessions.
    pub shards: Shards,
    /// Sessions beyond their logs.
    pub archive: SharedArchive,
    /// The same as it is shown.
    pub own: Rc<OwnHistory>,
    /// Files.
    pub media: SharedMedia,
    /// Tenants and their channels, and the audit.
    pub directory: Arc<Directory>,
    /// What contacts are called in the log.
    pub pseudonyms: Pseudonyms,
    /// Bytes of a body.
    pub body: usize,
}

/// These calls on one core.
pub struct Contacts {
    parts: ContactsParts,
    reader: Reader,
}

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Search,
    One(LogId),
    Export,
    Erase,
}

impl Contacts {
    /// The calls over what a core has.
    #[must_use]
    pub fn new(parts: ContactsParts) -> Self {
        let reader = Reader::new(parts.body);
        Self { parts, reader }
    }

    /// Whether a path is of this API.
    #[must_use]
    pub fn serves(path: &str) -> bool {
        path.starts_with(HISTORY) || path.starts_with(CONTACTS)
    }

    /// Answers a request of `who`.
    pub async fn call(&self, who: Result<Principal, Fault>, request: Request) -> Response {
        let ids = CallIds::default();
        let route = route(request.uri().path());
        match self.answer(who, route, request).await {
            Ok((StatusCode::ACCEPTED, data)) => {
                answer::json(StatusCode::ACCEPTED, accepted(&ids, Some(&data)))
            }
            Ok((status, data)) => answer::json(status, success(Dialect::Numeric, &ids, &data)),
            Err(fault) => {
                let mut response = answer::fault(Dialect::Numeric, &ids, &fault);
                if fault.code == Code::MethodNotAllowed {
                    let allowed = if matches!(route, Some(Route::One(_))) {
                        "GET"
                    } else {
                        "POST"
                    };
                    response
                        .headers_mut()
                        .insert(ALLOW, HeaderValue::from_static(allowed));
                }
                response
            }
        }
    }

    async fn answer(
        &self,
        who: Result<Principal, Fault>,
        route: Option<Route>,
        request: Request,
    ) -> Result<(StatusCode, Value), Fault> {
        let who = who?;
        match route {
            Some(Route::Export) => permit(&who, "admin", "export")?,
            Some(Route::Erase) => permit(&who, "admin", "erase")?,
            // What agents have said to customers of their tenant, agents may read.
            Some(Route::Search | Route::One(_)) | None if who.agent().is_some() => {}
            Some(Route::Search | Route::One(_)) | None => permit(&who, "admin", "read")?,
        }
        let route = route.ok_or(Fault::new(Code::NotFound))?;
        let (head, body) = request.into_parts();
        if let Route::One(session) = route {
            if head.method != Method::GET {
                return Err(Code::MethodNotAllowed.into());
            }
            return Ok((StatusCode::OK, self.one(who.tenant, session).await?));
        }
        if head.method != Method::POST {
            return Err(Code::MethodNotAllowed.into());
        }
        let fields = self.reader.read(&head.headers, body).await?;
        let question = Question::read(who.tenant, &fields.object(&["data"]))?;
        match route {
            Route::Export => {
                let told = self.export(&who, question.of_contact()?).await?;
                Ok((StatusCode::OK, told))
            }
            Route::Erase => self.erase(&who, question.of_contact()?).await,
            Route::Search | Route::One(_) => Ok((StatusCode::OK, self.search(who.tenant, question).await?)),
        }
    }

    /// What was said in a session whose words are kept; of one that goes on, its agents see it where they hold it.
    async fn one(&self, tenant: TenantId, session: LogId) -> Result<Value, Fault> {
        let kept = self.parts.archive.read(tenant, session).await.map_err(away)?;
        let document = kept
            .and_then(|kept| kept.document)
            .ok_or(Fault::new(Code::NotFound))?;
        serde_json::from_str(&document).map_err(|_| Code::Internal.into())
    }

    async fn search(&self, tenant: TenantId, question: Question) -> Result<Value, Fault> {
        let limit = question.limit;
        let found = self.find(tenant, &question, true, limit).await?;
        Ok(json!({"sessions": found.iter().map(listed).collect::<Vec<_>>(), "next": next(&found, limit)}))
    }

    async fn export(&self, who: &Principal, question: Question) -> Result<Value, Fault> {
        let limit = question.limit;
        let found = self.find(who.tenant, &question, false, limit).await?;
        // First the audit: nothing is given out that nobody would know of.
        self.audit(who, AuditAction::Exported, &question).await?;
        let mut sessions = Vec::with_capacity(found.len());
        for summary in &found {
            let (tenant, session) = (who.tenant, summary.session);
            let told = self
                .parts
                .own
                .everything(&self.parts.shards, tenant, session)
                .await?;
            sessions.extend(told);
        }
        Ok(json!({"sessions": sessions, "next": next(&found, limit)}))
    }

    async fn erase(&self, who: &Principal, question: Question) -> Result<(StatusCode, Value), Fault> {
        let began = Instant::now();
        self.audit(who, AuditAction::Erased, &question).await?;
        let snapshot = self.parts.directory.snapshots().load_full();
        let eraser = Eraser {
            shards: &self.parts.shards,
            archive: &self.parts.archive,
            media: &self.parts.media,
            snapshot: &snapshot,
            tenant: who.tenant,
        };
        for address in &question.mailboxes {
            eraser.mailboxes(address).await?;
        }
        let mut erased = 0;
        loop {
            let found = self.find(who.tenant, &question, false, BATCH).await?;
            for summary in &found {
                if began.elapsed() > BUDGET {
                    let told = json!({"erased": erased, "complete": false});
                    return Ok((StatusCode::ACCEPTED, told));
                }
                eraser.session(summary.session).await?;
                erased += 1;
            }
            if found.len() < BATCH {
                for address in &question.addresses {
                    let contact = self.parts.pseudonyms.of(address);
                    tracing::info!(tenant = %who.tenant, contact, erased, "a contact is erased");
                }
                return Ok((StatusCode::OK, json!({"erased": erased, "complete": true})));
            }
        }
    }

    async fn find(
        &self,
        tenant: TenantId,
        question: &Question,
        kept: bool,
        limit: usize,
    ) -> Result<Vec<Summary>, Fault> {
        let asked = Asked {
            tenant,
            contacts: question.contacts.clone(),
            words: question.words.clone(),
            kept,
            below: question.after,
            limit,
        };
        self.parts.archive.find(asked).await.map_err(away)
    }

    async fn audit(&self, who: &Principal, action: AuditAction, question: &Question) -> Result<(), Fault> {
        let act = Act {
            actor: who.actor(),
            at: self.parts.shards.wall(),
        };
        let fields = question.kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let about = ("contacts", question.digest());
        let written = self
            .parts
            .directory
            .note(&act, who.tenant, action, about, fields)
            .await;
        written.map_err(|error| {
            tracing::warn!(%error, "the audit could not be written");
            Fault::unavailable(AGAIN)
        })
    }
}

fn route(path: &str) -> Option<Route> {
    match (path.strip_prefix(HISTORY), path.strip_prefix(CONTACTS)) {
        (Some("search"), _) => Some(Route::Search),
        (Some(id), _) => id.parse().ok().map(Route::One),
        (_, Some("export")) => Some(Route::Export),
        (_, Some("erase")) => Some(Route::Erase),
        _ => None,
    }
}

fn next(found: &[Summary], limit: usize) -> Option<LogId> {
    found
        .last()
        .filter(|_| found.len() >= limit)
        .map(|last| last.session)
}

fn listed(summary: &Summary) -> Value {
    json!({"sessionId": summary.session, "media": summary.media,
        "began": timestamp(summary.began), "ended": summary.ended.map(timestamp)})
}

#[allow(clippy::needless_pass_by_value, reason = "the shape `map_err` takes")]
fn away(error: ArchiveError) -> Fault {
    tracing::warn!(%error, "our own history is away");
    Fault::unavailable(AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_one_call_or_none() {
        assert_eq!(route("/nexus/v3/history/search"), Some(Route::Search));
        assert_eq!(route("/nexus/v3/contacts/export"), Some(Route::Export));
        assert_eq!(route("/nexus/v3/contacts/erase"), Some(Route::Erase));
        let id = "01890a5d-7c11-7a3d-8e2a-1f2b3c4d5e6f";
        let one = id.parse().map(Route::One).ok();
        assert_eq!(route(&format!("/nexus/v3/history/{id}")), one);
        for bad in [
            "/nexus/v3/history/",
            "/nexus/v3/contacts/x",
            "/nexus/v3/history/x",
        ] {
            assert_eq!(route(bad), None, "{bad}");
        }
    }
}
