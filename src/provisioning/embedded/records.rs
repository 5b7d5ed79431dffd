//! Tables of the embedded file, and the changes within one transaction.

use redb::{ReadableTable as _, Table, TableDefinition, WriteTransaction};
use uuid::Uuid;

use super::store::{corrupt, failed};
use crate::model::{Millis, TenantId};
use crate::provisioning::crowd;
use crate::provisioning::objects::{Kind, SecretForm};
use crate::provisioning::row::{AuditAction, AuditEntry, KeyPurpose, KeyRecord, ObjectId, Row};
use crate::provisioning::store::{Change, Clash, Expect, StoreError, Write};

/// (kind, tenant, id).
pub(super) type RowKey<'a> = (u8, u128, &'a str);
/// (purpose, tenant or nil, number).
pub(super) type KeyKey<'a> = (&'a str, u128, u32);

pub(super) const OBJECTS: TableDefinition<'_, RowKey<'_>, &[u8]> = TableDefinition::new("objects");
/// (kind, tenant, name) to id.
pub(super) const NAMES: TableDefinition<'_, RowKey<'_>, &str> = TableDefinition::new("names");
/// What is unique over all tenants, to the row that has it.
pub(super) const CLAIMS: TableDefinition<'_, &[u8], RowKey<'_>> = TableDefinition::new("claims");
pub(super) const KEYS: TableDefinition<'_, KeyKey<'_>, &[u8]> = TableDefinition::new("keys");
/// (version, place within the write).
pub(super) const AUDIT: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("audit");
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const VERSION: &str = "version";

pub(super) fn row_key(kind: Kind, tenant: TenantId, id: &str) -> RowKey<'_> {
    (kind as u8, tenant.0.as_u128(), id)
}

/// Applies a write within a transaction; the caller commits it or, on an error, drops it.
pub(super) fn apply(transaction: &WriteTransaction, write: &Write) -> Result<u64, StoreError> {
    let mut meta = transaction.open_table(META).map_err(failed)?;
    let version = meta
        .get(VERSION)
        .map_err(failed)?
        .map_or(0, |guard| guard.value())
        + 1;
    meta.insert(VERSION, version).map_err(failed)?;
    let mut tables = Tables {
        objects: transaction.open_table(OBJECTS).map_err(failed)?,
        names: transaction.open_table(NAMES).map_err(failed)?,
        claims: transaction.open_table(CLAIMS).map_err(failed)?,
        keys: transaction.open_table(KEYS).map_err(failed)?,
        version,
    };
    let mut audit = transaction.open_table(AUDIT).map_err(failed)?;
    let mut before = Vec::new();
    for tenant in crowd::judged(&write.changes) {
        before.push((tenant, tables.of_tenant(Kind::Webhook, tenant)?));
    }
    for (place, change) in (0u32..).zip(&write.changes) {
        let done = tables.apply(change)?;
        let entry = AuditEntry {
            version,
            at: write.at,
            tenant: done.tenant,
            actor: write.actor.clone(),
            action: done.action,
            subject: done.subject,
            id: done.id,
            fields: done.fields,
        };
        let bytes = serde_json::to_vec(&entry).map_err(corrupt)?;
        audit.insert((version, place), bytes.as_slice()).map_err(failed)?;
    }
    for (tenant, before) in before {
        let after = tables.of_tenant(Kind::Webhook, tenant)?;
        crowd::settle(
            before.iter().map(|row| &row.body),
            after.iter().map(|row| &row.body),
        )?;
    }
    Ok(version)
}

/// Removes a tenant's audit entries from before a time.
pub(super) fn trim_audit(
    transaction: &WriteTransaction,
    tenant: Option<TenantId>,
    before: Millis,
) -> Result<usize, StoreError> {
    let mut audit = transaction.open_table(AUDIT).map_err(failed)?;
    let mut gone = 0;
    audit
        .retain(|_, bytes| {
            // What cannot be read is kept for whoever repairs it.
            let entry = serde_json::from_slice::<AuditEntry>(bytes);
            let drop = entry.is_ok_and(|entry| entry.tenant == tenant && entry.at < before);
            gone += usize::from(drop);
            !drop
        })
        .map_err(failed)?;
    Ok(gone)
}

struct Done {
    tenant: Option<TenantId>,
    action: AuditAction,
    subject: String,
    id: String,
    fields: Vec<String>,
}

struct Tables<'t> {
    objects: Table<'t, RowKey<'static>, &'static [u8]>,
    names: Table<'t, RowKey<'static>, &'static str>,
    claims: Table<'t, &'static [u8], RowKey<'static>>,
    keys: Table<'t, KeyKey<'static>, &'static [u8]>,
    version: u64,
}

impl Tables<'_> {
    fn apply(&mut self, change: &Change) -> Result<Done, StoreError> {
        match change {
            Change::Put { row, expect, fields } => self.put(row, *expect, fields),
            Change::Delete { kind, tenant, id } => self.delete(*kind, *tenant, id),
            Change::AddKey(record) => self.put_key(record, false),
            Change::RewrapKey(record) => self.put_key(record, true),
            Change::DropKey { tenant, purpose, id } => {
                self.keys
                    .remove(key_key(*tenant, *purpose, *id))
                    .map_err(failed)?;
                Ok(done_with_key(*tenant, *purpose, *id, "dropped"))
            }
            Change::Note {
                tenant,
                action,
                subject,
                id,
                fields,
            } => Ok(Done {
                tenant: Some(*tenant),
                action: *action,
                subject: (*subject).to_owned(),
                id: id.clone(),
                fields: fields.clone(),
            }),
        }
    }

    fn put(&mut self, row: &Row, expect: Expect, fields: &[String]) -> Result<Done, StoreError> {
        if row.kind != Kind::Tenant {
            let owner = ObjectId::of_tenant(row.tenant);
            if self.read(Kind::Tenant, row.tenant, &owner)?.is_none() {
                return Err(Clash::NoTenant.into());
            }
        }
        let old = self.read(row.kind, row.tenant, &row.id)?;
        let action = match (expect, &old) {
            (Expect::Absent, None) => AuditAction::Created,
            (Expect::Absent, Some(_)) => return Err(Clash::IdTaken.into()),
            (Expect::Version(_), None) => return Err(Clash::Absent.into()),
            (Expect::Version(version), Some(old)) if old.version == version => AuditAction::Updated,
            (Expect::Version(_), Some(_)) => return Err(Clash::Changed.into()),
        };
        let mut new = row.clone();
        new.version = self.version;
        if let Some(old) = &old {
            new.created = old.created;
            self.unindex(old)?;
        }
        self.index(&new)?;
        let bytes = serde_json::to_vec(&new).map_err(corrupt)?;
        let key = row_key(row.kind, row.tenant, row.id.as_str());
        self.objects.insert(key, bytes.as_slice()).map_err(failed)?;
        Ok(done_with_row(row, action, fields.to_vec()))
    }

    fn delete(&mut self, kind: Kind, tenant: TenantId, id: &ObjectId) -> Result<Done, StoreError> {
        let row = self.read(kind, tenant, id)?.ok_or(Clash::Absent)?;
        self.forget(&row)?;
        if kind == Kind::Tenant {
            for kind in Kind::ALL {
                for row in self.of_tenant(kind, tenant)? {
                    self.forget(&row)?;
                }
            }
            let owner = tenant.0.as_u128();
            self.keys.retain(|(_, of, _), _| of != owner).map_err(failed)?;
        }
        Ok(done_with_row(&row, AuditAction::Deleted, Vec::new()))
    }

    fn put_key(&mut self, record: &KeyRecord, must_exist: bool) -> Result<Done, StoreError> {
        let key = key_key(record.tenant, record.purpose, record.id);
        let exists = self.keys.get(key).map_err(failed)?.is_some();
        match (exists, must_exist) {
            (true, false) => return Err(Clash::IdTaken.into()),
            (false, true) => return Err(Clash::Absent.into()),
            _ => {}
        }
        let bytes = serde_json::to_vec(record).map_err(corrupt)?;
        self.keys.insert(key, bytes.as_slice()).map_err(failed)?;
        let what = if must_exist { "wrapped" } else { "added" };
        Ok(done_with_key(record.tenant, record.purpose, record.id, what))
    }

    fn read(&self, kind: Kind, tenant: TenantId, id: &ObjectId) -> Result<Option<Row>, StoreError> {
        let guard = self
            .objects
            .get(row_key(kind, tenant, id.as_str()))
            .map_err(failed)?;
        guard
            .map(|bytes| serde_json::from_slice(bytes.value()).map_err(corrupt))
            .transpose()
    }

    fn of_tenant(&self, kind: Kind, tenant: TenantId) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for entry in self.objects.range(row_key(kind, tenant, "")..).map_err(failed)? {
            let (key, bytes) = entry.map_err(failed)?;
            let (of_kind, of_tenant, _) = key.value();
            if (of_kind, of_tenant) != (kind as u8, tenant.0.as_u128()) {
                break;
            }
            rows.push(serde_json::from_slice(bytes.value()).map_err(corrupt)?);
        }
        Ok(rows)
    }

    fn forget(&mut self, row: &Row) -> Result<(), StoreError> {
        self.unindex(row)?;
        self.objects
            .remove(row_key(row.kind, row.tenant, row.id.as_str()))
            .map_err(failed)?;
        Ok(())
    }

    fn index(&mut self, row: &Row) -> Result<(), StoreError> {
        let name = row_key(row.kind, row.tenant, &row.name);
        if self
            .names
            .insert(name, row.id.as_str())
            .map_err(failed)?
            .is_some()
        {
            return Err(Clash::NameTaken.into());
        }
        for (claim, clash) in claims(row) {
            let owner = row_key(row.kind, row.tenant, row.id.as_str());
            if self
                .claims
                .insert(claim.as_slice(), owner)
                .map_err(failed)?
                .is_some()
            {
                return Err(clash.into());
            }
        }
        Ok(())
    }

    fn unindex(&mut self, row: &Row) -> Result<(), StoreError> {
        self.names
            .remove(row_key(row.kind, row.tenant, &row.name))
            .map_err(failed)?;
        for (claim, _) in claims(row) {
            self.claims.remove(claim.as_slice()).map_err(failed)?;
        }
        Ok(())
    }
}

/// What of a row is unique over all tenants, and what a second one is told.
fn claims(row: &Row) -> Vec<(Vec<u8>, Clash)> {
    let claim = |mark: u8, bytes: &[u8]| [&[row.kind as u8, mark], bytes].concat();
    let digests = row
        .kind
        .secrets()
        .iter()
        .filter(|spec| spec.form == SecretForm::Digest);
    let mut claims: Vec<(Vec<u8>, Clash)> = digests
        .filter_map(|spec| Some((claim(1, &row.secrets.get(spec.field)?.0), Clash::SecretTaken)))
        .collect();
    if row.kind.has_global_id() {
        claims.push((claim(0, row.id.as_str().as_bytes()), Clash::IdTaken));
    }
    if row.kind == Kind::Tenant {
        claims.push((claim(2, row.name.as_bytes()), Clash::NameTaken));
    }
    claims
}

pub(super) fn key_key(tenant: Option<TenantId>, purpose: KeyPurpose, id: u32) -> KeyKey<'static> {
    (
        purpose.as_str(),
        tenant.map_or(Uuid::nil(), |tenant| tenant.0).as_u128(),
        id,
    )
}

fn done_with_row(row: &Row, action: AuditAction, fields: Vec<String>) -> Done {
    Done {
        tenant: Some(row.tenant),
        action,
        subject: row.kind.path().to_owned(),
        id: row.id.to_string(),
        fields,
    }
}

fn done_with_key(tenant: Option<TenantId>, purpose: KeyPurpose, id: u32, what: &str) -> Done {
    Done {
        tenant,
        action: AuditAction::Rotated,
        subject: "keys".to_owned(),
        id: format!("{}/{id}", purpose.as_str()),
        fields: vec![what.to_owned()],
    }
}
