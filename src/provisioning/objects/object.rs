//! What every kind of object has in common.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Kind, Problems};
use crate::model::TenantId;
use crate::provisioning::row::{ObjectId, SealedBytes};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A kind's readable part.
pub trait Object: Serialize + DeserializeOwned + Default + Clone + Debug + Send + Sync + 'static {
    /// Which kind.
    const KIND: Kind;

    /// The natural key: unique among the tenant's objects of the kind, and what others refer to.
    fn name(&self) -> &str;

    /// Notes everything unacceptable. Fills no defaults and changes nothing.
    fn validate(&self, problems: &mut Problems);

    /// Where a snapshot keeps the tenant's objects of this kind.
    fn shelf(shelves: &Shelves) -> &Shelf<Self>;

    /// The same, to fill it.
    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self>;
}

/// An object as the store holds it.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id, unique in (tenant, kind).
    pub id: ObjectId,
    /// The store's version at its last write.
    pub version: u64,
    /// The readable part.
    pub value: T,
    /// The write-only part; opened through [`crate::provisioning::Snapshot::secret`].
    pub(in crate::provisioning) secrets: BTreeMap<String, SealedBytes>,
}

impl<T> Stored<T> {
    /// Whether the write-only field is set.
    pub fn has_secret(&self, field: &str) -> bool {
        self.secrets.contains_key(field)
    }
}

impl<T> std::ops::Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
