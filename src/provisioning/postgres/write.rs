//! A write as one transaction: version, changes, audit, notice.

use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Statement, Transaction};
use uuid::Uuid;

use super::error::{commit_failed, corrupt, failed};
use super::sql::{self, system_time};
use super::store::Statements;
use crate::model::TenantId;
use crate::postgres::Session;
use crate::provisioning::crowd;
use crate::provisioning::objects::Kind;
use crate::provisioning::row::{AuditAction, KeyPurpose, KeyRecord, ObjectId, Row};
use crate::provisioning::store::{Change, Clash, Expect, StoreError, Write};

/// The channel every node listens on.
pub(super) const NOTICE: &str = "nexus_provisioning";

const BUMP: &str = "UPDATE nex_version SET version = version + 1 RETURNING version";
const TELL: &str = "SELECT pg_notify($1, $2)";
const AUDIT: &str = "INSERT INTO nex_audit (version, place, at, ccid, actor, action, subject, object_id, fields) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const ADD_KEY: &str =
    "INSERT INTO nex_keys (ccid, purpose, id, active_from, wrapped) VALUES ($1, $2, $3, $4, $5)";
const REWRAP_KEY: &str =
    "UPDATE nex_keys SET active_from = $4, wrapped = $5 WHERE ccid = $1 AND purpose = $2 AND id = $3";
const DROP_KEY: &str = "DELETE FROM nex_keys WHERE ccid = $1 AND purpose = $2 AND id = $3";
const DROP_KEYS: &str = "DELETE FROM nex_keys WHERE ccid = $1";

/// Applies a write. The version's row is locked first, so writers take turns and a check made in the transaction holds
/// until it ends.
pub(super) async fn write(
    session: &mut Session,
    statements: &Statements,
    write: &Write,
) -> Result<u64, StoreError> {
    // Preparing inside the transaction would be more round trips under the lock.
    let mut prepared = Vec::with_capacity(write.changes.len());
    for change in &write.changes {
        prepared.push(Prepared::of(session, statements, change).await?);
    }
    let bump = session.prepared(BUMP).await?;
    let tell = session.prepared(TELL).await?;
    let audit = session.prepared(AUDIT).await?;
    let webhooks = session.prepared(&statements.of(Kind::Webhook).list).await?;
    let transaction = session.client.transaction().await.map_err(failed)?;
    let version: i64 = transaction.query_one(&bump, &[]).await.map_err(failed)?.get(0);
    let mut before = Vec::new();
    for tenant in crowd::judged(&write.changes) {
        before.push((tenant, bodies(&transaction, &webhooks, tenant).await?));
    }
    for ((place, change), prepared) in (0_i64..).zip(&write.changes).zip(&prepared) {
        let statement = &prepared.change;
        let done = match change {
            Change::Put { row, expect, fields } => {
                let action = check(&transaction, &prepared.beside, row, *expect).await?;
                put(&transaction, statement, row, version).await?;
                Done::row(row.kind, row.tenant, &row.id, action, fields.clone())
            }
            Change::Delete { kind, tenant, id } => {
                let gone = transaction
                    .execute(statement, &[&tenant.0, &id.as_str()])
                    .await
                    .map_err(failed)?;
                if gone == 0 {
                    return Err(Clash::Absent.into());
                }
                if *kind == Kind::Tenant {
                    transaction
                        .execute(&prepared.beside, &[&tenant.0])
                        .await
                        .map_err(failed)?;
                }
                Done::row(*kind, *tenant, id, AuditAction::Deleted, Vec::new())
            }
            Change::AddKey(record) | Change::RewrapKey(record) => {
                let written = put_key(&transaction, statement, record).await?;
                if written == 0 {
                    return Err(Clash::Absent.into());
                }
                let what = if matches!(change, Change::AddKey(_)) {
                    "added"
                } else {
                    "wrapped"
                };
                Done::key(record.tenant, record.purpose, record.id, what)
            }
            Change::DropKey { tenant, purpose, id } => {
                let owner = owner(*tenant);
                let parameters: [&(dyn ToSql + Sync); 3] = [&owner, &purpose.as_str(), &i64::from(*id)];
                transaction
                    .execute(statement, &parameters)
                    .await
                    .map_err(failed)?;
                Done::key(*tenant, *purpose, *id, "dropped")
            }
            Change::Note {
                tenant,
                action,
                subject,
                id,
                fields,
            } => Done {
                tenant: Some(*tenant),
                action: *action,
                subject,
                id: id.clone(),
                fields: fields.clone(),
            },
        };
        let tenant = done.tenant.map(|tenant| tenant.0);
        let parameters: [&(dyn ToSql + Sync); 9] = [
            &version,
            &place,
            &system_time(write.at),
            &tenant,
            &write.actor,
            &done.action.as_str(),
            &done.subject,
            &done.id,
            &done.fields,
        ];
        transaction.execute(&audit, &parameters).await.map_err(failed)?;
    }
    for (tenant, before) in before {
        crowd::settle(&before, &bodies(&transaction, &webhooks, tenant).await?)?;
    }
    transaction
        .execute(&tell, &[&NOTICE, &version.to_string()])
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(commit_failed)?;
    u64::try_from(version).map_err(corrupt)
}

/// The statements of one change.
struct Prepared {
    change: Statement,
    /// What goes with it: looks at the row before a put, drops a tenant's keys after a delete.
    beside: Statement,
}

impl Prepared {
    async fn of(session: &mut Session, statements: &Statements, change: &Change) -> Result<Self, StoreError> {
        let (change, beside) = match change {
            Change::Put { row, expect, .. } => {
                let kind = statements.of(row.kind);
                match expect {
                    Expect::Absent => (kind.insert.as_str(), kind.seen.as_str()),
                    Expect::Version(_) => (kind.update.as_str(), kind.seen.as_str()),
                }
            }
            Change::Delete { kind, .. } => (statements.of(*kind).delete.as_str(), DROP_KEYS),
            Change::AddKey(_) => (ADD_KEY, DROP_KEYS),
            Change::RewrapKey(_) => (REWRAP_KEY, DROP_KEYS),
            Change::DropKey { .. } => (DROP_KEY, DROP_KEYS),
            Change::Note { .. } => (BUMP, BUMP),
        };
        Ok(Prepared {
            change: session.prepared(change).await?,
            beside: session.prepared(beside).await?,
        })
    }
}

/// The bodies of a tenant's webhooks.
async fn bodies(
    transaction: &Transaction<'_>,
    list: &Statement,
    tenant: TenantId,
) -> Result<Vec<Value>, StoreError> {
    let parameters: [&(dyn ToSql + Sync); 3] = [&tenant.0, &None::<&str>, &i64::MAX];
    let found = transaction.query(list, &parameters).await.map_err(failed)?;
    found
        .iter()
        .map(|found| Ok(sql::row(Kind::Webhook, found)?.body))
        .collect()
}

async fn check(
    transaction: &Transaction<'_>,
    seen: &Statement,
    row: &Row,
    expect: Expect,
) -> Result<AuditAction, StoreError> {
    let found = transaction
        .query_opt(seen, &[&row.tenant.0, &row.id.as_str()])
        .await
        .map_err(failed)?;
    let version = found.map(|found| u64::try_from(found.get::<_, i64>(0)).unwrap_or(0));
    match (expect, version) {
        (Expect::Absent, None) => Ok(AuditAction::Created),
        (Expect::Absent, Some(_)) => Err(Clash::IdTaken.into()),
        (Expect::Version(_), None) => Err(Clash::Absent.into()),
        (Expect::Version(expected), Some(there)) if expected == there => Ok(AuditAction::Updated),
        (Expect::Version(_), Some(_)) => Err(Clash::Changed.into()),
    }
}

async fn put(
    transaction: &Transaction<'_>,
    statement: &Statement,
    row: &Row,
    version: i64,
) -> Result<(), StoreError> {
    let id = row.id.as_str();
    let (created, updated) = (system_time(row.created), system_time(row.updated));
    let secrets: Vec<Option<&[u8]>> = row
        .kind
        .secrets()
        .iter()
        .map(|spec| Some(row.secrets.get(spec.field)?.0.as_slice()))
        .collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> =
        vec![&row.tenant.0, &id, &version, &created, &updated, &row.body];
    parameters.extend(secrets.iter().map(|secret| secret as &(dyn ToSql + Sync)));
    transaction
        .execute(statement, &parameters)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn put_key(
    transaction: &Transaction<'_>,
    statement: &Statement,
    record: &KeyRecord,
) -> Result<u64, StoreError> {
    let owner = owner(record.tenant);
    let parameters: [&(dyn ToSql + Sync); 5] = [
        &owner,
        &record.purpose.as_str(),
        &i64::from(record.id),
        &system_time(record.active_from),
        &record.wrapped.0,
    ];
    transaction.execute(statement, &parameters).await.map_err(failed)
}

/// Shared keys are the nil tenant's.
pub(super) fn owner(tenant: Option<TenantId>) -> Uuid {
    tenant.map_or(Uuid::nil(), |tenant| tenant.0)
}

struct Done {
    tenant: Option<TenantId>,
    action: AuditAction,
    subject: &'static str,
    id: String,
    fields: Vec<String>,
}

impl Done {
    fn row(kind: Kind, tenant: TenantId, id: &ObjectId, action: AuditAction, fields: Vec<String>) -> Self {
        Done {
            tenant: Some(tenant),
            action,
            subject: kind.path(),
            id: id.to_string(),
            fields,
        }
    }

    fn key(tenant: Option<TenantId>, purpose: KeyPurpose, id: u32, what: &str) -> Self {
        let id = format!("{}/{id}", purpose.as_str());
        Done {
            tenant,
            action: AuditAction::Rotated,
            subject: "keys",
            id,
            fields: vec![what.to_owned()],
        }
    }
}
