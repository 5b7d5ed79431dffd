//! What administrators do: create, read, replace and delete objects, with secrets sealed and everything audited.
//!
//! After a write the node's own snapshot is as new as the write before the caller is answered; other nodes follow
//! within the store's notice. Who may call what is decided above.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::warn;

use super::crowd;
use super::draft::{Draft, SecretWish};
use super::notes::with_notes;
use super::objects::{Kind, Object as _, Problems, Retention, SecretField, SecretForm};
use super::row::{AuditAction, AuditEntry, KeyPurpose, ObjectId, Row, SealedBytes};
use super::secret::{FreshKey, MasterKeys, SecretDigest, Unopenable, Vault, VaultError, fresh_api_key};
use super::snapshot::{Publisher, Snapshots};
use super::store::{Change, Clash, Expect, Store, StoreError, Write};
use crate::model::{Millis, TenantId};

/// Who does something and when.
#[derive(Debug, Clone)]
pub struct Act {
    /// A login, a key's id, `provision`; never a secret.
    pub actor: String,
    /// The time to note.
    pub at: Millis,
}

/// The way in for everybody who changes provisioning data.
pub struct Directory {
    pub(super) store: Arc<dyn Store>,
    pub(super) masters: Arc<MasterKeys>,
    pub(super) publisher: Arc<Publisher>,
}

/// A written object, with what is shown once.
#[derive(Debug)]
pub struct Written {
    /// As stored.
    pub row: Row,
    /// The secret we made, to be shown to the caller now and never again.
    pub made: Option<SecretString>,
    /// Whether anything was written; a repeat of what is there is not.
    pub changed: bool,
}

/// Why a request could not be done.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// The object is not acceptable. The caller's fault.
    #[error("{0}")]
    Invalid(#[from] Problems),
    /// There is no such object of this tenant.
    #[error("no such object")]
    NotFound,
    /// It contradicts what is there. The caller's fault.
    #[error("{0}")]
    Clash(Clash),
    /// The store is away, or did not say in time. Worth trying again.
    #[error("{0}")]
    Unavailable(StoreError),
    /// Ours: unreadable data, or keys that do not fit.
    #[error("{0}")]
    Broken(String),
}

/// How often a read-modify-write starts over because somebody else wrote.
const ATTEMPTS: usize = 4;
/// How long a writer waits for its own node to see the write.
const PUBLISH_WAIT: Duration = Duration::from_secs(2);

impl Directory {
    /// The node's snapshots.
    pub fn snapshots(&self) -> &Snapshots {
        self.publisher.snapshots()
    }

    /// One object.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Unavailable`].
    pub async fn read(&self, kind: Kind, tenant: TenantId, id: &ObjectId) -> Result<Row, DirectoryError> {
        self.store
            .read(kind, tenant, id)
            .await?
            .ok_or(DirectoryError::NotFound)
    }

    /// A page of objects in order of id; see [`Store::list`].
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn list(
        &self,
        kind: Kind,
        tenant: Option<TenantId>,
        after: Option<&ObjectId>,
        limit: usize,
    ) -> Result<Vec<Row>, DirectoryError> {
        Ok(self.store.list(kind, tenant, after, limit).await?)
    }

    /// A page of audit entries, newest first; see [`Store::audit`].
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn audit(
        &self,
        tenant: Option<TenantId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, DirectoryError> {
        Ok(self.store.audit(tenant, before, limit).await?)
    }

    /// Creates an object. A tenant's id is the tenant's own; others get the given id or a fresh one. An API key
    /// without a value gets one, shown once in the answer.
    ///
    /// # Errors
    /// Any [`DirectoryError`].
    pub async fn create(
        &self,
        act: &Act,
        tenant: TenantId,
        draft: Draft,
        id: Option<ObjectId>,
    ) -> Result<Written, DirectoryError> {
        let kind = draft.kind;
        let id = if kind == Kind::Tenant {
            ObjectId::of_tenant(tenant)
        } else {
            id.unwrap_or_else(ObjectId::fresh)
        };
        let snapshot = self.snapshots().load_full();
        let made = made_secret(&draft)?;
        let (mut row, fields) = compose(snapshot.vault(), tenant, &draft, made.as_ref(), id, None, act.at)?;
        if kind == Kind::Webhook {
            crowd::webhooks(&snapshot, tenant, [(&row.id, &row.body)])?;
        }
        let mut changes = vec![Change::Put {
            row: row.clone(),
            expect: Expect::Absent,
            fields,
        }];
        if kind == Kind::Tenant {
            let key = FreshKey::make(&self.masters, Some(tenant), KeyPurpose::Data, 1, act.at)?;
            changes.push(Change::AddKey(key.record));
        }
        row.version = self.write(act, changes).await?;
        Ok(Written {
            row,
            made,
            changed: true,
        })
    }

    /// Replaces the readable part of an object; write-only fields that are not mentioned stay. With `expected` only if
    /// the object still has that version.
    ///
    /// # Errors
    /// Any [`DirectoryError`].
    pub async fn replace(
        &self,
        act: &Act,
        tenant: TenantId,
        id: &ObjectId,
        draft: &Draft,
        expected: Option<u64>,
    ) -> Result<Written, DirectoryError> {
        let mut attempt = 1;
        loop {
            let old = self.read(draft.kind, tenant, id).await?;
            if expected.is_some_and(|version| version != old.version) {
                return Err(DirectoryError::Clash(Clash::Changed));
            }
            unchangeable(draft, &old)?;
            let snapshot = self.snapshots().load_full();
            let (mut row, fields) = compose(
                snapshot.vault(),
                tenant,
                draft,
                None,
                id.clone(),
                Some(&old),
                act.at,
            )?;
            if fields.is_empty() {
                return Ok(Written {
                    row: old,
                    made: None,
                    changed: false,
                });
            }
            if draft.kind == Kind::Webhook {
                crowd::webhooks(&snapshot, tenant, [(&row.id, &row.body)])?;
            }
            let change = Change::Put {
                row: row.clone(),
                expect: Expect::Version(old.version),
                fields,
            };
            match self.write(act, vec![change]).await {
                Ok(version) => {
                    row.version = version;
                    return Ok(Written {
                        row,
                        made: None,
                        changed: true,
                    });
                }
                Err(DirectoryError::Clash(Clash::Changed)) if expected.is_none() && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes an object; a tenant with everything it has.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Unavailable`].
    pub async fn delete(
        &self,
        act: &Act,
        kind: Kind,
        tenant: TenantId,
        id: &ObjectId,
    ) -> Result<(), DirectoryError> {
        match self
            .write(
                act,
                vec![Change::Delete {
                    kind,
                    tenant,
                    id: id.clone(),
                }],
            )
            .await
        {
            Ok(_) => Ok(()),
            Err(DirectoryError::Clash(Clash::Absent)) => Err(DirectoryError::NotFound),
            Err(error) => Err(error),
        }
    }

    /// Writes down what was done to data elsewhere: `subject` and `fields` are names of ours, `id` names nobody.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn note(
        &self,
        act: &Act,
        tenant: TenantId,
        action: AuditAction,
        (subject, id): (&'static str, String),
        fields: Vec<String>,
    ) -> Result<(), DirectoryError> {
        let note = Change::Note {
            tenant,
            action,
            subject,
            id,
            fields,
        };
        self.write(act, vec![note]).await.map(drop)
    }

    /// Forgets audit entries older than each tenant keeps them; to be called once a day. Gives how many.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn trim_audit(&self, now: Millis) -> Result<usize, DirectoryError> {
        const DAY_MS: u64 = 86_400_000;
        let snapshot = self.snapshots().load_full();
        let oldest =
            |retention: &Retention| Millis(now.0.saturating_sub(u64::from(retention.audit_days) * DAY_MS));
        let usual = Retention::default();
        let mut gone = self.store.trim_audit(None, oldest(&usual)).await?;
        for tenant in snapshot.tenants() {
            let kept = snapshot.named::<Retention>(tenant.tenant, usual.name());
            let before = oldest(kept.map_or(&usual, |kept| &kept.value));
            gone += self.store.trim_audit(Some(tenant.tenant), before).await?;
        }
        Ok(gone)
    }

    /// Writes and waits until this node sees it.
    pub(super) async fn write(&self, act: &Act, changes: Vec<Change>) -> Result<u64, DirectoryError> {
        let write = Write {
            actor: act.actor.clone(),
            at: act.at,
            changes,
        };
        let version = self.store.write(write).await?;
        match tokio::time::timeout(PUBLISH_WAIT, self.publisher.refresh(version)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, version, "written, but not yet in this node's snapshot"),
            Err(_) => warn!(version, "written, but not yet in this node's snapshot"),
        }
        Ok(version)
    }
}

/// Makes the secret an object cannot be without.
pub(super) fn made_secret(draft: &Draft) -> Result<Option<SecretString>, DirectoryError> {
    if draft.kind == Kind::ApiKey && draft.secrets.is_empty() {
        return Ok(Some(fresh_api_key()?));
    }
    Ok(None)
}

/// Refuses changes of what is fixed when an object is made.
pub(super) fn unchangeable(draft: &Draft, old: &Row) -> Result<(), DirectoryError> {
    if draft.kind == Kind::ApiKey && draft.body.get("type") != old.body.get("type") {
        let mut problems = Problems::default();
        problems.bad("type", "cannot change later");
        return Err(problems.into());
    }
    Ok(())
}

/// The row a draft makes of what was there, and the names of the fields that differ; none when nothing does.
pub(super) fn compose(
    vault: &Vault,
    tenant: TenantId,
    draft: &Draft,
    made: Option<&SecretString>,
    id: ObjectId,
    old: Option<&Row>,
    at: Millis,
) -> Result<(Row, Vec<String>), DirectoryError> {
    let kind = draft.kind;
    let mut secrets = old.map(|old| old.secrets.clone()).unwrap_or_default();
    let body = with_notes(draft, old);
    let mut fields = changed_fields(&body, old);
    let wishes = draft.secrets.iter().map(|(spec, wish)| match wish {
        SecretWish::Set(plain) => (*spec, Some(plain)),
        SecretWish::Clear => (*spec, None),
    });
    for (spec, wish) in wishes.chain(made.and_then(|made| Some((kind.secrets().first()?, Some(made))))) {
        let there = secrets.get(spec.field);
        let place = (kind, tenant, &id, spec);
        let wanted = match wish {
            None => None,
            Some(plain) if holds(vault, place, there, plain) => continue,
            Some(plain) => Some(match spec.form {
                SecretForm::Digest => {
                    SealedBytes(vault.digest(kind, plain.expose_secret()).as_bytes().to_vec())
                }
                SecretForm::Sealed if vault.knows(tenant) => vault.seal(place, plain.expose_secret())?,
                // No data key means no such tenant, or one this node has not heard of yet.
                SecretForm::Sealed => return Err(DirectoryError::Clash(Clash::NoTenant)),
            }),
        };
        let changed = match wanted {
            Some(sealed) => {
                secrets.insert(spec.field.to_owned(), sealed);
                true
            }
            None => secrets.remove(spec.field).is_some(),
        };
        if changed {
            fields.push(spec.field.to_owned());
        }
    }
    let row = Row {
        kind,
        tenant,
        id,
        name: draft.name.clone(),
        body,
        secrets,
        version: 0,
        created: old.map_or(at, |old| old.created),
        updated: at,
    };
    Ok((row, fields))
}

/// Whether a write-only field already has this value.
fn holds(
    vault: &Vault,
    place: (Kind, TenantId, &ObjectId, &'static SecretField),
    there: Option<&SealedBytes>,
    plain: &SecretString,
) -> bool {
    let (kind, _, _, spec) = place;
    let Some(there) = there else { return false };
    match spec.form {
        SecretForm::Digest => SecretDigest::from_bytes(&there.0)
            .is_some_and(|digest| digest.matches(&vault.digest(kind, plain.expose_secret()))),
        SecretForm::Sealed => vault
            .open_value(place, there)
            .is_ok_and(|value| value.as_str() == plain.expose_secret()),
    }
}

fn changed_fields(body: &Value, old: Option<&Row>) -> Vec<String> {
    let empty = Map::new();
    let new = body.as_object().unwrap_or(&empty);
    let old = old.and_then(|old| old.body.as_object()).unwrap_or(&empty);
    let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    names
        .into_iter()
        .filter(|name| new.get(*name) != old.get(*name))
        .cloned()
        .collect()
}

impl From<StoreError> for DirectoryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Clash(clash) => DirectoryError::Clash(clash),
            StoreError::Unavailable(_) | StoreError::Unknown(_) => DirectoryError::Unavailable(error),
            StoreError::Schema(_) | StoreError::Corrupt(_) => DirectoryError::Broken(error.to_string()),
        }
    }
}

impl From<Unopenable> for DirectoryError {
    fn from(error: Unopenable) -> Self {
        DirectoryError::Broken(error.to_string())
    }
}

impl From<VaultError> for DirectoryError {
    fn from(error: VaultError) -> Self {
        DirectoryError::Broken(error.to_string())
    }
}
