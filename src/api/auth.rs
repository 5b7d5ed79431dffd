//! Who calls: the credentials of a request, and the refusal when they do not suffice.
//!
//! Reads `x-api-key` and `Authorization: Bearer`; what they mean is decided by [`crate::provisioning::access`].

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use crate::model::Millis;
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::Snapshot;
use crate::provisioning::access::{Access, AccessRefusal, Principal};

/// The header of an API key.
pub const API_KEY: &str = "x-api-key";
/// The header of the contact centre a request is about.
pub const CONTACT_CENTER: &str = "x-ccid";

/// Who sent these headers. Of a key and a token the token decides what is permitted, and both must be good and of one
/// tenant: a leaked key next to a good token must not go unnoticed.
///
/// # Errors
/// 401 with the code of what was refused; never why.
pub fn authenticate(
    access: &Access,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    now: Millis,
) -> Result<Principal, Fault> {
    let key = only(headers, API_KEY).map_err(|()| Code::BadApiKey)?;
    let authorization = only(headers, AUTHORIZATION.as_str()).map_err(|()| Code::BadToken)?;
    let key = key
        .map(|key| access.api_key(snapshot, key.trim(), now).map_err(fault))
        .transpose()?;
    let token = authorization
        .map(|value| {
            let (scheme, token) = value.split_once(' ').ok_or(Code::BadToken)?;
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(Fault::from(Code::BadToken));
            }
            access.bearer(snapshot, token.trim(), now).map_err(fault)
        })
        .transpose()?;
    match (key, token) {
        (None, None) => Err(Code::NoCredentials.into()),
        (Some(key), None) => Ok(key),
        (None, Some(token)) => Ok(token),
        (Some(key), Some(token)) if key.tenant == token.tenant => Ok(token),
        (Some(_), Some(_)) => Err(Code::BadToken.into()),
    }
}

/// Waits a moment for the key of a bearer token, where it is not known and keys are fetched; to be done before
/// [`authenticate`].
pub async fn await_key(access: &Access, headers: &HeaderMap) {
    if let Ok(Some(value)) = only(headers, AUTHORIZATION.as_str())
        && let Some((_, token)) = value.split_once(' ')
    {
        access.await_key(token.trim()).await;
    }
}

/// Refuses what a principal may not do.
///
/// # Errors
/// 403.
pub fn permit(principal: &Principal, area: &str, action: &str) -> Result<(), Fault> {
    if principal.allows(area, action) {
        return Ok(());
    }
    Err(Fault::new(Code::Forbidden).detail(format!("needs nexus:{area}:{action}")))
}

fn fault(refusal: AccessRefusal) -> Fault {
    match refusal {
        AccessRefusal::Key(_) => Code::BadApiKey.into(),
        AccessRefusal::Token(_) => Code::BadToken.into(),
    }
}

/// The one value of a header. Two values are refused: which of them counts is for nobody to guess.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}
