//! What the network layer refuses by itself, before or beside the application.

use hyper::StatusCode;

/// A request that never reaches its handler, or whose body ended badly. The application gives it a body in
/// its own dialect through [`Service::refuse`](super::Service::refuse); the status is fixed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not one unambiguous request. The text names the rule that was broken.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The head was not complete in time, or the body came slower than the floor.
    #[error("request took too long to arrive")]
    Timeout,
    /// The body is larger than its handler takes.
    #[error("request body too large")]
    BodyTooLarge,
    /// The request line is longer than allowed.
    #[error("request target too long")]
    TargetTooLong,
    /// The header section is larger than allowed, in bytes or in fields.
    #[error("header fields too large")]
    FieldsTooLarge,
    /// An expectation other than `100-continue`.
    #[error("unknown expectation")]
    Expectation,
}

impl Refusal {
    /// The status that goes on the wire.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::FieldsTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }
}
