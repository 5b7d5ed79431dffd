//! Which pages may open a stream. Browsers send cookies and tickets of any page that asks; only an exact list helps.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// Whether the `Origin` of a handshake is acceptable: none at all (no browser), one of the list byte for byte, or this very
/// host under a scheme of the web, which is what our own page has. `null` never is.
#[must_use]
pub(super) fn is_allowed(headers: &HeaderMap, allowed: &[String], tls: bool) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.next().is_some() {
        return false;
    }
    if allowed.iter().any(|listed| listed == origin) {
        return true;
    }
    let scheme = if tls { "https://" } else { "http://" };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin
        .strip_prefix(scheme)
        .is_some_and(|rest| !rest.is_empty() && Some(rest) == host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn judge(origin: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("digital.example:8443"));
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        is_allowed(&headers, &["https://desktop.example".to_owned()], true)
    }

    #[test]
    fn only_the_listed_origin_and_our_own_page_are_let_in() {
        assert!(judge("https://desktop.example"));
        assert!(judge("https://digital.example:8443"));
    }

    #[test]
    fn what_only_looks_like_a_listed_origin_is_refused() {
        for origin in [
            "null",
            "",
            "http://desktop.example",
            "https://desktop.example:443",
            "https://desktop.example.evil.example",
            "https://evil-desktop.example",
            "https://sub.desktop.example",
            "https://DESKTOP.example",
            "http://digital.example:8443",
            "https://digital.example",
        ] {
            assert!(!judge(origin), "{origin}");
        }
    }

    #[test]
    fn a_client_that_is_no_browser_has_no_origin() {
        assert!(is_allowed(&HeaderMap::new(), &[], true));
    }
}
