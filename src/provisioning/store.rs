//! The store behind provisioning: rows and wrapped keys, written atomically, numbered by one version.
//!
//! A store keeps what it is given and checks only what needs its atomicity: that ids and names are unique, that no more
//! webhooks hear of one thing than can, and that a writer saw what it replaces. Meaning, validation and secrets are [`super::Directory`]'s. Two implementations
//! pass one conformance suite.

use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::watch;

use super::objects::Kind;
use super::row::{AuditAction, AuditEntry, Image, KeyPurpose, KeyRecord, ObjectId, Row};
use crate::model::{Millis, TenantId};

/// What a store gives back. Futures may be polled on any thread.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A place for provisioning data.
pub trait Store: Send + Sync + 'static {
    /// Makes the store usable: schema at the version this binary knows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::Schema`] when it must not be used.
    fn prepare(&self) -> StoreFuture<'_, ()>;

    /// The object with this id.
    fn read<'a>(&'a self, kind: Kind, tenant: TenantId, id: &'a ObjectId) -> StoreFuture<'a, Option<Row>>;

    /// The object with this natural key.
    fn find<'a>(&'a self, kind: Kind, tenant: TenantId, name: &'a str) -> StoreFuture<'a, Option<Row>>;

    /// At most `limit` objects in order of id, from the first after `after`; of every tenant where none is named.
    fn list<'a>(
        &'a self,
        kind: Kind,
        tenant: Option<TenantId>,
        after: Option<&'a ObjectId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Row>>;

    /// Applies every change or none, writes their audit entries, makes a new version and tells who watches.
    /// Gives the new version.
    ///
    /// # Errors
    /// [`StoreError::Clash`] names the first change that is refused; nothing was applied then.
    /// [`StoreError::Unknown`] when the answer was lost: the write may or may not have been applied.
    fn write(&self, write: Write) -> StoreFuture<'_, u64>;

    /// Everything, at one version.
    fn image(&self) -> StoreFuture<'_, Image>;

    /// The newest audit entries below version `before`, newest first; of every tenant where none is named. About
    /// `limit` of them: the entries of one version are never torn apart.
    fn audit(
        &self,
        tenant: Option<TenantId>,
        before: Option<u64>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<AuditEntry>>;

    /// Forgets the audit entries of a tenant (of shared keys where none is named) from before a time. Gives how many.
    /// Makes no new version: nothing that is read from here depends on them.
    fn trim_audit(&self, tenant: Option<TenantId>, before: Millis) -> StoreFuture<'_, usize>;

    /// The newest version heard of: a hint to read the image again. Never goes backwards.
    fn watch(&self) -> watch::Receiver<u64>;
}

/// Changes that stand or fall together.
#[derive(Debug, Clone)]
pub struct Write {
    /// Who asks, for the audit.
    pub actor: String,
    /// When.
    pub at: Millis,
    /// What, in order.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// Writes an object. `row.version`, and on replacement `row.created`, are the store's to fill.
    Put {
        /// The object.
        row: Row,
        /// What must be there.
        expect: Expect,
        /// Names of the fields that change, for the audit.
        fields: Vec<String>,
    },
    /// Removes an object; a tenant takes along everything it has, its data keys included, so that what was sealed
    /// under them can never be opened again.
    Delete {
        /// Which kind.
        kind: Kind,
        /// Whose.
        tenant: TenantId,
        /// Which.
        id: ObjectId,
    },
    /// Adds a key; one with the same (tenant, purpose, id) must not exist.
    AddKey(KeyRecord),
    /// Replaces the wrapping of a key that exists.
    RewrapKey(KeyRecord),
    /// Changes nothing: what was done elsewhere, for the audit.
    Note {
        /// To whose data.
        tenant: TenantId,
        /// What.
        action: AuditAction,
        /// To what: a name of ours.
        subject: &'static str,
        /// Which, in a form that names nobody.
        id: String,
        /// More names of ours.
        fields: Vec<String>,
    },
    /// Forgets a key; one that is not there is no error.
    DropKey {
        /// Whose.
        tenant: Option<TenantId>,
        /// What for.
        purpose: KeyPurpose,
        /// Which.
        id: u32,
    },
}

/// What a writer believes is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// The object as of this version.
    Version(u64),
}

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Clash {
    /// Something with this id exists, in this tenant or, for ids that are unique over all, in another.
    #[error("an object with this id exists")]
    IdTaken,
    /// The tenant has an object of this name.
    #[error("an object with this name exists")]
    NameTaken,
    /// A key or token of this value exists.
    #[error("this secret is in use")]
    SecretTaken,
    /// The object was written since it was read.
    #[error("the object has changed since it was read")]
    Changed,
    /// There is no such object.
    #[error("there is no such object")]
    Absent,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NoTenant,
    /// As many webhooks of the tenant as can already hear of this.
    #[error("as many webhooks as can already hear of this event")]
    Crowded,
}

/// Why a store could not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The change contradicts what is there. The caller's fault; nothing was applied.
    #[error("{0}")]
    Clash(#[from] Clash),
    /// The store is away or too slow. Nobody's fault; nothing was applied; worth trying again.
    #[error("provisioning store unavailable: {0}")]
    Unavailable(String),
    /// The answer to a write was lost. Read before trying again.
    #[error("outcome of the write unknown: {0}")]
    Unknown(String),
    /// The schema is not one this binary may use. An operator's decision.
    #[error("provisioning schema: {0}")]
    Schema(String),
    /// What is stored cannot be read. Ours to repair; trying again does not help.
    #[error("unreadable provisioning data: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same request may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable(_) | StoreError::Unknown(_))
    }
}
