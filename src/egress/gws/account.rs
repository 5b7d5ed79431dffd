//! A tenant's link to GWS as provisioning has it.

use secrecy::SecretString;

use crate::model::TenantId;
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{GapiLink, Stored};

/// Whom we are at GWS, and where it is.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whose.
    pub tenant: TenantId,
    /// Changes with the object.
    pub version: u64,
    /// Address of the service, without a slash at its end.
    pub url: String,
    /// Address of the authentication service, likewise.
    pub auth_url: String,
    /// Our id there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: SecretString,
    /// `x-api-key` of every call, where one is configured.
    pub api_key: Option<SecretString>,
    /// Whether GWS routes the tenant's sessions.
    pub routing: bool,
}

impl Account {
    /// Whether GWS routes the tenant's sessions; what [`Self::of`] says without opening a secret.
    #[must_use]
    pub fn routes(snapshot: &Snapshot, tenant: TenantId) -> bool {
        let routed = |link: &Stored<GapiLink>| link.value.routing && link.has_secret("clientsecret");
        snapshot.all::<GapiLink>(tenant).any(|link| routed(link))
            && snapshot.tenant(tenant).is_some_and(|tenant| tenant.value.enabled)
    }

    /// The tenant's account; `None` for a tenant that is off or has no link with a secret.
    ///
    /// A tenant may have one link for the service and one for authentication, both with the same credentials: the one that
    /// routes is meant, else the first by name that does not lead to authentication itself.
    #[must_use]
    pub fn of(snapshot: &Snapshot, tenant: TenantId) -> Option<Self> {
        if !snapshot.tenant(tenant)?.value.enabled {
            return None;
        }
        let mut links: Vec<_> = snapshot
            .all::<GapiLink>(tenant)
            .filter(|link| link.has_secret("clientsecret"))
            .collect();
        links.sort_by(|a, b| {
            let rank = |link: &Stored<GapiLink>| (!link.value.routing, leads_to_auth(&link.value));
            (rank(a), &a.value.name).cmp(&(rank(b), &b.value.name))
        });
        let link = links.first()?;
        let client_secret = snapshot.secret(&***link, "clientsecret").ok()?;
        // The vendor's provisioning writes `NA` where there is none.
        let api_key = snapshot.secret(&***link, "apikey").ok();
        let api_key = api_key.filter(|key| {
            use secrecy::ExposeSecret as _;
            !matches!(key.expose_secret(), "" | "NA")
        });
        let auth = link.value.authinturl.as_deref().unwrap_or(&link.value.url);
        Some(Self {
            tenant,
            version: link.version,
            url: link.value.url.trim_end_matches('/').to_owned(),
            auth_url: auth.trim_end_matches('/').to_owned(),
            client_id: link.value.clientid.clone(),
            client_secret,
            api_key,
            routing: link.value.routing,
        })
    }
}

fn leads_to_auth(link: &GapiLink) -> bool {
    link.authinturl.as_deref() == Some(link.url.as_str())
}
