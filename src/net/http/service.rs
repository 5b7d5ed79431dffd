//! The seam to the application: requests go up, answers come down, refusals get their wording.

use futures_util::future::LocalBoxFuture;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::{Method, StatusCode};

use super::body::Body;
use super::refusal::Refusal;
use super::response::{Response, ResponseBody};
use crate::net::address::Peer;

/// A request whose head is sound; its body may still be arriving.
pub type Request = hyper::Request<Body>;

/// What answers. One per core; never crosses threads.
pub trait Service {
    /// Answers one request. Dropped when the connection dies, so what must not be lost is handed on first.
    fn call<'a>(&'a self, request: Request, peer: &'a Peer) -> LocalBoxFuture<'a, Response>;

    /// Words the answer to a request that never became one. `target` is the request target, where it was
    /// understood; the status is set by the caller.
    fn refuse(&self, refusal: Refusal, target: Option<&str>) -> Response;
}

/// The answer to `refusal`, with its status; the connection ends after it.
pub(crate) fn refused(service: &dyn Service, refusal: Refusal, target: Option<&str>) -> Response {
    let mut response = service.refuse(refusal, target);
    *response.status_mut() = refusal.status();
    response
}

/// Takes away the body that the method or the status forbids, keeping the length a `HEAD` is told.
pub(crate) fn without_forbidden_body(method: &Method, mut response: Response) -> Response {
    let status = response.status();
    if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED || status.is_informational() {
        if !status.is_informational() {
            *response.body_mut() = ResponseBody::empty();
        }
        response.headers_mut().remove(CONTENT_LENGTH);
    } else if method == Method::HEAD {
        if let Some(len) = response.body().len()
            && !response.headers().contains_key(CONTENT_LENGTH)
        {
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(len));
        }
        *response.body_mut() = ResponseBody::empty();
    }
    response
}

/// Says that the connection ends after this answer.
pub(crate) fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
