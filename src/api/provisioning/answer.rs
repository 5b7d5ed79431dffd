//! Does what a request asks.

use hyper::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::body::Wanted;
use super::query::Query;
use super::refuse::refused;
use super::target::Target;
use crate::api::auth::permit;
use crate::model::{Millis, TenantId};
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::access::Principal;
use crate::provisioning::objects::Kind;
use crate::provisioning::{Act, AuditEntry, Directory, ObjectId, Row};

/// A request, without its server.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// What the path names.
    pub target: &'a Target,
    /// After the question mark; empty where there is none.
    pub query: &'a str,
    /// The `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The `x-ccid`.
    pub ccid: Option<&'a str>,
    /// The `If-Match`: a version as an answer's `ETag` gave it.
    pub if_match: Option<&'a str>,
    /// The body, within the listener's limit.
    pub body: &'a [u8],
}

/// What to answer, in the numeric envelope.
#[derive(Debug, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The envelope's `data`.
    pub data: Value,
    /// The object's version, to be sent as `ETag: "<version>"`.
    pub version: Option<u64>,
}

/// Does what a request asks of provisioning.
///
/// # Errors
/// A [`Fault`] of contract 1.2. Another tenant's objects are 404.
pub async fn answer(
    directory: &Directory,
    principal: &Principal,
    now: Millis,
    request: Request<'_>,
) -> Result<Reply, Fault> {
    if !request.target.allowed().contains(request.method) {
        return Err(Code::MethodNotAllowed.into());
    }
    let query = Query::parse(request.query)?;
    let tenant = tenant_meant(principal, &query, request.ccid)?;
    let call = Call {
        directory,
        principal,
        act: Act {
            actor: principal.actor(),
            at: now,
        },
        tenant,
        query,
        request,
    };
    match (request.target, request.method) {
        (Target::Collection(kind), &Method::GET) => call.list(*kind).await,
        (Target::Collection(kind), _) => call.create(*kind).await,
        (Target::Item(..), _) => call.item().await,
        (Target::Audit, _) => call.audit().await,
        (Target::RotateSigningKey(purpose), _) => {
            permit(principal, "platform", "keys")?;
            let id = directory
                .rotate_signing_key(&call.act, *purpose)
                .await
                .map_err(refused)?;
            Ok(Reply::ok(
                json!({"purpose": purpose.key_purpose().as_str(), "id": id}),
            ))
        }
        (Target::RotateDataKey, _) => {
            permit(principal, "admin", "keys")?;
            let count = directory
                .rotate_data_key(&call.act, tenant)
                .await
                .map_err(refused)?;
            Ok(Reply::ok(json!({"sealedAnew": count})))
        }
        (Target::RewrapKeys, _) => {
            permit(principal, "platform", "keys")?;
            let count = directory.rewrap_keys(&call.act).await.map_err(refused)?;
            Ok(Reply::ok(json!({"wrappedAnew": count})))
        }
    }
}

/// The tenant a request is about: the caller's own, or for operators the one they name.
fn tenant_meant(principal: &Principal, query: &Query, header: Option<&str>) -> Result<TenantId, Fault> {
    let header = header.map(|ccid| {
        ccid.parse()
            .map_err(|_| Fault::new(Code::BadValue).detail("x-ccid"))
    });
    let named = match (query.ccid, header.transpose()?) {
        (Some(query), Some(header)) if query != header => {
            return Err(Fault::new(Code::BadValue).detail("ccid and x-ccid differ"));
        }
        (query, header) => query.or(header),
    };
    own_or_operated(principal, named.unwrap_or(principal.tenant))
}

fn own_or_operated(principal: &Principal, tenant: TenantId) -> Result<TenantId, Fault> {
    if tenant == principal.tenant || principal.is_operator() {
        Ok(tenant)
    } else {
        Err(Code::NotFound.into())
    }
}

struct Call<'a> {
    directory: &'a Directory,
    principal: &'a Principal,
    act: Act,
    tenant: TenantId,
    query: Query,
    request: Request<'a>,
}

impl Call<'_> {
    async fn list(&self, kind: Kind) -> Result<Reply, Fault> {
        self.permit(kind, "read")?;
        // Operators see every tenant; others their own, as a list of one.
        let all = kind == Kind::Tenant && self.principal.is_operator() && self.query.ccid.is_none();
        let scope = if all { None } else { Some(self.tenant) };
        let (after, limit) = (self.query.after.as_ref(), self.query.limit);
        let rows = self
            .directory
            .list(kind, scope, after, limit)
            .await
            .map_err(refused)?;
        let next = if rows.len() == limit {
            rows.last().map(|row| row.id.as_str())
        } else {
            None
        };
        let items: Vec<Value> = rows.iter().map(Row::view).collect();
        Ok(Reply::ok(json!({"items": items, "next": next})))
    }

    async fn create(&self, kind: Kind) -> Result<Reply, Fault> {
        self.permit(kind, "create")?;
        let wanted = Wanted::parse(kind, self.request.content_type, self.request.body)?;
        self.may_grant(&wanted)?;
        let tenant = match (kind, wanted.tenant) {
            (Kind::Tenant, named) => named.unwrap_or_else(|| TenantId(uuid::Uuid::new_v4())),
            (_, Some(named)) => own_or_operated(self.principal, named)?,
            (_, None) => self.tenant,
        };
        let written = self
            .directory
            .create(&self.act, tenant, wanted.draft, wanted.id)
            .await
            .map_err(refused)?;
        let mut data = written.row.view();
        if let (Some(made), Some(data)) = (written.made, data.as_object_mut()) {
            data.insert("key".to_owned(), made.expose_secret().into());
        }
        Ok(Reply {
            status: StatusCode::CREATED,
            data,
            version: Some(written.row.version),
        })
    }

    async fn item(&self) -> Result<Reply, Fault> {
        let Target::Item(kind, id) = self.request.target else {
            return Err(Code::NotFound.into());
        };
        let kind = *kind;
        let id = id.as_ref().ok_or(Code::NotFound)?;
        // A tenant's id names the tenant itself.
        let tenant = match kind {
            Kind::Tenant => {
                own_or_operated(self.principal, id.as_str().parse().map_err(|_| Code::NotFound)?)?
            }
            _ => self.tenant,
        };
        match *self.request.method {
            Method::GET => {
                self.permit(kind, "read")?;
                let row = self.directory.read(kind, tenant, id).await.map_err(refused)?;
                Ok(Reply {
                    version: Some(row.version),
                    ..Reply::ok(row.view())
                })
            }
            Method::PUT => {
                self.permit(kind, "update")?;
                self.replace(kind, tenant, id).await
            }
            _ => {
                self.permit(kind, "delete")?;
                self.directory
                    .delete(&self.act, kind, tenant, id)
                    .await
                    .map_err(refused)?;
                Ok(Reply::ok(json!({"id": id.as_str()})))
            }
        }
    }

    async fn replace(&self, kind: Kind, tenant: TenantId, id: &ObjectId) -> Result<Reply, Fault> {
        let wanted = Wanted::parse(kind, self.request.content_type, self.request.body)?;
        let other_id = wanted.id.as_ref().is_some_and(|named| named != id);
        if other_id || wanted.tenant.is_some_and(|named| named != tenant) {
            return Err(Fault::new(Code::BadValue).detail("the id of an object cannot change"));
        }
        self.may_grant(&wanted)?;
        if kind == Kind::Tenant && !self.principal.is_operator() {
            let old = self.directory.read(kind, tenant, id).await.map_err(refused)?;
            for field in OPERATORS_ONLY {
                if old.body.get(field) != wanted.draft.body.get(field) {
                    return Err(Fault::new(Code::Forbidden).detail(format!("{field} is the operator's")));
                }
            }
        }
        let expected = self.request.if_match.map(version_of).transpose()?;
        let written = self
            .directory
            .replace(&self.act, tenant, id, &wanted.draft, expected)
            .await
            .map_err(refused)?;
        Ok(Reply {
            version: Some(written.row.version),
            ..Reply::ok(written.row.view())
        })
    }

    async fn audit(&self) -> Result<Reply, Fault> {
        permit(self.principal, "admin", "read")?;
        let Query { before, limit, .. } = self.query;
        let entries = self
            .directory
            .audit(Some(self.tenant), before, limit)
            .await
            .map_err(refused)?;
        let next = if entries.len() >= limit {
            entries.last().map(|entry| entry.version)
        } else {
            None
        };
        let items: Vec<Value> = entries.iter().map(audit_view).collect();
        Ok(Reply::ok(json!({"items": items, "next": next})))
    }

    fn permit(&self, kind: Kind, action: &str) -> Result<(), Fault> {
        if kind == Kind::Tenant && matches!(action, "create" | "delete") {
            return permit(self.principal, "platform", action);
        }
        permit(self.principal, kind.area(), action)
    }

    /// Only operators make operators.
    fn may_grant(&self, wanted: &Wanted) -> Result<(), Fault> {
        let permissions = wanted.draft.body.get("permissions").and_then(Value::as_array);
        let platform = permissions
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|permission| permission.starts_with("nexus:platform:"));
        if platform && !self.principal.is_operator() {
            return Err(Fault::new(Code::Forbidden).detail("needs nexus:platform:*"));
        }
        Ok(())
    }
}

/// Fields of a tenant that its own administrators cannot change.
const OPERATORS_ONLY: [&str; 4] = ["sid", "enabled", "limits", "staticAgentTokens"];

impl Reply {
    fn ok(data: Value) -> Self {
        Reply {
            status: StatusCode::OK,
            data,
            version: None,
        }
    }
}

fn version_of(if_match: &str) -> Result<u64, Fault> {
    let version = if_match.trim().trim_matches('"').parse();
    version.map_err(|_| Fault::new(Code::BadValue).detail("if-match"))
}

fn audit_view(entry: &AuditEntry) -> Value {
    let ms = i64::try_from(entry.at.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(ms)
        .map(|at| at.to_string())
        .unwrap_or_default();
    json!({"version": entry.version, "time": at, "actor": entry.actor, "action": entry.action.as_str(),
        "subject": entry.subject, "id": entry.id, "fields": entry.fields})
}
