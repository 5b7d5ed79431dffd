//! Tenants, keys, endpoints, channels and what else an administrator decides.
//!
//! # What it owns
//!
//! - [`objects`]: the kinds of object, their fields and what is acceptable in them.
//! - [`Store`]: where objects are kept, with two implementations, [`PostgresStore`] and [`EmbeddedStore`].
//! - [`Snapshot`]: the immutable, versioned whole that every core reads, and [`Snapshots`], which publishes it.
//! - [`Directory`]: what administrators do; seals secrets, writes audit entries, publishes at once.
//! - [`declare`]: a declarative file applied idempotently; the development tenant is one.
//! - [`access`]: who a presented key or token stands for, and what they may do.
//! - [`masking`]: the patterns of a tenant applied to a text.
//! - [`secret`]: the master key, data keys, signing keys, digests.
//!
//! # What it leaves to others
//!
//! HTTP and who may do what (`api`), sessions, and every use of what is decided here. The message path reads
//! snapshots only: no request of a customer or an agent ever waits for a store of this module.
//!
//! # What must never happen
//!
//! A secret in clear in a store, a log line, a `Debug` text or an answer. An object read without naming its
//! tenant. A half-applied write. A snapshot going back to an older version while the node runs.

pub mod access;
pub mod declare;
pub mod masking;
pub mod objects;
pub mod secret;

mod account;
mod crowd;
mod directory;
mod draft;
mod embedded;
mod notes;
mod postgres;
mod rotation;
mod row;
mod settings;
mod snapshot;
mod start;
mod store;
mod switch;
mod usual;

pub use crate::postgres::{PostgresSettings, Tls};
pub use account::account;
pub use directory::{Act, Directory, DirectoryError, Written};
pub use draft::{Draft, SecretWish};
pub use embedded::EmbeddedStore;
pub use postgres::PostgresStore;
pub use row::{AuditAction, AuditEntry, Image, KeyPurpose, KeyRecord, ObjectId, Row, SealedBytes};
pub use settings::{Backend, Settings};
pub use snapshot::{
    AgentGrant, ApiKeyGrant, BuildError, KeyRefusal, KeyRing, SecretError, Shelf, Shelves, SigningKey,
    SigningPurpose, Snapshot, Snapshots,
};
pub use start::{Provisioning, StartError};
pub use store::{Change, Clash, Expect, Store, StoreError, StoreFuture, Write};
pub use usual::Usual;
