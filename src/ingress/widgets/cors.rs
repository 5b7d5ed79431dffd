//! Who may read our answers from another site's page.

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use crate::net::http::{Response, ResponseBody};

/// The answer to a preflight, the same to all. It names no tenant, because a browser sends no key with it: which origins a tenant
/// permits is judged with the request itself.
pub(super) struct Preflight(HeaderMap);

impl Preflight {
    pub(super) fn answer(&self) -> Response {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = self.0.clone();
        response
    }
}

impl Default for Preflight {
    fn default() -> Self {
        let fields = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                "x-api-key, x-nexus-client-key, content-type, idempotency-key",
            ),
            // The longest that any browser keeps.
            (ACCESS_CONTROL_MAX_AGE, "86400"),
            (VARY, "Origin"),
        ];
        let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
        Self(fields.into_iter().collect())
    }
}

/// What an origin may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The tenant names no origins, or the request comes from no page: anybody may read the answer.
    Anybody,
    /// This origin may.
    Origin(HeaderValue),
    /// This one may not, and gets nothing done either.
    Refused,
}

impl Verdict {
    /// Judges a request's origin by the node's and the tenant's lists. Origins are compared whole: no case, port or suffix is made up.
    pub(super) fn of(headers: &HeaderMap, node: &[String], tenant: &[String]) -> Self {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Self::Anybody,
            (Some(_), Some(_)) => Self::Refused,
            (Some(_), None) if node.is_empty() && tenant.is_empty() => Self::Anybody,
            (Some(origin), None) => {
                let known = node
                    .iter()
                    .chain(tenant)
                    .any(|one| one.as_bytes() == origin.as_bytes());
                if known {
                    Self::Origin(origin.clone())
                } else {
                    Self::Refused
                }
            }
        }
    }

    /// Says so in an answer. A refusal is readable by anybody: it tells nothing but that.
    pub(super) fn mark(&self, response: &mut Response) {
        let headers = response.headers_mut();
        let origin = match self {
            Self::Origin(origin) => origin.clone(),
            Self::Anybody | Self::Refused => HeaderValue::from_static("*"),
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After, X-Durability"),
        );
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origin: &'static str, allowed: &[&str]) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        let allowed: Vec<String> = allowed.iter().map(|one| (*one).to_owned()).collect();
        Verdict::of(&headers, &[], &allowed)
    }

    #[test]
    fn without_a_list_anybody_may() {
        assert_eq!(judge("https://shop.example", &[]), Verdict::Anybody);
        assert_eq!(judge("null", &[]), Verdict::Anybody);
    }

    #[test]
    fn a_list_is_exact() {
        let allowed = ["https://shop.example"];
        assert!(matches!(
            judge("https://shop.example", &allowed),
            Verdict::Origin(_)
        ));
        for origin in [
            "null",
            "https://www.shop.example",
            "https://shop.example.evil.example",
            "https://evilshop.example",
            "https://shop.example:444",
            "http://shop.example",
            "HTTPS://SHOP.EXAMPLE",
            "https://shop.example/",
        ] {
            assert_eq!(judge(origin, &allowed), Verdict::Refused, "{origin}");
        }
    }

    #[test]
    fn a_program_without_an_origin_is_no_page() {
        assert_eq!(
            Verdict::of(&HeaderMap::new(), &[], &["https://shop.example".to_owned()]),
            Verdict::Anybody
        );
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, HeaderValue::from_static("https://shop.example"));
        headers.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert_eq!(Verdict::of(&headers, &[], &[]), Verdict::Refused);
    }
}
