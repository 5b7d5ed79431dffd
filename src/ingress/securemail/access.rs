//! Whose key it is, and what it may do.

use hyper::header::HeaderMap;

use crate::model::{Millis, TenantId};
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::objects::ApiKeyUse;
use crate::provisioning::{ObjectId, Snapshot};

const API_KEY: &str = "x-api-key";
/// The area of the permissions.
const AREA: &str = "securemail";

/// What an API key gave access to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) tenant: TenantId,
    pub(super) key: ObjectId,
}

/// Reads and judges the API key: one for secure mail, or for services, that permits `action`.
pub(super) fn api_key(
    snapshot: &Snapshot,
    headers: &HeaderMap,
    action: &str,
    now: Millis,
) -> Result<Access, Fault> {
    let mut values = headers.get_all(API_KEY).iter();
    let presented = match (values.next(), values.next()) {
        (None, _) => return Err(Code::NoCredentials.into()),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return Err(Code::BadApiKey.into()),
    };
    let grant = snapshot
        .api_key(presented, now)
        .map_err(|_| Fault::new(Code::BadApiKey))?;
    if grant.usage == ApiKeyUse::Chat || !grant.allows(AREA, action) {
        return Err(Fault::new(Code::Forbidden).detail(format!("needs nexus:{AREA}:{action}")));
    }
    Ok(Access {
        tenant: grant.tenant,
        key: grant.id.clone(),
    })
}
