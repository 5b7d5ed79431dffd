//! From a body or a refusal to an HTTP answer: the one place where a fault gets its status.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use crate::net::http::{Response, ResponseBody};
use crate::protocol::envelope::{CallIds, Dialect, Fault};

/// JSON that must not be cached.
#[must_use]
pub fn json(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal in its dialect, with `Retry-After` where the fault says when to come back (in whole seconds, at least one).
#[must_use]
pub fn fault(dialect: Dialect, ids: &CallIds<'_>, fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, fault.body(dialect, ids));
    if let Some(after) = fault.retry_after {
        let seconds = after.as_millis().div_ceil(1_000).max(1);
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fault_becomes_its_status_and_says_when_to_come_back() {
        let refused = fault(
            Dialect::Chat,
            &CallIds::default(),
            &Fault::unavailable(Duration::from_millis(1_200)),
        );
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[RETRY_AFTER], "2");
        assert_eq!(refused.headers()[CONTENT_TYPE], "application/json");
    }
}
