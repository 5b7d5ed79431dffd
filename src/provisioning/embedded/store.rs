//! [`Store`] over one redb file.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _};
use tokio::sync::watch;

use super::records::{AUDIT, CLAIMS, KEYS, META, NAMES, OBJECTS, VERSION, apply, row_key, trim_audit};
use crate::model::{Millis, TenantId};
use crate::provisioning::objects::Kind;
use crate::provisioning::row::{AuditEntry, Image, ObjectId, Row};
use crate::provisioning::store::{Store, StoreError, StoreFuture, Write};

/// Provisioning data in one file of this node. Disk work runs on the runtime's blocking threads.
pub struct EmbeddedStore {
    database: Arc<Database>,
    version: watch::Sender<u64>,
}

/// Cache of the file; the snapshot serves readers, so this only helps administrators.
const CACHE_BYTES: usize = 4 << 20;

impl EmbeddedStore {
    /// Opens or makes the file. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when another process has it open or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path);
        let database = database.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                StoreError::Unavailable(format!("{} is open in another process", path.display()))
            }
            other => failed(other),
        })?;
        let begun = database.begin_write().map_err(failed)?;
        let version = {
            begun.open_table(OBJECTS).map_err(failed)?;
            begun.open_table(NAMES).map_err(failed)?;
            begun.open_table(CLAIMS).map_err(failed)?;
            begun.open_table(KEYS).map_err(failed)?;
            begun.open_table(AUDIT).map_err(failed)?;
            let meta = begun.open_table(META).map_err(failed)?;
            meta.get(VERSION)
                .map_err(failed)?
                .map_or(0, |guard| guard.value())
        };
        begun.commit().map_err(failed)?;
        Ok(EmbeddedStore {
            database: Arc::new(database),
            version: watch::Sender::new(version),
        })
    }

    fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        let database = Arc::clone(&self.database);
        let work = tokio::task::spawn_blocking(move || work(&database));
        async move {
            work.await
                .map_err(|error| StoreError::Unavailable(error.to_string()))?
        }
        .boxed()
    }
}

impl Store for EmbeddedStore {
    fn prepare(&self) -> StoreFuture<'_, ()> {
        std::future::ready(Ok(())).boxed()
    }

    fn read<'a>(&'a self, kind: Kind, tenant: TenantId, id: &'a ObjectId) -> StoreFuture<'a, Option<Row>> {
        let id = id.clone();
        self.on_disk(move |database| read(database, kind, tenant, id.as_str()))
    }

    fn find<'a>(&'a self, kind: Kind, tenant: TenantId, name: &'a str) -> StoreFuture<'a, Option<Row>> {
        let name = name.to_owned();
        self.on_disk(move |database| {
            let names = database
                .begin_read()
                .map_err(failed)?
                .open_table(NAMES)
                .map_err(failed)?;
            let id = names.get(row_key(kind, tenant, &name)).map_err(failed)?;
            let Some(id) = id.map(|id| id.value().to_owned()) else {
                return Ok(None);
            };
            read(database, kind, tenant, &id)
        })
    }

    fn list<'a>(
        &'a self,
        kind: Kind,
        tenant: Option<TenantId>,
        after: Option<&'a ObjectId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Row>> {
        let after = after.cloned();
        self.on_disk(move |database| {
            let objects = database
                .begin_read()
                .map_err(failed)?
                .open_table(OBJECTS)
                .map_err(failed)?;
            let first = tenant.map_or(0, |tenant| tenant.0.as_u128());
            let mut rows = Vec::new();
            for entry in objects.range((kind as u8, first, "")..).map_err(failed)? {
                let (key, bytes) = entry.map_err(failed)?;
                let (of_kind, of_tenant, id) = key.value();
                let ours = tenant.is_none_or(|tenant| tenant.0.as_u128() == of_tenant);
                if of_kind != kind as u8 || !ours {
                    break;
                }
                if after.as_ref().is_none_or(|after| id > after.as_str()) {
                    rows.push(serde_json::from_slice::<Row>(bytes.value()).map_err(corrupt)?);
                }
            }
            rows.sort_by(|a, b| a.id.cmp(&b.id));
            rows.truncate(limit);
            Ok(rows)
        })
    }

    fn write(&self, write: Write) -> StoreFuture<'_, u64> {
        let work = self.on_disk(move |database| {
            let transaction = database.begin_write().map_err(failed)?;
            let version = apply(&transaction, &write)?;
            transaction
                .commit()
                .map_err(|error| StoreError::Unknown(error.to_string()))?;
            Ok(version)
        });
        async move {
            let version = work.await?;
            self.version
                .send_if_modified(|heard| std::mem::replace(heard, version.max(*heard)) < version);
            Ok(version)
        }
        .boxed()
    }

    fn image(&self) -> StoreFuture<'_, Image> {
        self.on_disk(|database| {
            let transaction = database.begin_read().map_err(failed)?;
            let meta = transaction.open_table(META).map_err(failed)?;
            let version = meta
                .get(VERSION)
                .map_err(failed)?
                .map_or(0, |guard| guard.value());
            let mut image = Image {
                version,
                ..Image::default()
            };
            for entry in transaction
                .open_table(OBJECTS)
                .map_err(failed)?
                .iter()
                .map_err(failed)?
            {
                let (_, bytes) = entry.map_err(failed)?;
                image
                    .rows
                    .push(serde_json::from_slice(bytes.value()).map_err(corrupt)?);
            }
            for entry in transaction
                .open_table(KEYS)
                .map_err(failed)?
                .iter()
                .map_err(failed)?
            {
                let (_, bytes) = entry.map_err(failed)?;
                image
                    .keys
                    .push(serde_json::from_slice(bytes.value()).map_err(corrupt)?);
            }
            Ok(image)
        })
    }

    fn audit(
        &self,
        tenant: Option<TenantId>,
        before: Option<u64>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<AuditEntry>> {
        self.on_disk(move |database| {
            let audit = database
                .begin_read()
                .map_err(failed)?
                .open_table(AUDIT)
                .map_err(failed)?;
            let end = (before.unwrap_or(u64::MAX), 0);
            let mut entries = Vec::new();
            for entry in audit.range(..end).map_err(failed)?.rev() {
                let (_, bytes) = entry.map_err(failed)?;
                let entry: AuditEntry = serde_json::from_slice(bytes.value()).map_err(corrupt)?;
                // A page ends between two versions, so that the next one misses nothing.
                let last = entries
                    .last()
                    .map_or(entry.version, |last: &AuditEntry| last.version);
                if entries.len() >= limit && last != entry.version {
                    break;
                }
                if tenant.is_none() || tenant == entry.tenant {
                    entries.push(entry);
                }
            }
            Ok(entries)
        })
    }

    fn trim_audit(&self, tenant: Option<TenantId>, before: Millis) -> StoreFuture<'_, usize> {
        self.on_disk(move |database| {
            let transaction = database.begin_write().map_err(failed)?;
            let gone = trim_audit(&transaction, tenant, before)?;
            transaction.commit().map_err(failed)?;
            Ok(gone)
        })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

fn read(database: &Database, kind: Kind, tenant: TenantId, id: &str) -> Result<Option<Row>, StoreError> {
    let objects = database
        .begin_read()
        .map_err(failed)?
        .open_table(OBJECTS)
        .map_err(failed)?;
    let bytes = objects.get(row_key(kind, tenant, id)).map_err(failed)?;
    bytes
        .map(|bytes| serde_json::from_slice(bytes.value()).map_err(corrupt))
        .transpose()
}

pub(super) fn failed(error: impl Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

pub(super) fn corrupt(error: impl Display) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
