//! The pages in the binary: served as they were compiled in, under a policy that lets them run only what they came with.

use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};

use crate::model::Digest;
use crate::net::http::{Response, ResponseBody};

/// A file of a page.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The whole path it is served under.
    pub path: &'static str,
    /// Its type.
    pub mime: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// Nothing runs, loads or connects but what this origin serves; no other site may frame a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      connect-src 'self' ws: wss:; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Answers a request for a page, or for nothing that is one: `None`.
#[must_use]
pub fn serve(assets: &[Asset], method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    let asset = assets
        .iter()
        .find(|asset| asset.path == path || asset.path.strip_suffix("index.html") == Some(path));
    let Some(asset) = asset else {
        return without_slash(assets, path);
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refused = with_status(StatusCode::METHOD_NOT_ALLOWED);
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(refused);
    }
    let tag = tag(asset);
    let known = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        with_status(StatusCode::NOT_MODIFIED)
    } else {
        Response::new(ResponseBody::full(bytes::Bytes::from_static(asset.bytes)))
    };
    let fields: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, asset.mime),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in fields {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Some(response)
}

/// A folder asked for without its slash is shown the way.
fn without_slash(assets: &[Asset], path: &str) -> Option<Response> {
    let folder = format!("{path}/");
    let exists = assets
        .iter()
        .any(|asset| asset.path.strip_suffix("index.html") == Some(folder.as_str()));
    let location = HeaderValue::from_str(&folder).ok().filter(|_| exists)?;
    let mut response = with_status(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}

fn with_status(status: StatusCode) -> Response {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

fn tag(asset: &Asset) -> String {
    format!("\"{:?}-{}\"", Digest::of(&[asset.bytes]), asset.bytes.len()).replace('…', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSETS: &[Asset] = &[Asset {
        path: "/ux/x/index.html",
        mime: "text/html; charset=utf-8",
        bytes: b"<p>",
    }];

    fn get(path: &str, headers: &HeaderMap) -> Option<Response> {
        serve(ASSETS, &Method::GET, path, headers)
    }

    #[test]
    fn a_page_is_served_under_its_folder_with_a_policy() {
        let page = get("/ux/x/", &HeaderMap::new()).unwrap();
        assert_eq!(
            (page.status(), page.body().as_bytes()),
            (StatusCode::OK, Some(&b"<p>"[..]))
        );
        assert!(
            page.headers()[CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .contains("default-src 'none'")
        );
    }

    #[test]
    fn a_page_that_is_known_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        headers.insert(
            IF_NONE_MATCH,
            get("/ux/x/", &headers).unwrap().headers()[ETAG].clone(),
        );
        assert_eq!(
            get("/ux/x/", &headers).unwrap().status(),
            StatusCode::NOT_MODIFIED
        );
    }

    #[test]
    fn a_folder_without_its_slash_is_shown_the_way_and_what_is_no_page_is_none() {
        assert_eq!(
            get("/ux/x", &HeaderMap::new()).unwrap().headers()[LOCATION],
            "/ux/x/"
        );
        assert!(get("/ux/y", &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_page_cannot_be_written() {
        let refused = serve(ASSETS, &Method::POST, "/ux/x/", &HeaderMap::new()).unwrap();
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
