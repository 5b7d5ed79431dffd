//! From an image of the store to a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use super::grant::{AgentGrant, ApiKeyGrant};
use super::keyring::{KeyRing, SigningPurpose};
use super::shelf::Shelves;
use super::view::{Snapshot, TenantEntry};
use crate::model::{Millis, TenantId};
use crate::provisioning::draft::read_stored;
use crate::provisioning::objects::{
    Agent, ApiKey, BlockedCustomer, Bot, Channel, CustomVariable, Endpoint, FieldCode, GapiLink, Kind,
    MessageTemplate, Object, OpeningHours, PiiRule, Queue, Retention, Sender, Service, StandardResponse,
    Stored, Tenant, Webhook,
};
use crate::provisioning::row::{Image, Row};
use crate::provisioning::secret::{MasterKeys, SecretDigest, Vault, VaultError};
use crate::provisioning::usual::Usual;

/// Why an image gives no snapshot.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Its keys cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Snapshot {
    /// Builds a snapshot. Objects that cannot be read are listed in it, not fatal: one object written by a newer
    /// binary must not take a node down. Objects without their tenant are dropped.
    pub(in crate::provisioning) fn build(masters: &MasterKeys, image: Image) -> Result<Self, BuildError> {
        let vault = Vault::open(masters, &image.keys)?;
        let ring = |purpose| KeyRing::open(masters, purpose, &image.keys);
        let rings = [
            ring(SigningPurpose::ClientToken)?,
            ring(SigningPurpose::Ticket)?,
            ring(SigningPurpose::Resume)?,
            ring(SigningPurpose::TlsTicket)?,
        ];
        let mut unreadable = Vec::new();
        let mut shelves: HashMap<TenantId, Shelves> = HashMap::new();
        for row in image.rows {
            let (kind, id) = (row.kind, row.id.clone());
            if !place(shelves.entry(row.tenant).or_default(), row) {
                unreadable.push((kind, id));
            }
        }
        let tenants = shelves
            .into_iter()
            .filter_map(|(id, shelves)| {
                let tenant = Arc::clone(shelves.tenant.iter().next()?);
                Some((id, TenantEntry { tenant, shelves }))
            })
            .collect();
        let mut snapshot = Snapshot {
            version: image.version,
            tenants,
            api_keys: HashMap::new(),
            agent_tokens: HashMap::new(),
            channel_owners: HashMap::new(),
            rings,
            vault,
            unreadable,
            usual: Usual::default(),
        };
        snapshot.index();
        Ok(snapshot)
    }

    fn index(&mut self) {
        for (tenant, entry) in &self.tenants {
            let tenant = *tenant;
            for channel in entry.shelves.channels.iter() {
                self.channel_owners.insert(channel.id.clone(), tenant);
            }
            for key in entry.shelves.api_keys.iter() {
                if let Some(grant) = api_key_grant(tenant, key) {
                    self.api_keys.insert(grant.digest, grant);
                }
            }
            for agent in entry.shelves.agents.iter() {
                if let (Some(digest), Ok(login)) = (digest_of(agent, "token"), agent.login.parse()) {
                    self.agent_tokens.insert(
                        digest,
                        AgentGrant {
                            tenant,
                            login,
                            agent: Arc::clone(agent),
                        },
                    );
                }
            }
        }
    }
}

fn api_key_grant(tenant: TenantId, key: &Stored<ApiKey>) -> Option<ApiKeyGrant> {
    Some(ApiKeyGrant {
        id: key.id.clone(),
        tenant,
        name: key.name.clone(),
        usage: key.usage,
        permissions: key.permissions.clone(),
        enabled: key.enabled,
        expires: key.expires.map(millis),
        digest: digest_of(key, "key")?,
    })
}

/// Before the epoch counts as the epoch.
fn millis(at: Timestamp) -> Millis {
    Millis(u64::try_from(at.as_millisecond()).unwrap_or(0))
}

fn digest_of<T>(object: &Stored<T>, field: &str) -> Option<SecretDigest> {
    object
        .secrets
        .get(field)
        .and_then(|bytes| SecretDigest::from_bytes(&bytes.0))
}

fn place(shelves: &mut Shelves, row: Row) -> bool {
    match row.kind {
        Kind::Tenant => put::<Tenant>(shelves, row),
        Kind::ApiKey => put::<ApiKey>(shelves, row),
        Kind::Endpoint => put::<Endpoint>(shelves, row),
        Kind::Channel => put::<Channel>(shelves, row),
        Kind::Service => put::<Service>(shelves, row),
        Kind::Sender => put::<Sender>(shelves, row),
        Kind::Bot => put::<Bot>(shelves, row),
        Kind::Webhook => put::<Webhook>(shelves, row),
        Kind::GapiLink => put::<GapiLink>(shelves, row),
        Kind::StandardResponse => put::<StandardResponse>(shelves, row),
        Kind::FieldCode => put::<FieldCode>(shelves, row),
        Kind::CustomVariable => put::<CustomVariable>(shelves, row),
        Kind::PiiRule => put::<PiiRule>(shelves, row),
        Kind::Agent => put::<Agent>(shelves, row),
        Kind::Queue => put::<Queue>(shelves, row),
        Kind::OpeningHours => put::<OpeningHours>(shelves, row),
        Kind::MessageTemplate => put::<MessageTemplate>(shelves, row),
        Kind::Retention => put::<Retention>(shelves, row),
        Kind::BlockedCustomer => put::<BlockedCustomer>(shelves, row),
    }
}

fn put<T: Object>(shelves: &mut Shelves, row: Row) -> bool {
    let Some(value) = read_stored::<T>(row.body) else {
        return false;
    };
    let Row {
        tenant,
        id,
        version,
        secrets,
        ..
    } = row;
    T::shelf_mut(shelves).put(Stored {
        tenant,
        id,
        version,
        value,
        secrets,
    });
    true
}
