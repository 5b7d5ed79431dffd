//! The snapshot and what may be asked of it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use thiserror::Error;

use super::grant::{AgentGrant, ApiKeyGrant, KeyRefusal};
use super::keyring::{KeyRing, SigningPurpose};
use super::shelf::Shelves;
use crate::model::{AgentId, Media, Millis, TenantId};
use crate::provisioning::objects::{
    Agent, BlockedCustomer, Channel, Endpoint, Kind, MessageTemplate, Object, OpeningHours, Queue, Retention,
    Stored, Tenant,
};
use crate::provisioning::row::ObjectId;
use crate::provisioning::secret::{SecretDigest, Vault, check_api_key, check_static_token};
use crate::provisioning::usual::Usual;

/// Everything provisioned, at one version. Immutable; shared by every core.
///
/// Every question about an object names its tenant. The exceptions are what a caller presents instead of naming one: an
/// API key, a static token, a channel id.
pub struct Snapshot {
    pub(super) version: u64,
    pub(super) tenants: HashMap<TenantId, TenantEntry>,
    pub(super) api_keys: HashMap<SecretDigest, ApiKeyGrant>,
    pub(super) agent_tokens: HashMap<SecretDigest, AgentGrant>,
    pub(super) channel_owners: HashMap<ObjectId, TenantId>,
    pub(super) rings: [KeyRing; SigningPurpose::ALL.len()],
    pub(super) vault: Vault,
    pub(super) unreadable: Vec<(Kind, ObjectId)>,
    pub(super) usual: Usual,
}

pub(super) struct TenantEntry {
    pub(super) tenant: Arc<Stored<Tenant>>,
    pub(super) shelves: Shelves,
}

/// Why a third-party secret cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// None is set.
    #[error("no such secret is set")]
    Absent,
    /// It cannot be opened with the keys of this node. An operator's to repair.
    #[error("the secret cannot be opened")]
    Unopenable,
}

impl Snapshot {
    /// What holds where an object of a tenant does not say.
    #[must_use]
    pub const fn usual(&self) -> &Usual {
        &self.usual
    }

    /// The same snapshot on a node with these settings.
    pub(in crate::provisioning) fn with(self, usual: Usual) -> Self {
        Self { usual, ..self }
    }

    /// The version; higher is newer.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What a presented `x-api-key` stands for. Looked up by its digest under the pepper and compared in constant
    /// time.
    ///
    /// # Errors
    /// Every [`KeyRefusal`]; tell the caller the same for each.
    pub fn api_key(&self, presented: &str, now: Millis) -> Result<&ApiKeyGrant, KeyRefusal> {
        check_api_key(presented).map_err(|_| KeyRefusal::Malformed)?;
        let digest = self.vault.digest(Kind::ApiKey, presented);
        let grant = self
            .api_keys
            .get(&digest)
            .filter(|grant| grant.digest.matches(&digest));
        let grant = grant.ok_or(KeyRefusal::Unknown)?;
        grant.check(now)?;
        if self.tenant(grant.tenant).is_some_and(|tenant| tenant.enabled) {
            Ok(grant)
        } else {
            Err(KeyRefusal::TenantDisabled)
        }
    }

    /// What a static agent token stands for, in tenants that permit them.
    ///
    /// # Errors
    /// Every [`KeyRefusal`]; tell the caller the same for each.
    pub fn agent_by_token(&self, presented: &str) -> Result<&AgentGrant, KeyRefusal> {
        check_static_token(presented).map_err(|_| KeyRefusal::Malformed)?;
        let digest = self.vault.digest(Kind::Agent, presented);
        let grant = self.agent_tokens.get(&digest).ok_or(KeyRefusal::Unknown)?;
        match self.tenant(grant.tenant) {
            Some(tenant) if tenant.enabled && tenant.static_agent_tokens => {}
            _ => return Err(KeyRefusal::TenantDisabled),
        }
        if grant.agent.enabled {
            Ok(grant)
        } else {
            Err(KeyRefusal::Disabled)
        }
    }

    /// The tenant with this id, enabled or not.
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Stored<Tenant>>> {
        self.tenants.get(&id).map(|entry| &entry.tenant)
    }

    /// Every tenant, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Stored<Tenant>>> {
        self.tenants.values().map(|entry| &entry.tenant)
    }

    /// The tenant's endpoint of this name, enabled or not.
    pub fn endpoint(&self, tenant: TenantId, name: &str) -> Option<&Arc<Stored<Endpoint>>> {
        self.named(tenant, name)
    }

    /// The tenant's agent with this login, enabled or not.
    pub fn agent(&self, tenant: TenantId, login: &AgentId) -> Option<&Arc<Stored<Agent>>> {
        self.named(tenant, login.as_str())
    }

    /// The tenant's queue of this name, enabled or not.
    pub fn queue(&self, tenant: TenantId, name: &str) -> Option<&Arc<Stored<Queue>>> {
        self.named(tenant, name)
    }

    /// The channel with this id and whose it is. Channel ids are unique over all tenants, because an aggregator's
    /// callback names no tenant.
    pub fn channel(&self, id: &ObjectId) -> Option<&Arc<Stored<Channel>>> {
        self.get(*self.channel_owners.get(id)?, id)
    }

    /// The tenant's object of a kind with this id.
    pub fn get<T: Object>(&self, tenant: TenantId, id: &ObjectId) -> Option<&Arc<Stored<T>>> {
        T::shelf(&self.tenants.get(&tenant)?.shelves).get(id)
    }

    /// The tenant's object of a kind with this natural key.
    pub fn named<T: Object>(&self, tenant: TenantId, name: &str) -> Option<&Arc<Stored<T>>> {
        T::shelf(&self.tenants.get(&tenant)?.shelves).named(name)
    }

    /// The tenant's objects of a kind, in no order; none for an unknown tenant.
    pub fn all<T: Object>(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<Stored<T>>> {
        self.tenants
            .get(&tenant)
            .into_iter()
            .flat_map(|entry| T::shelf(&entry.shelves).iter())
    }

    /// How long the tenant keeps transcripts, in milliseconds.
    pub fn transcripts_ms(&self, tenant: TenantId) -> u64 {
        days_ms(self.retention(tenant).transcript_days)
    }

    /// How long the tenant keeps files, in milliseconds.
    pub fn files_ms(&self, tenant: TenantId) -> u64 {
        days_ms(self.retention(tenant).media_days)
    }

    /// How long the tenant keeps dead letters, in milliseconds, where that is less than the store does.
    pub fn dead_letters_ms(&self, tenant: TenantId) -> Option<u64> {
        let (own, most) = (self.retention(tenant), Retention::default());
        (own.dead_letter_days < most.dead_letter_days).then(|| days_ms(own.dead_letter_days))
    }

    fn retention(&self, tenant: TenantId) -> Retention {
        let settled = self.named::<Retention>(tenant, "default");
        settled.map(|settled| settled.value.clone()).unwrap_or_default()
    }

    /// Whether the tenant's opening hours of this name are open. No name, or one that is not there, is open: a chat must
    /// not be turned away for a dangling reference.
    pub fn is_open(&self, tenant: TenantId, hours: Option<&str>, now: Millis) -> bool {
        let hours = hours.and_then(|name| self.named::<OpeningHours>(tenant, name));
        let at = i64::try_from(now.0)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        match (hours, at, self.tenant(tenant)) {
            (Some(hours), Some(at), Some(tenant)) => hours.is_open(at, &tenant.time_zone),
            _ => true,
        }
    }

    /// Whether the tenant does not let this address in.
    pub fn is_blocked(&self, tenant: TenantId, media: Media, address: &str, now: Millis) -> bool {
        let at = i64::try_from(now.0)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let block = self.named::<BlockedCustomer>(tenant, address);
        block.zip(at).is_some_and(|(block, at)| block.holds(media, at))
    }

    /// What the tenant says to a customer in their language on an occasion such as `welcome`; `None` says nothing. In the
    /// text `{name}` stands for the value given for it.
    pub fn text(
        &self,
        tenant: TenantId,
        occasion: &str,
        language: Option<&str>,
        values: &[(&str, &str)],
    ) -> Option<String> {
        let usual = self.tenant(tenant)?.default_language.as_str();
        let template = self.named::<MessageTemplate>(tenant, occasion)?;
        template.render(language.unwrap_or(usual), usual, values)
    }

    /// A third-party secret, to be presented to its owner and to nobody else.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn secret<T: Object>(&self, object: &Stored<T>, field: &str) -> Result<SecretString, SecretError> {
        let sealed = object.secrets.get(field).ok_or(SecretError::Absent)?;
        let spec = T::KIND
            .secrets()
            .iter()
            .find(|spec| spec.field == field)
            .ok_or(SecretError::Absent)?;
        let place = (T::KIND, object.tenant, &object.id, spec);
        let plain = self
            .vault
            .open_value(place, sealed)
            .map_err(|_| SecretError::Unopenable)?;
        Ok(SecretString::from(plain.as_str()))
    }

    /// The shared keys of a purpose.
    pub fn signing_keys(&self, purpose: SigningPurpose) -> &KeyRing {
        &self.rings[purpose as usize]
    }

    /// Objects this binary cannot read, because a newer one wrote them; they are absent from every answer.
    pub fn unreadable(&self) -> &[(Kind, ObjectId)] {
        &self.unreadable
    }

    pub(in crate::provisioning) fn vault(&self) -> &Vault {
        &self.vault
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Snapshot(version {}, {} tenants)",
            self.version,
            self.tenants.len()
        )
    }
}

fn days_ms(days: u32) -> u64 {
    u64::from(days) * 24 * 3_600_000
}
