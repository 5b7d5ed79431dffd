//! Who sits at the pages: the cookie, and what a browser must have sent with it.

use std::sync::Arc;

use aws_lc_rs::rand;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};

use crate::model::Millis;
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::plugin_session::{self, LIFETIME_MS};
use crate::protocol::sealed::SealKey;
use crate::provisioning::{SigningPurpose, Snapshot, Snapshots};

/// The cookie.
const NAME: &str = "nexus_plugin";
/// What the pages send and no other site can without asking first.
pub(super) const GUARD: &str = "x-nexus-plugin";

/// Seals a token into a cookie for a browser that speaks TLS or does not.
pub(super) fn begin(
    snapshots: &Snapshots,
    token: &str,
    now: Millis,
    tls: bool,
) -> Result<HeaderValue, Fault> {
    let snapshot = snapshots.load();
    let key = snapshot.signing_keys(SigningPurpose::Ticket).current(now);
    let key = SealKey {
        id: key.id,
        secret: key.secret(),
    };
    let mut nonce = [0; 12];
    rand::fill(&mut nonce).map_err(|_| Code::Internal)?;
    let sealed = plugin_session::seal(key, nonce, token, now)
        .ok_or_else(|| Fault::new(Code::TooLarge).detail("token"))?;
    cookie(&sealed, LIFETIME_MS / 1_000, tls)
}

/// Takes the cookie away.
pub(super) fn end(tls: bool) -> Result<HeaderValue, Fault> {
    cookie("", 0, tls)
}

fn cookie(value: &str, seconds: u64, tls: bool) -> Result<HeaderValue, Fault> {
    let secure = if tls { "; Secure" } else { "" };
    let text =
        format!("{NAME}={value}; Path=/admin/ux; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).map_err(|_| Code::Internal.into())
}

/// When the session of a request ends; its token takes the place of whatever the request claimed to be.
pub(super) fn enter(headers: &mut HeaderMap, snapshot: &Arc<Snapshot>, now: Millis) -> Result<Millis, Fault> {
    let ring = snapshot.signing_keys(SigningPurpose::Ticket);
    let opened = presented(headers)
        .and_then(|text| plugin_session::open(text, |id| ring.find(id).map(|key| key.secret()), now));
    let (token, ends) = opened.ok_or(Code::NoCredentials)?;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Code::BadToken)?;
    headers.remove("x-api-key");
    headers.insert(AUTHORIZATION, bearer);
    Ok(ends)
}

/// The value of the cookie; two of them are none.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let fields = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok());
    let mut values = fields.flat_map(|field| field.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == NAME).then_some(value)
    });
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Whether the request was made by a page of this origin. The guard header cannot be sent across sites without a
/// permission that is never given; browsers that say where a request comes from are believed too.
pub(super) fn own_page(headers: &HeaderMap) -> Result<(), Fault> {
    let site = headers.get("sec-fetch-site");
    let foreign = site.is_some_and(|site| site != "same-origin" && site != "none");
    if foreign || !headers.contains_key(GUARD) {
        return Err(Fault::new(Code::Forbidden).detail(GUARD));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_request_of_another_site_is_refused() {
        assert!(own_page(&headers(&[(GUARD, "1")])).is_ok());
        assert!(own_page(&headers(&[(GUARD, "1"), ("sec-fetch-site", "same-origin")])).is_ok());
        assert!(own_page(&headers(&[])).is_err());
        assert!(own_page(&headers(&[(GUARD, "1"), ("sec-fetch-site", "cross-site")])).is_err());
        assert!(own_page(&headers(&[(GUARD, "1"), ("sec-fetch-site", "same-site")])).is_err());
    }

    #[test]
    fn one_cookie_of_the_name_counts_and_two_do_not() {
        assert_eq!(
            presented(&headers(&[("cookie", "a=b; nexus_plugin=x")])),
            Some("x")
        );
        assert_eq!(
            presented(&headers(&[("cookie", "nexus_plugin=x; nexus_plugin=y")])),
            None
        );
        assert_eq!(presented(&headers(&[("cookie", "xnexus_plugin=x")])), None);
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_from_other_sites() {
        let cookie = cookie("v", 60, true).unwrap();
        let text = cookie.to_str().unwrap();
        for word in [
            "HttpOnly",
            "SameSite=Strict",
            "Secure",
            "Path=/admin/ux",
            "Max-Age=60",
        ] {
            assert!(text.contains(word), "{word}");
        }
    }
}
