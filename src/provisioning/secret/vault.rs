//! The unwrapped keys a node works with: data keys by tenant, the pepper, and the raw shared keys.

use std::collections::HashMap;

use thiserror::Error;
use zeroize::Zeroizing;

use super::cipher::{Cipher, Unopenable};
use super::master::MasterKeys;
use super::token::{Digester, SecretDigest};
use crate::model::{Millis, TenantId};
use crate::provisioning::objects::{Kind, SecretField};
use crate::provisioning::row::{KeyPurpose, KeyRecord, ObjectId, SealedBytes};

/// Keys in clear. Lives inside a snapshot; wiped when dropped.
pub(in crate::provisioning) struct Vault {
    /// Per tenant, newest first.
    data: HashMap<TenantId, Vec<(u32, Cipher)>>,
    digester: Digester,
}

/// Why a vault cannot be opened from a store's keys.
#[derive(Debug, Error)]
pub enum VaultError {
    /// None of the master keys wrapped it.
    #[error("no master key of this node opens {purpose} key {id}")]
    WrongMaster {
        /// What the key is for.
        purpose: &'static str,
        /// Its number.
        id: u32,
    },
    /// The store holds no key for a purpose.
    #[error("the store holds no {0} key")]
    Missing(&'static str),
}

/// A new key before it is stored.
pub(in crate::provisioning) struct FreshKey {
    /// As stored.
    pub(in crate::provisioning) record: KeyRecord,
}

impl FreshKey {
    /// Makes and wraps a random key.
    pub(in crate::provisioning) fn make(
        masters: &MasterKeys,
        tenant: Option<TenantId>,
        purpose: KeyPurpose,
        id: u32,
        active_from: Millis,
    ) -> Result<Self, Unopenable> {
        let mut plain = Zeroizing::new([0u8; 32]);
        aws_lc_rs::rand::fill(plain.as_mut_slice()).map_err(|_| Unopenable)?;
        let wrapped = masters.wrap(&key_name(tenant, purpose, id), plain.as_slice())?;
        let record = KeyRecord {
            tenant,
            purpose,
            id,
            active_from,
            wrapped: SealedBytes(wrapped),
        };
        Ok(FreshKey { record })
    }
}

/// Unwraps one stored key.
pub(in crate::provisioning) fn unwrap(
    masters: &MasterKeys,
    record: &KeyRecord,
) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let refused = || VaultError::WrongMaster {
        purpose: record.purpose.as_str(),
        id: record.id,
    };
    let name = key_name(record.tenant, record.purpose, record.id);
    let plain = masters.unwrap(&name, &record.wrapped.0).map_err(|_| refused())?;
    plain
        .as_slice()
        .try_into()
        .map(Zeroizing::new)
        .map_err(|_| refused())
}

/// Wraps a stored key under the current master key; `None` when it already is.
pub(in crate::provisioning) fn rewrap(
    masters: &MasterKeys,
    record: &KeyRecord,
) -> Result<Option<KeyRecord>, VaultError> {
    if masters.is_current(&record.wrapped.0) {
        return Ok(None);
    }
    let plain = unwrap(masters, record)?;
    let name = key_name(record.tenant, record.purpose, record.id);
    let wrapped = masters
        .wrap(&name, plain.as_slice())
        .map_err(|_| VaultError::WrongMaster {
            purpose: record.purpose.as_str(),
            id: record.id,
        })?;
    Ok(Some(KeyRecord {
        wrapped: SealedBytes(wrapped),
        ..record.clone()
    }))
}

impl Vault {
    /// Unwraps the data keys and the pepper.
    pub(in crate::provisioning) fn open(
        masters: &MasterKeys,
        keys: &[KeyRecord],
    ) -> Result<Self, VaultError> {
        let mut data: HashMap<TenantId, Vec<(u32, Cipher)>> = HashMap::new();
        let mut digester = None;
        for record in keys {
            let refused = |_| VaultError::WrongMaster {
                purpose: record.purpose.as_str(),
                id: record.id,
            };
            match (record.purpose, record.tenant) {
                (KeyPurpose::Data, Some(tenant)) => {
                    let cipher = Cipher::new(&*unwrap(masters, record)?).map_err(refused)?;
                    data.entry(tenant).or_default().push((record.id, cipher));
                }
                (KeyPurpose::Pepper, _) => {
                    digester = Some(Digester::new(unwrap(masters, record)?.as_slice()))
                }
                _ => {}
            }
        }
        for keys in data.values_mut() {
            keys.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        }
        Ok(Vault {
            data,
            digester: digester.ok_or(VaultError::Missing(KeyPurpose::Pepper.as_str()))?,
        })
    }

    /// The digest a secret of this kind is found by.
    pub(in crate::provisioning) fn digest(&self, kind: Kind, secret: &str) -> SecretDigest {
        self.digester.digest(kind.table(), secret)
    }

    /// Whether the tenant has a data key.
    pub(in crate::provisioning) fn knows(&self, tenant: TenantId) -> bool {
        self.data.contains_key(&tenant)
    }

    /// Seals a value for its place under the tenant's newest data key.
    pub(in crate::provisioning) fn seal(
        &self,
        (kind, tenant, id, field): (Kind, TenantId, &ObjectId, &SecretField),
        plain: &str,
    ) -> Result<SealedBytes, Unopenable> {
        let (key_id, cipher) = self
            .data
            .get(&tenant)
            .and_then(|keys| keys.first())
            .ok_or(Unopenable)?;
        let bound_to = sealed_name(tenant, kind, field, id, *key_id);
        cipher
            .seal(&value_header(*key_id), &bound_to, plain.as_bytes())
            .map(SealedBytes)
    }

    /// Opens a value from its place.
    pub(in crate::provisioning) fn open_value(
        &self,
        (kind, tenant, id, field): (Kind, TenantId, &ObjectId, &SecretField),
        sealed: &SealedBytes,
    ) -> Result<Zeroizing<String>, Unopenable> {
        let (header, body) = sealed.0.split_first_chunk::<5>().ok_or(Unopenable)?;
        let keys = self.data.get(&tenant).ok_or(Unopenable)?;
        let (key_id, cipher) = keys
            .iter()
            .find(|(id, _)| value_header(*id) == *header)
            .ok_or(Unopenable)?;
        let plain = cipher.open(&sealed_name(tenant, kind, field, id, *key_id), body)?;
        let text = std::str::from_utf8(&plain).map_err(|_| Unopenable)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// Whether the tenant's newest data key sealed it.
    pub(in crate::provisioning) fn is_newest(&self, tenant: TenantId, sealed: &SealedBytes) -> bool {
        let newest = self.data.get(&tenant).and_then(|keys| keys.first());
        newest.is_some_and(|(id, _)| sealed.0.starts_with(&value_header(*id)))
    }
}

/// Layout of sealed values: this byte, the data key's number, nonce, ciphertext, tag.
fn value_header(key_id: u32) -> [u8; 5] {
    let [a, b, c, d] = key_id.to_be_bytes();
    [1, a, b, c, d]
}

/// What a sealed value is bound to: tenant, table, column, row and key version. Moved elsewhere, it does not open.
fn sealed_name(tenant: TenantId, kind: Kind, field: &SecretField, id: &ObjectId, key_id: u32) -> Vec<u8> {
    format!("{tenant}|{}|{}|{id}|{key_id}", kind.table(), field.column).into_bytes()
}

fn key_name(tenant: Option<TenantId>, purpose: KeyPurpose, id: u32) -> Vec<u8> {
    let tenant = tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    format!("{tenant}|nex_keys|wrapped|{}|{id}", purpose.as_str()).into_bytes()
}
