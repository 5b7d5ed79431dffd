//! Keys over time: the first ones, new ones, wrapping anew, sealing anew. All of it while nodes run.

use std::time::Duration;

use super::directory::{Act, Directory, DirectoryError};
use super::objects::SecretForm;
use super::row::{Image, KeyPurpose, KeyRecord, SealedBytes};
use super::secret::{FreshKey, MasterKeys, Vault, rewrap};
use super::snapshot::SigningPurpose;
use super::store::{Change, Clash, Expect, Store, StoreError, Write};
use crate::model::{Millis, TenantId};

/// How long a new signing key only verifies. Nodes learn of it by notice or by a poll every 2 s; what one of them
/// signs must be known to all.
const PROPAGATION: Duration = Duration::from_secs(10);

/// Adds the shared keys a store does not have yet. Two nodes may do it at once: one of them finds them made.
pub(super) async fn ensure_shared_keys(
    store: &dyn Store,
    masters: &MasterKeys,
    at: Millis,
) -> Result<Image, DirectoryError> {
    let image = store.image().await?;
    let shared = KeyPurpose::ALL
        .into_iter()
        .filter(|purpose| *purpose != KeyPurpose::Data);
    let missing: Vec<KeyPurpose> = shared
        .filter(|purpose| !image.keys.iter().any(|key| key.purpose == *purpose))
        .collect();
    if missing.is_empty() {
        return Ok(image);
    }
    let changes = missing
        .into_iter()
        .map(|purpose| {
            Ok(Change::AddKey(
                FreshKey::make(masters, None, purpose, 1, at)?.record,
            ))
        })
        .collect::<Result<Vec<_>, DirectoryError>>()?;
    match store
        .write(Write {
            actor: "start".to_owned(),
            at,
            changes,
        })
        .await
    {
        Ok(_) | Err(StoreError::Clash(Clash::IdTaken)) => Ok(store.image().await?),
        Err(error) => Err(error.into()),
    }
}

impl Directory {
    /// Adds a signing key that takes over in a few seconds, and forgets those that nothing valid was signed with any
    /// more. Gives the new key's number.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`]; [`DirectoryError::Clash`] when two rotate at once.
    pub async fn rotate_signing_key(
        &self,
        act: &Act,
        purpose: SigningPurpose,
    ) -> Result<u32, DirectoryError> {
        let image = self.store.image().await?;
        let mut keys: Vec<&KeyRecord> = image
            .keys
            .iter()
            .filter(|key| key.purpose == purpose.key_purpose())
            .collect();
        keys.sort_by_key(|key| key.id);
        let id = keys.last().map_or(0, |key| key.id) + 1;
        let active_from = act
            .at
            .plus(u64::try_from(PROPAGATION.as_millis()).unwrap_or(u64::MAX));
        let fresh = FreshKey::make(&self.masters, None, purpose.key_purpose(), id, active_from)?;
        let mut changes = vec![Change::AddKey(fresh.record)];
        for pair in keys.windows(2) {
            let [old, successor] = pair else { continue };
            if successor.active_from.plus(purpose.lifetime_ms()) <= act.at {
                changes.push(Change::DropKey {
                    tenant: None,
                    purpose: old.purpose,
                    id: old.id,
                });
            }
        }
        self.write(act, changes).await?;
        Ok(id)
    }

    /// Wraps every key under the current master key. Nodes that know both master keys notice nothing. Gives how many
    /// were wrapped anew.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`]; [`DirectoryError::Broken`] when a key opens under none of the master keys.
    pub async fn rewrap_keys(&self, act: &Act) -> Result<usize, DirectoryError> {
        let image = self.store.image().await?;
        let mut changes = Vec::new();
        for record in &image.keys {
            if let Some(record) = rewrap(&self.masters, record)? {
                changes.push(Change::RewrapKey(record));
            }
        }
        let count = changes.len();
        if count > 0 {
            self.write(act, changes).await?;
        }
        Ok(count)
    }

    /// Gives a tenant a new data key, seals its secrets anew under it and forgets the old ones. Gives how many objects
    /// were sealed anew. Interrupted, it goes on when called again.
    ///
    /// # Errors
    /// Any [`DirectoryError`] but `Invalid`.
    pub async fn rotate_data_key(&self, act: &Act, tenant: TenantId) -> Result<usize, DirectoryError> {
        let image = self.store.image().await?;
        let newest = data_keys(&image, tenant).max().ok_or(DirectoryError::NotFound)?;
        let fresh = FreshKey::make(&self.masters, Some(tenant), KeyPurpose::Data, newest + 1, act.at)?;
        self.write(act, vec![Change::AddKey(fresh.record)]).await?;

        let image = self.store.image().await?;
        let vault = Vault::open(&self.masters, &image.keys)?;
        let mut changes = Vec::new();
        for row in image.rows.iter().filter(|row| row.tenant == tenant) {
            let mut sealed_anew = row.clone();
            let mut fields = Vec::new();
            for spec in row
                .kind
                .secrets()
                .iter()
                .filter(|spec| spec.form == SecretForm::Sealed)
            {
                let Some(old) = row.secrets.get(spec.field) else {
                    continue;
                };
                if vault.is_newest(tenant, old) {
                    continue;
                }
                let place = (row.kind, tenant, &row.id, spec);
                let sealed: SealedBytes = vault.seal(place, &vault.open_value(place, old)?)?;
                sealed_anew.secrets.insert(spec.field.to_owned(), sealed);
                fields.push(spec.field.to_owned());
            }
            if !fields.is_empty() {
                let expect = Expect::Version(row.version);
                changes.push(Change::Put {
                    row: sealed_anew,
                    expect,
                    fields,
                });
            }
        }
        let count = changes.len();
        // In the same write, so that a node never holds a secret whose key is gone.
        for id in data_keys(&image, tenant).filter(|id| *id <= newest) {
            changes.push(Change::DropKey {
                tenant: Some(tenant),
                purpose: KeyPurpose::Data,
                id,
            });
        }
        self.write(act, changes).await?;
        Ok(count)
    }
}

fn data_keys(image: &Image, tenant: TenantId) -> impl Iterator<Item = u32> + '_ {
    let own = move |key: &&KeyRecord| key.purpose == KeyPurpose::Data && key.tenant == Some(tenant);
    image.keys.iter().filter(own).map(|key| key.id)
}
